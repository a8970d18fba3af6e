"""iscsid.conf: lines that are not read, that contradict each other, or that somebody else overrules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mpio.diagnosis.conf_lines import nearest, place
from mpio.findings import Finding, finding
from mpio.tools import iscsidconf
from mpio.tools.iscsidconf import Line

_REPLACEMENT = "node.session.timeo.replacement_timeout"
_INTERVAL, _TIMEOUT = "node.conn[0].timeo.noop_out_interval", "node.conn[0].timeo.noop_out_timeout"
_LOGIN, _RETRIES = "node.conn[0].timeo.login_timeout", "node.session.initial_login_retry_max"
_STOCK = {_REPLACEMENT: 120, _INTERVAL: 5, _TIMEOUT: 5, _LOGIN: 15, _RETRIES: 8}
PATIENCE = 120  # seconds of login that the stock file allows; systemd waits no longer than 90 for what depends on it
BY_ITSELF = "5"  # multipath's fast_io_fail_tmo since 0.5.0


def findings(path: str, text: str, fast_io_fail: str | None = BY_ITSELF, *, alone: bool = False) -> Iterator[Finding]:
    """`fast_io_fail` is multipath's in force, None where there is no multipath; `alone`: a file without its host."""
    read: dict[str, Line] = {}
    for line in iscsidconf.lines(text):
        yield from _line(path, line, read)
    values = {key: line.value for key, line in read.items()}
    numbers = {key: _number(values.get(key), stock) for key, stock in _STOCK.items()}
    yield from _noop(path, read, numbers)
    yield from _login(path, read, numbers)
    yield from _replacement(path, read, fast_io_fail)
    yield from _startup(path, read, alone)
    for group in ("node.session", "discovery.sendtargets"):
        yield from _chap(path, read, f"{group}.auth")


def _line(path: str, line: Line, read: dict[str, Line]) -> Iterator[Finding]:
    where = place(path, line.number, line.key or "=")
    if line.unread:
        yield finding("MP531", where, line.unread)
        return
    if not iscsidconf.known(line.key):
        near = nearest(line.key, iscsidconf.KEYS)
        yield finding("MP528", where, f"meant may be {near}" if near else "nothing that is known resembles it")
        return
    if wrong := iscsidconf.complaint(line.key, line.value):
        yield finding("MP530", where, wrong)
    old = read.get(line.key)
    if old is not None and old.value != line.value:
        first = line.key.startswith("iscsid.")  # those have a reader of their own, usr/iscsi_util.c
        lost, used = (line, old) if first else (old, line)
        secret = "password" in line.key
        words = "another value" if secret else f'"{used.value}"'
        yield finding("MP529", place(path, lost.number, line.key), f"not used: line {used.number} says {words}")
        read[line.key] = used
        return
    read[line.key] = line


def _number(value: str | None, stock: int) -> int:
    try:
        return int(value) if value is not None else stock
    except ValueError:
        return stock


def _at(path: str, read: Mapping[str, Line], *keys: str) -> str | None:
    """The first of these keys that the file sets, as a place."""
    return next((place(path, read[k].number, k) for k in keys if k in read), None)


def _noop(path: str, read: Mapping[str, Line], numbers: Mapping[str, int]) -> Iterator[Finding]:
    interval, timeout = numbers[_INTERVAL], numbers[_TIMEOUT]
    if interval > 0 and timeout > 0:
        return
    if (where := _at(path, read, _INTERVAL, _TIMEOUT)) is None:
        return
    if interval == timeout == 0:
        yield finding("MP532", where, "both are 0: no pings, so a link that dies silently is noticed by nobody")
    else:
        zero = "noop_out_interval" if interval <= 0 else "noop_out_timeout"
        yield finding("MP532", where, f"{zero} 0 beside the other above 0: iscsid takes 5 for it")


def _login(path: str, read: Mapping[str, Line], numbers: Mapping[str, int]) -> Iterator[Finding]:
    seconds, retries = numbers[_LOGIN], numbers[_RETRIES]
    keys = (_LOGIN, _RETRIES) if seconds > _STOCK[_LOGIN] else (_RETRIES, _LOGIN)
    where = _at(path, read, *keys)
    if where is not None and seconds * retries > PATIENCE:
        yield finding("MP533", where, f"{seconds} s x {retries} = {seconds * retries} s for each portal that is silent")


def _replacement(path: str, read: Mapping[str, Line], fast_io_fail: str | None) -> Iterator[Finding]:
    if (line := read.get(_REPLACEMENT)) is None:
        return
    where, seconds = place(path, line.number, _REPLACEMENT), _number(line.value, 120)
    overwritten = fast_io_fail is not None and fast_io_fail.isdecimal() and fast_io_fail != "0"
    if seconds < 0 and not overwritten:
        yield finding("MP534", where, f"{seconds}: I/O on a dead session waits for ever, no path is ever failed")
    if overwritten and seconds not in (120, int(fast_io_fail or 0)):
        yield finding(
            "MP518", where, f"{seconds} s here, fast_io_fail_tmo {fast_io_fail} in force on multipath's paths"
        )


def _startup(path: str, read: Mapping[str, Line], alone: bool) -> Iterator[Finding]:
    startup, leading, scan = (read.get(k) for k in ("node.startup", "node.leading_login", "node.session.scan"))
    if leading is not None and leading.value == "Yes":
        detail = f"node.startup {startup.value}" if startup else "node.startup is not set"
        yield finding("MP535", place(path, leading.number, leading.key), detail)
    if scan is not None and scan.value == "manual":
        yield finding("MP538", place(path, scan.number, scan.key))
    if alone and startup is not None and startup.value == "manual":
        yield finding("MP539", place(path, startup.number, startup.key))


def _chap(path: str, read: Mapping[str, Line], group: str) -> Iterator[Finding]:
    """Halves of a login. The secrets are not told."""
    there = {key for key in ("username", "password", "username_in", "password_in") if f"{group}.{key}" in read}
    for name, secret in (("username", "password"), ("username_in", "password_in")):
        if len(there & {name, secret}) == 1:
            has, lacks = (name, secret) if name in there else (secret, name)
            where = _at(path, read, f"{group}.{has}") or path
            yield finding("MP536", where, f"{lacks} is not set")
    if {"username_in", "password_in"} <= there and not there & {"username", "password"}:
        where = _at(path, read, f"{group}.username_in") or path
        yield finding("MP536", where, "the target is to prove itself, the host has no login of its own")
    method = read.get(f"{group}.authmethod")
    if method is not None and method.value == "CHAP" and not there:
        yield finding("MP536", place(path, method.number, method.key), "CHAP is asked for and no login is set")
    if method is not None and method.value == "None" and {"username", "password"} <= there:
        where = place(path, method.number, method.key)
        yield finding(
            "MP536", where, "None, and a login is set: it is used all the same (2.1.11), later it will not be"
        )
