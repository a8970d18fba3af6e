"""What is safe to do about lines of multipath.conf and iscsid.conf: nothing that is in force changes.

A line that its program passes over anyway becomes a comment; what the stock file has is written back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from mpio.diagnosis import conf, conf_iscsid, conf_lines
from mpio.findings import Finding
from mpio.host import Host
from mpio.plan import Plan
from mpio.plan.shape import ISCSID_CONF, MULTIPATH_CONF
from mpio.site import Site
from mpio.step import Part, Step, Write
from mpio.tools import keyfile, multipathmend
from mpio.tools.multipathbuilt import Dialect

Steps = Callable[[Site | None, Host, Plan | None], tuple[Step, ...]]
_MARK = "# mpio doctor: "


def commented(text: str, lines: Iterable[tuple[int, str]]) -> str:
    """The text with these lines as comments, each with its code. A section's first line, or its last, is never one."""
    whole = text.split("\n")
    for number, code in lines:
        line = whole[number - 1]
        if "{" not in line and "}" not in line and not line.lstrip().startswith("#"):
            whole[number - 1] = f"{_MARK}{code}: {line.strip()}"
    return "\n".join(whole)


def _unused(code: str) -> Steps:
    """Lines of /etc/multipath.conf that the installed multipath has refused, or that a later line says otherwise."""

    def steps(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
        text = host.files.get(MULTIPATH_CONF)
        if text is None or host.effective is None or multipathmend.mended(text)[2]:
            return ()
        found = conf.of_file(MULTIPATH_CONF, text, Dialect(host.known_keywords or None))
        said = host.effective.warnings
        lines = [(conf_lines.line_of(f)[1], code) for f in found if f.code == code and _refused(f, said)]
        return tuple(_written(MULTIPATH_CONF, Part.MULTIPATH, text, commented(text, lines), code))

    return steps


def _refused(found: Finding, said: tuple[str, ...]) -> bool:
    """Of a keyword that it ignores multipath speaks once, whatever the number of its lines."""
    where, _, key = found.subject.rpartition(": ")
    told = any(words.startswith(f"{where}:") or f'deprecated option "{key}"' in words for words in said)
    return told or found.code in _WITHOUT_COMPLAINT


# What nobody has to complain of: the later line counts.
_WITHOUT_COMPLAINT = frozenset({"MP509"})


def _of_iscsid(code: str) -> Steps:
    def steps(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
        text = host.files.get(ISCSID_CONF)
        if text is None:
            return ()
        lines = [(conf_lines.line_of(f)[1], code) for f in _found(text) if f.code == code]
        return tuple(_written(ISCSID_CONF, Part.TIMEOUTS, text, commented(text, lines), code))

    return steps


def _found(text: str) -> Iterator[Finding]:
    return conf_iscsid.findings(ISCSID_CONF, text)


def _stock(code: str, key: str, value: str) -> Steps:
    """A key of iscsid.conf as the stock file has it: for the records that are made from now on."""

    def steps(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
        text = host.files.get(ISCSID_CONF)
        if text is None or not any(f.code == code for f in _found(text)):
            return ()
        new = keyfile.with_values(text, {key: value})
        return tuple(_written(ISCSID_CONF, Part.TIMEOUTS, text, new, code))

    return steps


def _written(path: str, part: Part, old: str, new: str, code: str) -> Iterator[Step]:
    if new != old:
        secret = keyfile.holds_secret(old)
        yield Write(
            part, f"{code}: lines of {path} do nothing or other than meant", path, new, None, old, secret=secret
        )


def _closed(_site: Site | None, host: Host, _plan: Plan | None) -> tuple[Step, ...]:
    text = host.files.get(ISCSID_CONF)
    if text is None or not keyfile.holds_secret(text):
        return ()
    return (Write(Part.TIMEOUTS, f"others may read {ISCSID_CONF}", ISCSID_CONF, text, 0o600, text, secret=True),)


FIXES: Mapping[str, Steps] = {
    **{code: _unused(code) for code in ("MP503", "MP504", "MP505", "MP509")},
    **{code: _of_iscsid(code) for code in ("MP528", "MP529")},
    "MP535": _stock("MP535", "node.leading_login", "No"),
    "MP537": _closed,
    "MP538": _stock("MP538", "node.session.scan", "auto"),
}
# MP518, MP532, MP533, MP534 are mended by the plan's own steps of Part.TIMEOUTS, where a site says its time-outs.
