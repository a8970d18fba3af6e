"""multipath: checking a configuration without touching the host, what is in force for a LUN, remembered WWIDs."""

from __future__ import annotations

import io
import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mpio.errors import UnreadableOutput
from mpio.program import Run
from mpio.step import Command, Note, Part
from mpio.tools import multipathconf
from mpio.tools.multipathconf import Conf, Entry
from mpio.tools.multipathwords import DEVICE_KEYWORDS, MULTIPATH_KEYWORDS, OVERRIDES_KEYWORDS

CONF = "/etc/multipath.conf"
CONF_D = "/etc/multipath/conf.d"
WWIDS = "/etc/multipath/wwids"

# (section, its own name) -> keyword -> value. Sections are defaults, overrides, protocol (its type), device
# ("vendor:product:revision") and multipath (its wwid); devices stand weakest first.
Table = Mapping[tuple[str, str], Mapping[str, str]]

# `1234.567890 | …`; of 0.8.5 `Nov 21 15:39:00 | …`
_TIME = re.compile(r"^(?:\d+\.\d+|\w{3} [ \d]\d \d\d:\d\d:\d\d) \| ")
# `/etc/multipath/conf.d/90-mpio.conf line 2, invalid keyword in the defaults section: foo`
# `/etc/multipath.conf line 3: ignoring deprecated option "getuid_callout"`
_BEFORE = re.compile(r"(?P<path>/.*?) line (?P<line>\d{1,10})[,:] (?P<text>.*)")
# `ignoring extra data starting with '6' on line 4 of /etc/multipath.conf`,
# `unmatched '}' at line 4 of /etc/multipath.conf`, `expecting '{' on line 1 of /etc/multipath.conf. found 'x'`
_AFTER = re.compile(r"(?P<text>.*) (?:on|at) line (?P<line>\d{1,10}) of (?P<path>/.*?)(?P<rest>\. found .*)?")
# `missing '}' at end of /etc/multipath.conf`
_END = re.compile(r"(?P<text>missing '}' at end) of (?P<path>/.*)")

# A private mount namespace: the mounts end with the last process in it, and the host's /etc is never written.
# passwd, group and nsswitch.conf because `uid oracle` is looked up, ld.so.cache for the libraries.
_STAGE = (
    "mount -t tmpfs -o mode=0755 mpio /tmp && mkdir /tmp/etc && tar -x -f - -C /tmp &&"
    " for f in passwd group nsswitch.conf ld.so.cache; do [ ! -e /etc/$f ] || cp -p /etc/$f /tmp/etc/ || exit; done &&"
    " mount --bind /tmp/etc /etc && exec multipath -t </dev/null"
)


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001  (multipath.Warning is what it is)
    """A complaint of multipath: `path` "" and `line` 0 where it names none."""

    path: str
    line: int
    text: str

    @property
    def harmless(self) -> bool:
        """An old spelling that is still understood, as `flush_on_last_del yes` since 0.9.9."""
        return "is a deprecated value" in self.text

    def __str__(self) -> str:
        where = f"{self.path} line {self.line}: " if self.line else f"{self.path}: " if self.path else ""
        return where + self.text


@dataclass(frozen=True, slots=True)
class Staged:
    """What `multipath -t` makes of some files: `out` is the configuration in force, in multipath.conf's own syntax."""

    out: str
    warnings: tuple[Warning, ...]

    @property
    def table(self) -> Table:
        return effective(self.out)

    def about(self, path: str) -> tuple[Warning, ...]:
        """The complaints about one file, and those about a section that do not say whose it is."""
        return tuple(w for w in self.warnings if w.path in ("", path))


def staged(run: Run, files: Mapping[str, str]) -> Staged:
    """What multipath would make of these files (path below /etc -> text); needs root, writes nothing, asks no daemon.

    `multipath -t` exits 0 whatever it reads: only its complaints tell.
    """
    done = run("unshare", "--mount", "--", "sh", "-c", _STAGE, stdin=_tar(files))
    return Staged(done.out, parse_warnings(done.err))


def installed(run: Run) -> Staged:
    """The host's own files, as the installed multipath reads them."""
    done = run("multipath", "-t")
    return Staged(done.out, parse_warnings(done.err))


def _tar(files: Mapping[str, str]) -> bytes:
    import tarfile  # brings every compressor along

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in files.items():
            if not path.startswith("/etc/") or ".." in path.split("/"):
                raise ValueError(f"{path} is not below /etc")
            raw = text.encode("utf-8", "surrogateescape")
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(raw), 0o644
            archive.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


def parse_warnings(text: str) -> tuple[Warning, ...]:
    """Every line of `multipath -t`'s stderr; those of libraries have no uptime in front and are kept too."""
    return tuple(_warning(_TIME.sub("", line, count=1)) for line in text.split("\n") if line.strip())


def _warning(line: str) -> Warning:
    if found := _BEFORE.fullmatch(line):
        return Warning(found["path"], int(found["line"]), found["text"])
    if found := _AFTER.fullmatch(line):
        return Warning(found["path"], int(found["line"]), found["text"] + (found["rest"] or ""))
    if found := _END.fullmatch(line):
        return Warning(found["path"], 0, found["text"])
    return Warning("", 0, line)


_BLOCK = re.compile(r"^(\w+) \{\n(?:[\t ].*\n)*\}$", re.MULTILINE)


def effective(text: str) -> Table:
    """`multipath -t` or `multipathd show config`: both print multipath.conf syntax. Raises UnreadableOutput.

    The blacklists are left out: 0.9.4 prints an entry with only a vendor or only a product with unmatched braces.
    """
    rest: list[str] = []
    blocks: list[str] = []
    end = 0
    for found in _BLOCK.finditer(text):
        rest.append(text[end : found.start()])
        end = found.end()
        if not found[1].startswith("blacklist"):
            blocks.append(found[0])
    rest.append(text[end:])
    conf = multipathconf.parse("\n".join(blocks))
    unread = [line for line in "".join(rest).split("\n") if line.strip()]
    if unread or conf.remarks:
        raise UnreadableOutput(unread[0] if unread else str(conf.remarks[0]), "multipath -t")
    if not conf.sections:
        raise UnreadableOutput(text, "multipath -t")
    return table(conf)


def table(conf: Conf) -> Table:
    """A configuration as the value that `host.Effective` holds."""
    found = {(s, ""): _values(multipathconf.keywords(conf, s)) for s in ("defaults", "overrides")}
    found |= {("protocol", kind): _values(v) for kind, v in multipathconf.protocols(conf).items()}
    for device in multipathconf.devices(conf):
        found["device", f"{device.vendor}:{device.product}:{device.revision}"] = _values(device.values)
    return found | {("multipath", wwid): _values(v) for wwid, v in multipathconf.multipaths(conf).items()}


def _values(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {key: entry.value for key, entry in entries.items()}


def devices_for(found: Table, vendor: str, product: str, revision: str = "") -> tuple[Mapping[str, str], ...]:
    """The device entries that match a LUN's INQUIRY, the strongest first (libmultipath/config.c find_hwe)."""
    said = {"vendor": vendor, "product": product, "revision": revision}
    layers = [v for (section, _), v in found.items() if section == "device"]
    return tuple(v for v in reversed(layers) if all(matches(v.get(k), said[k]) for k in said))


def device_for(found: Table, vendor: str, product: str, revision: str = "") -> dict[str, str]:
    """All keywords that device entries give to a LUN: a key unset in a stronger entry comes from the next."""
    merged: dict[str, str] = {}
    for layer in reversed(devices_for(found, vendor, product, revision)):
        merged |= layer
    return merged


def in_force(found: Table, wwid: str, device: Mapping[str, str]) -> Mapping[str, str]:
    """All keywords of a LUN that `device_for` gives `device`. What is not there has the compiled default.

    Autodetection (detect_prio, detect_checker, detect_pgpolicy) still beats all of this for an ALUA device.
    The time-outs of `protocol{}` are those of iSCSI.
    """
    return ChainMap(
        *(dict(found.get(s, {})) for s in (("multipath", wwid), ("protocol", "scsi:iscsi"), ("overrides", ""))),
        dict(device),
        dict(found.get(("defaults", ""), {})),
    )


def by_lun(found: Table, inquiries: Mapping[str, tuple[str, str]]) -> dict[str, Mapping[str, str]]:
    """`in_force` for each WWID, whose INQUIRY said (vendor, product)."""
    # LUNs of one array say the same, and there are some hundred device entries to be matched
    devices = {inquiry: device_for(found, *inquiry) for inquiry in set(inquiries.values())}
    return {wwid: in_force(found, wwid, devices[inquiry]) for wwid, inquiry in inquiries.items()}


_CLASS = re.compile(r"\[:(\w+):\]")
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "punct": "!-/:-@\\[-`{-~",
    "xdigit": "0-9a-fA-F",
    "print": " -~",
    "graph": "!-~",
    "cntrl": r"\x00-\x1f\x7f",
}
_BRACKET = re.compile(r"\\.|\[(\^?)(\]?(?:\[:\w+:\]|[^\]])*)\]", re.DOTALL)


def matches(pattern: str | None, text: str) -> bool:
    """regexec() of a POSIX extended expression, unanchored. One that does not compile matches nothing."""
    if pattern is None or not text:  # multipath skips the test where either side has no value
        return True
    found = _expression(pattern)
    try:
        return found is not None and found.search(text) is not None
    except RecursionError:
        return False


@lru_cache(maxsize=1024)  # the device entries of an installed multipath: about 300
def _expression(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(_BRACKET.sub(_bracket, pattern))
    except (re.error, OverflowError, RecursionError):
        return None


def _bracket(found: re.Match[str]) -> str:
    if found[2] is None:
        return found[0]
    parts = _CLASS.split(found[2])
    # in a POSIX bracket a backslash is itself; in Python [ and && would mean more one day
    parts[::2] = [re.sub(r"([\\\[\]&~|])", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [_CLASSES.get(name, "") for name in parts[1::2]]
    return f"[{found[1]}{''.join(parts)}]"


_UNKNOWN = ("invalid keyword", "ignoring deprecated option")
_PROBE = f"{CONF_D}/90-mpio.conf"


def keywords_known(run: Run, section: str, keys: Iterable[str]) -> frozenset[str]:
    """Which keywords the installed multipath knows in defaults, overrides, protocol, device or multipath sections."""
    return frozenset(k.partition(".")[2] for k in known(run, {section: keys}))


def known(run: Run, keys: Mapping[str, Iterable[str]] | None = None) -> frozenset[str]:
    """The keywords that the installed multipath knows, as "device.no_path_retry"; without `keys` all that we know of.

    Found by one trial, not by version: distributions backport. "overrides.protocol" is the section of that name.
    """
    # 1 is a value, right or wrong, that no keyword hangs on: 0.11.1 never ends with `polling_interval "word"`
    asked = _EVERY if keys is None else keys
    lines: dict[int, str] = {}
    text: list[str] = []
    guards: dict[str, set[int]] = {}
    for section, names in asked.items():
        opening = _OPENINGS[section]
        guards[section] = set(range(len(text) + 1, len(text) + len(opening) + 1))
        text += opening
        for name in sorted(names, key=lambda n: (n in multipathconf.SECTIONS["overrides"], n)):
            text.append(f"{name} {{" if name == "protocol" else f"{name} 1")
            lines[len(text)] = f"{section}.{name}"
            text += ["}"] if name == "protocol" else []
        text += ["}"] * sum(line.endswith("{") for line in opening)
    warnings = staged(run, {CONF: "", _PROBE: "\n".join(text) + "\n"}).warnings
    bad = {w.line for w in warnings if w.path == _PROBE and w.text.startswith(_UNKNOWN)}
    closed = {s for s, numbers in guards.items() if numbers & bad}
    return frozenset(k for number, k in lines.items() if number not in bad and k.partition(".")[0] not in closed)


_OPENINGS = {
    "defaults": ["defaults {"],
    "overrides": ["overrides {"],
    "protocol": ["overrides {", "protocol {", 'type "scsi:iscsi"'],
    "device": ["devices {", "device {"],
    "multipath": ["multipaths {", "multipath {"],
}
_EVERY: Mapping[str, frozenset[str]] = {
    "defaults": frozenset({"find_multipaths", "polling_interval"}),
    "overrides": OVERRIDES_KEYWORDS | {"protocol"},
    "protocol": frozenset({"fast_io_fail_tmo", "dev_loss_tmo"}),
    "device": DEVICE_KEYWORDS,
    "multipath": MULTIPATH_KEYWORDS,
}


def all_keywords() -> frozenset[str]:
    """What `known` would say of a multipath that knows all that we know of: for who may not ask."""
    return frozenset(f"{section}.{key}" for section, keys in _EVERY.items() for key in keys)


def flush(name: str, why: str) -> Command:
    """Remove a map that nobody has open; exit 1 where somebody has. Never -F, which takes every unused map."""
    return Command(Part.MULTIPATH, why, ("multipath", "-f", name))


def register(wwid: str, why: str) -> Command:
    """Remember a WWID, so that `find_multipaths strict` takes it. It is no error if it is there already."""
    return Command(Part.MULTIPATH, why, ("multipath", "-a", wwid), notes=(Note("wwid", wwid),))


def forget(wwid: str, why: str) -> Command:
    """Forget a WWID; -w takes one as it takes a device (multipath/main.c, libmultipath/configure.c get_refwwid)."""
    return Command(Part.MULTIPATH, why, ("multipath", "-w", wwid))


def parse_wwids(text: str) -> frozenset[str]:
    """/etc/multipath/wwids: `/3600144f0…/` a line. multipath looks at no other lines (libmultipath/wwids.c)."""
    lines = (line.strip() for line in text.splitlines())
    return frozenset(line[1:-1] for line in lines if len(line) > 2 and line[0] == line[-1] == "/")
