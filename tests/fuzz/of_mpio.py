"""The readers of mpio's own files: what it was told, what it remembers, what processes leave for each other."""

from __future__ import annotations

import datetime
import json
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from corpus import TOP, files, outs
from fuzzed import Reader, of_file, text
from of_host import Shown, of_kernel

from mpio import logouts, memory, recording, redact, sitefile, sitetext, span
from mpio.commands import verify
from mpio.drills import guard
from mpio.errors import MpioError, SiteError
from mpio.fastfail import noted
from mpio.files import Files
from mpio.lab import session
from mpio.machine import Machine
from mpio.plan import timer
from mpio.program import Run
from mpio.watch import healing, history, kept

NOW = datetime.datetime(2026, 11, 22, 1, 0, tzinfo=datetime.UTC)
WWID = "3600144f0f484400000004e8685e70001"


def machine(path: str, data: bytes) -> Machine:
    """One with this file alone."""
    return Machine(cast(Run, None), cast(Files, Shown(recording.Tree({path: text(data)}, {}))))


def _memory(data: bytes) -> object:
    found = memory.parse(text(data))
    assert memory.parse(memory.dump(found)) == found
    return found, memory.in_force(found, NOW), timer.render(tuple(o.until for o in found.offline if o.until))


def _kept(data: bytes) -> object:
    found = kept.parse(kept.Kept, text(data))
    now = _host()
    return kept.before(now, found), kept.dump(found)


@cache
def _host() -> Any:
    from corpus import trees

    return of_kernel(Shown(trees("sane/sysfs")[0]))


def _alerts(data: bytes) -> object:
    found = kept.parse(kept.Alerts, text(data))
    return found, kept.dump(found)


def _noted(data: bytes) -> object:
    found = noted.parse(text(data))
    return found, noted.text(found), [noted.is_back(one, 41000, 5.0) for one in found.values()]


def _guard(data: bytes) -> object:
    note = guard.read(machine(guard.NOTES, data))
    return note, note and note.deadline < 5.0


def _history(data: bytes) -> object:
    entries, torn = history.parse(history.whole(text(data), ""))
    return [list(history.rows(history.since(entries, begin))) for begin in (None, NOW)], torn, json.dumps(entries)


def _recording(data: bytes) -> object:
    done = recording.load(data.decode("utf-8", "backslashreplace"))
    assert recording.load(recording.dump(done)) == recording.masked(done)
    return done


def _tree(data: bytes) -> object:
    tree = recording.tree(text(data))
    return tree, tree.names("/sys")


def _site(data: bytes) -> object:
    """As `sitetrust.read` gives it, which refuses what is no UTF-8."""
    return sitefile.dump(sitefile.parse(_decoded(data), "/etc/mpio/site.toml"))


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SiteError("x", (str(error),)) from None


def _edited(data: bytes) -> object:
    """Every edit of a site that could be read: refused, or what was meant."""
    said = _decoded(data)
    sitefile.parse(said, "x")
    new = "3600144f0f484400000004e8685e7ffff"
    more = sitetext.with_lun(said, new, "hydra_new", 4)
    assert len(sitefile.parse(more, "x").luns) == len(sitefile.parse(said, "x").luns) + 1
    sitefile.parse(sitetext.with_paths(more, new, None), "x")
    return sitetext.without_lun(more, new), sitetext.without_lun(said, WWID), sitetext.with_paths(said, WWID, 2)


def _sessionless(data: bytes) -> object:
    call = types.SimpleNamespace(machine=machine("/etc/mpio/site.toml", data), site_path="/etc/mpio/site.toml")
    return verify.names_in(call.machine.files.text(call.site_path) or "")


def _secrets(data: bytes) -> object:
    """What is found is gone from the text, whatever else is wrong with it."""
    said = data.decode("utf-8", "backslashreplace")
    site = redact.in_site(said)
    known = redact.in_settings(said) | site.secrets
    erase = redact.eraser(sorted(known)[:200])
    left = erase(redact.site(said))
    sure = [one for one in sorted(known)[:200] if len(one) >= redact.PLAIN and recording.MASK not in one]
    assert not [one for one in sure if one in left and one not in recording.MASK], "a secret was left"
    return left, site.files, recording.mask(said)


def _url(data: bytes) -> object:
    url = text(data)
    return sorted(redact.of_url(url) | redact.words_of_url(url)), redact.shown(url)


def _moment(data: bytes) -> object:
    return history.moment(text(data), NOW), span.parse(text(data))


# -- corpora -------------------------------------------------------------------------------------------------------


def memories() -> tuple[bytes, ...]:
    full = memory.Memory(
        frozenset({("iface", "sw-iscsi-0"), ("discovery", "10.10.8.90:3260"), ("file", "/etc/multipath.conf")}),
        {"/etc/iscsi/iscsid.conf node.startup": memory.Key("automatic", "manual")},
        {WWID: frozenset({"iqn.2011-09.dom.homer:01"})},
        frozenset({"iqn.2011-09.dom.homer:01"}),
        (memory.Offline("eth1", frozenset({"a -> b c"}), "root", "2026-11-22T01:00:00+01:00", "2026-11-22T03:00:00Z"),),
    )
    return memory.dump(memory.Memory()).encode(), memory.dump(full).encode()


def _keeping() -> tuple[bytes, ...]:
    return kept.dump(kept.of(_host())).encode(), kept.dump(kept.Kept()).encode()


def _telling() -> tuple[bytes, ...]:
    from mpio.alerts.incident import Incident

    one = Incident("link", 1.5, 2.0, items={("path", "a", "sda")}, luns={WWID: "a"}, evidence=["x"])
    return kept.dump(kept.Alerts({"x": kept.Told((one,), {"y": (2, 1.5)})}, "salt")).encode(), b'{"format": 1}'


def _events() -> tuple[bytes, ...]:
    event = {"format": 1, "time": "2026-11-22T01:00:00.000+01:00", "event": "path_failed", "severity": "degraded"}
    layer = {
        "format": 1,
        "time": "2026-11-22T01:00:00.000+01:00",
        "layer": "dm",
        "subject": "sda",
        "was": "a",
        "now": "f",
    }
    more = {**event, "subject": "sda", "detail": "x", "monotonic": 1.5, "boot": "0123abcd"}
    return ("".join(f"{json.dumps(one)}\n" for one in (event, layer, layer, more)).encode(),)


NOTED = noted.text({1: noted.Noted(1, "i -> p t", "10", 41000, 3.5)}).encode()
DRILL = (
    b'{"format": 1, "what": "eth1", "pid": 7, "deadline": 12.5, "back": ['
    b'{"part": "ifaces", "why": "w", "argv": ["ip"]}, {"part": "login", "why": "w", "path": "/sys/x", "text": "1"}]}'
)
LISTED = f"""format = 1
iface = [{{name="a", nic="e"}}]
san.portals = ["10.0.0.1"]
lun = [
  {{wwid="{WWID}"}}, # x
]
"""


@cache
def _sites() -> tuple[bytes, ...]:
    whole = (TOP.parent.parent / "docs" / "site-example.toml").read_text(encoding="utf-8").replace("#! ", "")
    return session.SITE.read_bytes(), whole.encode(), LISTED.encode()


SECRET = b"""node.session.auth.password = verysecretword
"password": "alsosecretthing",
[san.chap]
password_file = "/etc/mpio/chap"
[[watch.alert]]
url = "mailto://user:pa55word@example.org/?key=12345678"
[[watch.alert]]
exec = ["/usr/local/sbin/page", "--token=abcdefgh",
  "hunter2hunter2"]
"""


def _recordings() -> tuple[bytes, ...]:
    some = sorted(Path(TOP).glob("bookworm/s*/i*"))
    return tuple(path.read_bytes() for path in some)


def _json(*values: Mapping[str, object]) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


READERS = (
    Reader("memory", _memory, memories),
    Reader("kept", _kept, _keeping),
    Reader("alerts", _alerts, _telling),
    Reader("fast-fail", _noted, lambda: (NOTED,), ()),
    Reader("drill-note", _guard, lambda: (DRILL,)),
    Reader("logged-out", lambda data: logouts.meant(machine(logouts.PATH, data)), lambda: _json({"a -> b": 1.5}), ()),
    Reader("refused", lambda data: healing.barred(machine(healing.BARS, data)), lambda: _json({"a -> b": "x"}), ()),
    Reader("history", _history, _events, ()),
    Reader("recording", _recording, _recordings),
    Reader("recorded-tree", _tree, lambda: outs("*/files")),
    Reader("site", _site, _sites, (SiteError,)),
    Reader("site-edits", _edited, _sites, (MpioError,), slow=True),
    Reader("site-names", _sessionless, _sites, ()),
    Reader("secrets", _secrets, lambda: (SECRET, *_sites(), *files("/iscsid.conf")[:1]), (), slow=True),
    Reader("masks", of_file(recording.mask), lambda: (SECRET,), ()),
    Reader("alert-url", _url, lambda: (b"mailto://u:p@h/?to=a&x=y",), ()),
    Reader(
        "moment",
        _moment,
        lambda: (b"2026-11-22T01:00:00", b"yesterday", b"30 min", b"1h30m"),
        (ValueError, OverflowError),
    ),
)
