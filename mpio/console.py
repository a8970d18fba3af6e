"""The only place that prints: results to stdout, everything else to stderr, as text or as JSON."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from mpio.errors import Interrupted, MpioError, OutputLost

if TYPE_CHECKING:
    from mpio.findings import Finding
    from mpio.host import Host, Session
    from mpio.site import Site
    from mpio.step import Step
    from mpio.topology import Lun

FORMAT = 1
COLORS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
OF_SEVERITY = {"info": "dim", "warning": "yellow", "error": "red", "critical": "red"}
OF_STATE = {"healthy": "green", "degraded": "yellow", "failed": "red", "unknown": "dim"}


def clean(text: str) -> str:
    """Nothing that came from outside reaches a terminal as a control sequence."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def one_line(text: str) -> str:
    """`clean`, and nothing in it can begin a line or a column of its own."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@dataclass(frozen=True, slots=True)
class Console:
    """How this run talks. `color` is always, never or auto; `lines`: each JSON object on a line of its own."""

    json: bool = False
    color: str = "auto"
    verbose: bool = False
    lines: bool = False

    def colored(self, text: str, color: str, stream: TextIO | None = None) -> str:
        wanted = self.color == "always" or (
            self.color == "auto" and not os.environ.get("NO_COLOR") and (stream or sys.stdout).isatty()
        )
        return f"\x1b[{COLORS[color]}m{text}\x1b[0m" if wanted and text else text

    def out(self, text: str = "") -> None:
        with _writing():
            print(text, file=sys.stdout)

    def flush(self) -> None:
        """What was printed must be out before the exit code says that all went well."""
        with _writing():
            sys.stdout.flush()

    def say(self, text: str) -> None:
        """A line on the way. That a log has no room for it stops no work; that a terminal has gone does."""
        try:
            print(clean(text), file=sys.stderr, flush=True)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise

    def document(self, command: str, code: int, body: Mapping[str, object]) -> None:
        import json

        indent = None if self.lines else 2
        self.out(json.dumps({"format": FORMAT, "command": command, "exit": code, **body}, indent=indent))

    def now(self, line: str) -> None:
        """One line of a stream, out at once. BrokenPipeError where its reader has gone, for then a stream ends."""
        with _writing(stream=True):
            print(line, file=sys.stdout, flush=True)

    def error(self, command: str, error: MpioError) -> None:
        if self.json:
            said = {"code": error.code, "message": clean(error.message), "hint": clean(error.hint)}
            self.document(command, int(error.exit), {"error": said})
            return
        mark = self.colored("mpio:", "red", sys.stderr)  # not for `say`, which takes colours out
        print(mark, clean(error.message), file=sys.stderr, flush=True)
        if error.hint:
            self.say(f"  {error.hint}")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        from tabulate import tabulate  # 45 ms, paid where there is a table

        self.out(tabulate(rows, headers=headers, tablefmt="plain", disable_numparse=True))

    def confirm(self, question: str) -> None:
        """Ask on the terminal; MpioError where the answer is no."""
        from rich.prompt import Confirm

        if not _asked(Confirm, question, default=False):
            raise MpioError("not confirmed: nothing was done")

    def ask(self, question: str, default: str = "") -> str:
        """A line of answer from the terminal; `default` is what an empty one means."""
        from rich.prompt import Prompt

        return str(_asked(Prompt, question, default=default, show_default=bool(default)))

    def ran(self, line: str) -> None:
        self.say(f"+ {line}")

    def step(self, step: Step) -> None:
        """One step as a line: the part, the reason, the deed."""
        from mpio import view
        from mpio.step import Command

        self.out(f"{self.colored(f'{step.part:<10}', 'bold')} {one_line(step.why)}")
        if isinstance(step, Command):
            self.out(f"             {clean(command_line(step.argv))}")
            return
        for line in view.diff(step).splitlines():
            color = {"+": "green", "-": "red"}.get(line[:1], "dim")
            self.out(f"             {self.colored(clean(line), color)}")

    def findings(self, findings: Iterable[Finding]) -> None:
        for one in findings:
            self.finding(one)

    def finding(self, one: Finding, also: Iterable[str] = ()) -> None:
        """`also` are lines between what was seen and what to do about it."""
        word = self.colored(f"{one.code} {one.severity}", OF_SEVERITY[one.severity.value])
        self.out(f"{word}  {one_line(one.summary)}")
        remedy = f"-> {one.remedy}" if one.severity != "info" else ""
        for line in filter(None, (one.detail, *also, remedy)):
            self.out(f"    {one_line(line)}")

    def host(self, host: Host) -> None:
        """Ifaces and sessions as tables."""
        if not host.ifaces and not host.sessions:
            return
        from mpio import view

        rows = [
            (i["name"], i["nic"], " ".join(_texts(i["addresses"])), i["mtu"], _link(i["carrier"]), i["rp_filter"])
            for i in view.ifaces(host)
        ]
        if rows:
            heads: Sequence[str] = ("IFACE", "NIC", "ADDRESS", "MTU", "LINK", "RP_FILTER")
            self.table(heads, [[cell(c) for c in row] for row in rows])
        if host.sessions:
            self.out()
            heads = ("SID", "IFACE", "NIC", "PORTAL", "TARGET", "STATE", "RECOVERY")
            self.table(heads, [[cell(c) for c in _session(host, s)] for s in host.sessions])

    def offline(self, host: Host) -> None:
        """What is offline by hand, a line each: its sessions may be logged out."""
        if not host.offline:
            return
        from mpio.plan import resting

        for one in host.offline:
            self.out(clean(f"offline by hand: {one.name} {resting.said(one)}"))

    def ifaces(self, said: Mapping[str, object]) -> None:
        """The document of `iface list` as a table; ifaces that the site misses stand below the others."""
        rows = [
            [
                *(i["name"], i["nic"], i["hwaddress"], " ".join(_texts(i["addresses"])), i["mtu"]),
                *(_link(i["carrier"]), i["rp_filter"], i["sessions"], _of_site(said["site"], i)),
            ]
            for i in dicts(said["ifaces"])
        ]
        rows += [[i["name"], i["nic"], *[""] * 6, "missing"] for i in dicts(said["missing"])]
        heads = ("IFACE", "NIC", "HWADDRESS", "ADDRESS", "MTU", "LINK", "RP_FILTER", "SESSIONS", "SITE")
        if rows:
            self.table(heads, [[cell(c) for c in row] for row in rows])

    def asked(self, portals: Iterable[Mapping[str, object]]) -> None:
        """A line for each target that a portal named, or for what it said instead."""
        rows: list[list[object]] = []
        for one in portals:
            named = dicts(one["found"])
            through = " ".join(_texts(one["ifaces"]))
            for found in named:
                takes = f"takes it ({found['why']})" if found["wanted"] and found["why"] else "takes it"
                site = takes if found["wanted"] else f"leaves it out: {found['why']}"
                rows.append([one["portal"], through, found["target"], found["portal"], found["tpgt"], site])
            if not named:
                met = one["said"] or ("names no target" if one["code"] is not None else "no answer")
                rows.append([one["portal"], through, met, "", "", ""])
        if rows:
            heads = ("ASKED", "THROUGH", "TARGET", "PORTAL", "TPGT", "SITE")
            self.table(heads, [[cell(c) for c in row] for row in rows])

    def luns(self, host: Host, luns: Iterable[Lun]) -> None:
        rows = []
        over = {s.sid: s for s in host.sessions}
        for lun in luns:
            expected = "?" if lun.expected is None else lun.expected
            ways = {over[p.sid].pair for p in lun.usable if p.sid in over}
            rows.append(
                (
                    cell(lun.alias),
                    cell(lun.wwid),
                    cell(lun.dm),
                    size(lun.size),
                    f"{len(lun.usable)} of {expected}",
                    f"{len({w.iface for w in ways})} ifaces, {len({w.portal for w in ways})} portals",
                    self.colored(lun.state.value, OF_STATE[lun.state.value]),
                )
            )
        if rows:
            self.table(("LUN", "WWID", "DM", "SIZE", "PATHS", "OVER", "STATE"), rows)

    def budgets(self, host: Host, luns: Iterable[Lun], site: Site | None) -> None:
        """How long a reader of each LUN waits, by what fails, and how long I/O is held when the last path goes."""
        from mpio import budget

        rows = []
        for lun in luns:
            own = budget.of_lun(host, lun, site)
            queue = f"{own.queue} s" if isinstance(own.queue, int) else own.queue
            seen = [own.stalls[k] for k in budget.SHOWN]
            stalls = (_stall(s.seconds, s.limit) for s in seen)
            rows.append([cell(lun.alias or lun.wwid), *stalls, cell(queue), _recovery(own.recovery, own.recorded)])
        if rows:
            self.out()
            self.table(("STALL BY", *(k.upper() for k in budget.SHOWN), "THEN QUEUE", "RECOVERY"), rows)

    def worst(self, host: Host, luns: Iterable[Lun], site: Site | None) -> None:
        """A line for all LUNs that wait alike."""
        from mpio import budget

        alike: dict[str, list[str]] = {}
        for lun in luns:
            alike.setdefault(str(budget.of_lun(host, lun, site)), []).append(lun.alias or lun.wwid)
        for said, names in alike.items():
            whose = f"all {len(names)} LUNs" if len(alike) == 1 and len(names) > 1 else ", ".join(names)
            self.out(clean(f"{whose}: {said}"))


def _asked(kind: Any, question: str, **options: object) -> object:
    """The answer from the terminal; one that is closed instead (Ctrl-D) says what Ctrl-C says."""
    from rich.console import Console as Terminal
    from rich.text import Text

    try:
        # not as rich's markup: names that an array gave may stand in it
        return kind.ask(Text(clean(question), style="prompt"), console=Terminal(stderr=True), **options)
    except EOFError:
        raise Interrupted from None


@contextlib.contextmanager
def _writing(stream: bool = False) -> Iterator[None]:
    """Where the reader has gone (`mpio … | head`) the rest is for nobody, and the exit code still says how it went."""
    try:
        yield
    except OSError as error:
        if stream and isinstance(error, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would try once more at its end
        if not isinstance(error, BrokenPipeError):
            raise OutputLost(f"cannot write the output: {error.strerror}", "make room where it goes") from error


def command_line(argv: Sequence[str]) -> str:
    import shlex

    return shlex.join(argv)


def size(count: int | None) -> str:
    if count is None:
        return "-"
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << power:
            return f"{count / (1 << power):.4g} {unit}"
    return f"{count} B"


def cell(value: object) -> str:
    return one_line(str(value)) if value not in (None, "") else "-"


def _session(host: Host, one: Session) -> Iterable[object]:
    from mpio.hearsay import whereabouts

    state = f"{one.state} (offline)" if host.is_offline(one.pair) else one.state
    recovery = "off" if one.recovery_tmo is None else f"{one.recovery_tmo} s"
    return (one.sid, one.pair.iface, one.nic, whereabouts(one), one.pair.target, state, recovery)


def _texts(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def dicts(value: object) -> list[dict[str, object]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _of_site(site: object, iface: Mapping[str, object]) -> str:
    if site is None:
        return ""
    if iface["site_nic"] is None:
        return "no"
    return "yes" if iface["site_nic"] == iface["nic"] else f"wants {iface['site_nic']}"


def _link(value: object) -> str:
    return {True: "up", False: "down"}.get(value, "off") if isinstance(value, bool) else "off"


def _stall(seconds: float | None, limit: float | None) -> str:
    return "?" if seconds is None or limit is None else f"{seconds:g} s (at most {limit:g})"


def _recovery(live: int | None, recorded: int | None) -> str:
    """The live one counts; what the record says is told where it is another."""
    said = "?" if live is None else f"{live} s"
    return said if recorded in (None, live) else f"{said}, not the record's {recorded}"
