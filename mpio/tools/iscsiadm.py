"""iscsiadm: the calls that change open-iscsi's records and sessions, and the questions it answers.

Records are better read from the database itself (`iscsidb`), sessions from sysfs. What its exit codes mean is in
`iscsierr`, how its output is read in `iscsitext`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mpio.errors import ProgramFailed, UnreadableOutput
from mpio.host import Asked, Iface, Pair, Portal
from mpio.program import Done, Run
from mpio.step import Command, Note, Part, Step
from mpio.tools import iscsitext
from mpio.tools.iscsierr import RETRYABLE, Code, reason
from mpio.tools.iscsitext import parse_login_error

__all__ = ["RETRYABLE", "Code", "parse_login_error", "reason"]

# -- what changes something ----------------------------------------------------------------------------------------


def iface_new(name: str, *, why: str, notes: tuple[Note, ...] = ()) -> Command:
    """A new iface, or an existing one set back to defaults and unbound."""
    return Command(Part.IFACES, why, _iface(name, "-o", "new"), notes=notes)


def iface_bind(name: str, nic: str, *, why: str) -> Command:
    """Exit code 0 does not say that it took: an iface that has a binding keeps it (facts 1.2). Look again."""
    return Command(Part.IFACES, why, _iface(name, "-o", "update", "-n", "iface.net_ifacename", "-v", nic))


def iface_delete(name: str, *, why: str) -> Command:
    """Takes the iface's node records with it."""
    return Command(Part.IFACES, why, _iface(name, "-o", "delete"))


def discover(
    portal: Portal,
    ifaces: Sequence[str],
    *,
    why: str,
    ok: tuple[int, ...] = (0,),
) -> Command:
    """Stores nothing. All ifaces in one call, always."""
    return Command(Part.DISCOVERY, why, _discovery(portal, ifaces), ok)


def discoverydb_new(portal: Portal, *, why: str) -> Command:
    """A discovery record with defaults; an existing one loses its CHAP values (tried on 2.1.8)."""
    return Command(Part.DISCOVERY, why, _discoverydb(portal, "-o", "new"))


def discoverydb_update(portal: Portal, settings: Mapping[str, str], *, why: str) -> Command:
    return Command(Part.DISCOVERY, why, _discoverydb(portal, "-o", "update", *_named(settings)))


def discoverydb_discover(
    portal: Portal,
    ifaces: Sequence[str],
    *,
    why: str,
    ok: tuple[int, ...] = (0,),
) -> Command:
    """Discovery with the stored record, that is with its CHAP values."""
    return Command(Part.DISCOVERY, why, _stored_discovery(portal, ifaces), ok)


def discoverydb_delete(portal: Portal, *, why: str) -> Command:
    """Deletes **every node record that was discovered through this portal** as well (tried on 2.1.8).

    Records of `record_new` stay. Only for a discovery record that mpio made and discovered with `nonpersistent`.
    """
    return Command(Part.DISCOVERY, why, _discoverydb(portal, "-o", "delete"))


def record_new(pair: Pair, tpgt: int, *, why: str, notes: tuple[Note, ...] = ()) -> Command:
    """A record with the defaults of iscsid.conf, also where there was one already (tried on 2.1.8)."""
    portal = f"{pair.portal},{tpgt}" if tpgt >= 0 else str(pair.portal)
    argv = ("iscsiadm", "-m", "node", "-o", "new", "-T", pair.target, "-p", portal, "-I", pair.iface)
    return Command(Part.DISCOVERY, why, argv, notes=notes)


def record_update(pair: Pair, settings: Mapping[str, str], *, why: str, part: Part = Part.DISCOVERY) -> Command:
    return Command(part, why, _node(pair, "-o", "update", *_named(settings)))


def record_delete(pair: Pair, *, why: str) -> Command:
    """Refused with 15 while the record's session is there."""
    return Command(Part.DISCOVERY, why, _node(pair, "-o", "delete"), (Code.SUCCESS, Code.NO_OBJS_FOUND))


LOGIN = "--login"


def login(pair: Pair, *, why: str) -> Command:
    """One record a call: the exit code of several says of none how it went (facts 1.4)."""
    return Command(Part.LOGIN, why, _node(pair, LOGIN), (Code.SUCCESS, Code.SESS_EXISTS))


def is_call(step: Step) -> bool:
    return isinstance(step, Command) and step.argv[0] == "iscsiadm"


def is_login(step: Step) -> bool:
    return isinstance(step, Command) and step.argv[0] == "iscsiadm" and step.argv[-1] == LOGIN


def is_discovery(step: Step) -> bool:
    """A discovery that stores nothing: it holds the database's lock only at its start (tried on 2.1.8)."""
    return (
        isinstance(step, Command)
        and step.argv[:2] == ("iscsiadm", "-m")
        and step.argv[2] in ("discovery", "discoverydb")
        and "nonpersistent" in step.argv
    )


def portal_of(step: Command) -> Portal:
    """The portal that a step names."""
    return Portal.parse(step.argv[step.argv.index("-p") + 1].partition(",")[0])


def pair_of(step: Command) -> Pair | None:
    """The pair that a step on a node record is about."""
    words = dict(zip(step.argv, step.argv[1:], strict=False))
    if not {"-T", "-p", "-I"} <= words.keys():
        return None
    return Pair(words["-I"], portal_of(step), words["-T"])


def remade(step: Step) -> Pair | Portal | None:
    """Whose record a step makes anew or changes; None for one that does neither."""
    if not isinstance(step, Command) or not is_call(step) or not {"new", "update"} & set(step.argv):
        return None
    return pair_of(step) or (portal_of(step) if step.argv[2] == "discoverydb" else None)


def logout(pair: Pair, *, why: str) -> Command:
    """21 may also mean that iscsid could not be reached: only sysfs says whether the session is gone (facts 1.4)."""
    return Command(Part.LOGIN, why, _node(pair, "--logout"), (Code.SUCCESS, Code.NO_OBJS_FOUND))


def rescan(sid: int, *, why: str) -> Command:
    """New LUNs and new sizes; what the target no longer shows stays."""
    return Command(Part.LOGIN, why, ("iscsiadm", "-m", "session", "-r", str(sid), "--rescan"))


def _iface(name: str, *words: str) -> tuple[str, ...]:
    return ("iscsiadm", "-m", "iface", "-I", name, *words)


def _node(pair: Pair, *words: str) -> tuple[str, ...]:
    return ("iscsiadm", "-m", "node", "-T", pair.target, "-p", str(pair.portal), "-I", pair.iface, *words)


def _discovery(portal: Portal, ifaces: Iterable[str]) -> tuple[str, ...]:
    return (
        "iscsiadm",
        "-m",
        "discovery",
        "-t",
        "sendtargets",
        "-p",
        str(portal),
        *_through(ifaces),
        "-o",
        "nonpersistent",
    )


def _discoverydb(portal: Portal, *words: str) -> tuple[str, ...]:
    return ("iscsiadm", "-m", "discoverydb", "-t", "sendtargets", "-p", str(portal), *words)


def _stored_discovery(portal: Portal, ifaces: Iterable[str]) -> tuple[str, ...]:
    return _discoverydb(portal, *_through(ifaces), "-o", "nonpersistent", "--discover")


def _through(ifaces: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for name in ifaces for word in ("-I", name))


def _named(settings: Mapping[str, str]) -> tuple[str, ...]:
    secrets = [key for key in settings if "password" in key]
    if secrets:
        raise ValueError(f"{secrets[0]} would be seen by everybody on the command line")
    return tuple(word for key, value in settings.items() for word in ("-n", key, "-v", value))


# -- what it is asked ----------------------------------------------------------------------------------------------

# A portal that takes the connection and says nothing holds iscsiadm for 30 s, whatever login_timeout and reopen_max say
# (tried on 2.1.8). A nonpersistent discovery holds the database lock only at its start, while it reads the ifaces
# (traced): it may be ended.
DISCOVERY_LIMIT = 20


def version(run: Run) -> str:
    return iscsitext.parse_version(run("iscsiadm", "-V").out)


def ifaces(run: Run) -> tuple[Iface, ...]:
    """Also `default` and `iser`, which have no file. Not timed: it may wait 30 s for the database's lock."""
    return iscsitext.parse_ifaces(run("iscsiadm", "-m", "iface", timeout=None).out)


def record(run: Run, pair: Pair) -> Mapping[str, str]:
    """A record in iscsiadm's own words, secrets masked: the window beside `iscsidb`'s. Not timed, as `ifaces`."""
    return iscsitext.parse_record(run(*_node(pair, "-o", "show"), timeout=None).out)


def discovery_record(run: Run, portal: Portal) -> Mapping[str, str]:
    return iscsitext.parse_record(run(*_discoverydb(portal, "-o", "show"), timeout=None).out)


def sessions(run: Run) -> tuple[iscsitext.Listed, ...]:
    done = run("iscsiadm", "-m", "session", ok=(Code.SUCCESS, Code.NO_OBJS_FOUND))
    return iscsitext.parse_sessions(done.out)


def session_details(run: Run) -> tuple[iscsitext.Details, ...]:
    done = run("iscsiadm", "-m", "session", "-P", "3", ok=(Code.SUCCESS, Code.NO_OBJS_FOUND))
    return iscsitext.parse_session_details(done.out)


def discovery(run: Run, portal: Portal, ifaces: Sequence[str], *, stored: bool = False) -> Asked:
    """What the portal says its targets are; nothing is stored. `stored` uses the discovery record with its CHAP values.

    A portal that does not answer is an answer: `code` and `said` tell why nothing was found.
    """
    argv = (_stored_discovery if stored else _discovery)(portal, ifaces)
    try:
        done = run(*argv, ok=tuple(Code), timeout=DISCOVERY_LIMIT)
    except ProgramFailed as error:
        return Asked(portal, tuple(ifaces), Code.FATAL_LOGIN, error.message)  # what it says itself after its 30 s
    if done.code:
        unproven = iscsitext.parse_discovery_refusal(done.err)
        code = Code.LOGIN_AUTH_FAILED if unproven else done.code
        return Asked(portal, tuple(ifaces), code, unproven or last_words(done))
    try:
        answer = iscsitext.parse_discovery(done.out)
    except UnreadableOutput as error:
        # The lines are the portal's words: whose are not to be told apart gets none of them taken, and stops no other.
        return Asked(portal, tuple(ifaces), Code.ERR, f"its answer is none: {_short(error.line)}")
    return Asked(portal, tuple(ifaces), done.code, _refused(done, answer), answer.found)


def _refused(done: Done, answer: iscsitext.Discovery) -> str:
    """What of a portal's answer was not taken, in a few words: it may be as long as the portal likes."""
    said = []
    if answer.refused:
        more = f" and {len(answer.refused) - 1} more" if len(answer.refused) > 1 else ""
        said.append(f"not a target name or portal: {_short(answer.refused[0])}{more}")
    if lost := iscsitext.parse_discovery_losses(done.err):
        said.append(f"iscsiadm passed over the rest of its answer: {_short(lost)}")
    return "; ".join(said)


SHORT = 120


def _short(text: str) -> str:
    """A stranger's words, quoted, in ASCII and not too many."""
    return ascii(text if len(text) <= SHORT else f"{text[:SHORT]}…")


def last_words(done: Done) -> str:
    """The last line of complaint without iscsiadm's name, or what the exit code means."""
    lines = [line.removeprefix("iscsiadm: ").strip() for line in done.err.split("\n") if line.strip()]
    return lines[-1][: 4 * SHORT] if lines else reason(done.code)
