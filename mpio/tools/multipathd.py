"""multipathd: its maps and paths, its state, and what it can be told.

Any question may start a stopped daemon through multipathd.socket: ask only where its service is active.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mpio.errors import MpioError, UnreadableOutput
from mpio.program import Done, Run
from mpio.step import Command, Part, Step

# the client's exit codes: 1 where the reply starts with "fail" (since 0.7.9) or the daemon cannot be reached
OK, FAIL = 0, 1
# a busy daemon answers "timeout" after uxsock_timeout (4 s) by itself, so asking again needs no pause
ATTEMPTS = 8
_LARGEST = (1 << 63) - 1  # of C's numbers; Python's have no end, and long ones cannot even be shown
_BUSY = frozenset({"timeout", "fail\ntimeout"})
_NONE = ("fail", "device not found")  # there is no such map: up to 0.9.4, and in 0.11.1


class NotRunning(MpioError):
    """multipathd is down, or too busy for every attempt."""

    code = "multipathd-not-running"


@dataclass(frozen=True, slots=True)
class PathView:
    """A path as multipathd sees it. `target` is the target's IQN, `initiator` the session's own address; "" unknown."""

    dev: str
    dev_t: str
    dm_st: str
    dev_st: str
    chk_st: str
    group: int
    checker: str = ""
    priority: int | None = None
    target: str = ""
    initiator: str = ""
    marginal: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A path group; `number` counts from 1, `dm_st` is active, enabled, disabled or undef."""

    number: int
    dm_st: str
    selector: str
    priority: int | None
    paths: tuple[PathView, ...]


@dataclass(frozen=True, slots=True)
class MapView:
    """A map as multipathd sees it: `dm` is `dm-3`, `queueing` its own word, `faults` the path failures so far."""

    name: str
    wwid: str
    dm: str
    dm_st: str
    queueing: str
    groups: tuple[Group, ...]
    failback: str = ""
    features: str = ""
    hwhandler: str = ""
    vendor: str = ""
    product: str = ""
    revision: str = ""
    write_prot: str = ""
    faults: int | None = None

    @property
    def paths(self) -> tuple[PathView, ...]:
        return tuple(p for g in self.groups for p in g.paths)


@dataclass(frozen=True, slots=True)
class State:
    """What `show daemon` says: `word` init, startup, configure, idle, running or shutdown; "" where nothing answers.

    `reconfigure` is over when `word` is idle or running and nothing is `pending` (said since 0.10.0).
    """

    pid: int | None
    word: str
    pending: bool = False

    @property
    def settled(self) -> bool:
        return self.word in {"idle", "running"} and not self.pending


def maps(run: Run) -> tuple[MapView, ...]:
    """Every map. Raises NotRunning, UnreadableOutput."""
    return parse_maps(_ask(run, "show", "maps", "json").out)


def map_named(run: Run, name: str) -> MapView | None:
    """One map by its name (0.9.4 does not find it by WWID), None where multipathd has no such map."""
    done = _ask(run, "show", "map", name, "json", missing=True)
    if done.code != OK or done.out.startswith("fail"):
        return None
    return _map(_object(_json(done.out).get("map"), done.out))


def config(run: Run) -> str:
    """The configuration that the daemon holds, in multipath.conf's syntax: for `multipath.effective`."""
    return _ask(run, "show", "config").out


def _ask(run: Run, *words: str, missing: bool = False) -> Done:
    done = run("multipathd", *words, ok=(OK, FAIL))
    for _ in range(ATTEMPTS - 1):
        if not too_busy(done.out):
            break
        done = run("multipathd", *words, ok=(OK, FAIL))
    said = done.out.strip()
    if too_busy(said):
        raise NotRunning(
            f"multipathd answered {ATTEMPTS} times that it is too busy for `{' '.join(words)}`",
            "look at `systemctl status multipathd` and its log",
        )
    if done.code != OK and not (missing and said.startswith(_NONE)):
        raise NotRunning(
            f"multipathd does not answer `{' '.join(words)}`: {said or done.err.strip() or 'it said nothing'}",
            "start it: systemctl start multipathd.service",
        )
    return done


def too_busy(said: str) -> bool:
    """Was a command not carried out? 0.9.4 exits with 0 then."""
    return said.strip() in _BUSY


def daemon(run: Run) -> State:
    """The daemon's state; one that does not answer is State(None, "")."""
    try:
        done = _ask(run, "show", "daemon")
    except NotRunning:
        return State(None, "")
    return parse_daemon(done.out)


# `pid 412 idle`, `pid 412 configure (pending reconfigure)`
_DAEMON = re.compile(r"pid (\d{1,10}) (\w+)( \(pending reconfigure\))?", re.ASCII)


def parse_daemon(text: str) -> State:
    found = _DAEMON.fullmatch(text.strip())
    if not found:
        raise UnreadableOutput(text.strip(), "multipathd show daemon")
    return State(int(found[1]), found[2], bool(found[3]))


_SECONDS = re.compile(r"(\d{1,10}) (chk|sec)", re.ASCII)


def queueing_seconds(raw: str, polling_interval: int | None) -> str | int | None:
    """How long I/O without any path is held: "off", "forever", or seconds; None where multipathd does not say ("-"),
    or says checks and nobody knows how long one takes.

    `12 chk` is what will be waited, in checks; `47 sec` is what is left while it is counting, every path lost.
    """
    if raw in {"off", "on"}:
        return "off" if raw == "off" else "forever"
    if raw in {"-", ""}:
        return None
    found = _SECONDS.fullmatch(raw)
    if not found:
        raise UnreadableOutput(raw, "multipathd's queueing")
    if found[2] == "chk" and polling_interval is None:
        return None
    return int(found[1]) * (polling_interval or 1 if found[2] == "chk" else 1)


def parse_maps(text: str) -> tuple[MapView, ...]:
    """`show maps json`: every map or UnreadableOutput."""
    return tuple(_map(_object(m, text)) for m in _list(_json(text), "maps"))


# libmultipath/print.c writes one member a line and escapes nothing: a LUN that calls its product `","sysfs":"dm-0`
# would be another map. The kernel lets no newline into the strings of an INQUIRY (scsi_sanitize_inquiry_string).
# No blank of it is a newline: empty lines without end would be gone over once for each of them.
_MEMBER = re.compile(r'^([^\S\n]*"\w+"[^\S\n]*:[^\S\n]*)"(.*)"(,?[^\S\n]*)$', re.MULTILINE)


def _json(text: str) -> Mapping[str, object]:
    said = _MEMBER.sub(lambda m: m[1] + json.dumps(m[2]) + m[3], text)
    try:
        return _object(json.loads(said, strict=False), text)
    except (ValueError, RecursionError) as e:
        line = getattr(e, "lineno", 1)
        raise UnreadableOutput("\n".join(text.split("\n")[line - 1 : line]), "multipathd") from e


def _map(said: Mapping[str, object]) -> MapView:
    return MapView(
        name=_text(said, "name"),
        wwid=_text(said, "uuid"),
        dm=_text(said, "sysfs"),
        dm_st=_text(said, "dm_st"),
        queueing=_text(said, "queueing"),
        groups=tuple(_group(_object(g, str(said))) for g in _list(said, "path_groups")),
        failback=_word(said, "failback"),
        features=_word(said, "features"),
        hwhandler=_word(said, "hwhandler"),
        vendor=_word(said, "vend"),
        product=_word(said, "prod"),
        revision=_word(said, "rev"),
        write_prot=_word(said, "write_prot"),
        faults=_number(said, "path_faults"),
    )


def _group(said: Mapping[str, object]) -> Group:
    number = _number(said, "group")
    if number is None:
        raise UnreadableOutput(str(said), "multipathd: a group without a number")
    paths = tuple(_path(_object(p, str(said)), number) for p in _list(said, "paths"))
    return Group(number, _text(said, "dm_st"), _word(said, "selector"), _number(said, "pri"), paths)


def _path(said: Mapping[str, object], group: int) -> PathView:
    return PathView(
        dev=_text(said, "dev"),
        dev_t=_text(said, "dev_t"),
        dm_st=_text(said, "dm_st"),
        dev_st=_text(said, "dev_st"),
        chk_st=_text(said, "chk_st"),
        group=group,
        checker=_word(said, "checker"),
        priority=_number(said, "pri"),
        target=_word(said, "target_wwnn"),
        initiator=_word(said, "host_adapter"),
        marginal=_word(said, "marginal_st") == "marginal",
    )


def _object(value: object, text: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UnreadableOutput(text.strip().split("\n", 1)[0], "multipathd")
    return value


def _list(said: Mapping[str, object], key: str) -> list[object]:
    value = said.get(key)
    if not isinstance(value, list):
        raise UnreadableOutput(str(said), f"multipathd: no list {key}")
    return value


def _text(said: Mapping[str, object], key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise UnreadableOutput(str(said), f"multipathd: no text {key}")
    return value.strip()


def _word(said: Mapping[str, object], key: str) -> str:
    """A member that not every version has; "" too where it is undefined."""
    value = said.get(key)
    return "" if not isinstance(value, str) or value == "[undef]" else value.strip()


def _number(said: Mapping[str, object], key: str) -> int | None:
    value = said.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST else None


def _command(why: str, *words: str) -> Command:
    return Command(Part.MULTIPATH, why, ("multipathd", *words))


def reconfigure(why: str) -> Command:
    """Only scheduled when it returns: wait until `daemon(run).settled`."""
    return _command(why, "reconfigure")


def is_reconfigure(step: Step) -> bool:
    return isinstance(step, Command) and step.argv == _command("", "reconfigure").argv


def fail_path(dev: str, why: str) -> Command:
    """Until `reinstate_path` it stays failed and unchecked, or until the daemon restarts or reconfigures (0.9.4)."""
    return _command(why, "fail", "path", dev)


def reinstate_path(dev: str, why: str) -> Command:
    return _command(why, "reinstate", "path", dev)


def add_path(dev: str, why: str) -> Command:
    """Exits 0 for a blacklisted device too: look at `maps` afterwards."""
    return _command(why, "add", "path", dev)


def del_path(dev: str, why: str) -> Command:
    """It is no error if there is no such path (exit 1). Without it multipathd may take a disk into a map again."""
    return Command(Part.MULTIPATH, why, ("multipathd", "del", "path", dev), ok=(OK, FAIL))


def resize_map(name: str, why: str) -> Command:
    """Let the map be as large as its paths. "timeout", at which 0.9.4 exits with 0, is no answer: look at the map."""
    return _command(why, "resize", "map", name)


def resume_map(name: str, why: str) -> Command:
    return _command(why, "resume", "map", name)


def disable_queueing(name: str, why: str) -> Command:
    return _command(why, "disablequeueing", "map", name)
