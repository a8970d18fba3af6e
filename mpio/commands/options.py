"""Every option and argument, in one place; verbs name them in annotations that only the full command tree evaluates."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from mpio.commands import call
from mpio.errors import Interrupted
from mpio.releases import RECORDED, SUPPORTED
from mpio.run import Runner
from mpio.step import Part

Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Force = Annotated[
    list[str] | None,
    typer.Option("--force", metavar="CODE", help="Let the refusal with this code pass, no other; may be given again."),
]
X = Annotated[
    list[str] | None,
    typer.Argument(metavar="[X]...", help="A NIC, iface, portal, target or sid:N; none: the whole site."),
]
Renew = Annotated[
    bool,
    typer.Option(
        "--renew",
        help="Also log live sessions out and in again, one at a time: those that X names; without X those that only a "
        "new login brings to the site (no-op timers, NIC, initiator name).",
    ),
]
Names = Annotated[list[str], typer.Argument(metavar="X...", help="A NIC, iface, portal, target or sid:N.")]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="Bring it back by itself after so long: 30s, 15m, 2h, 1d, 1h30m."),
]
Logout = Annotated[bool, typer.Option("--logout", help="Also log its sessions out, once no I/O goes over them.")]
OnlineX = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[X]...", help="What was taken offline, or a part of it: a NIC, iface, portal, target or sid:N."
    ),
]
Due = Annotated[bool, typer.Option("--due", help="What was offline for a time that is over; for the timer.")]
IfaceName = Annotated[str, typer.Argument(metavar="NAME", help="The iface's name.")]
NicName = Annotated[str, typer.Argument(metavar="NIC", help="The network interface that it is bound to.")]
Lun = Annotated[str, typer.Argument(metavar="ALIAS|WWID", help="The LUN, by its alias or its WWID.")]
AnyLun = Annotated[
    str, typer.Argument(metavar="[ALIAS|WWID]", help="The LUN, by its alias or its WWID; none: all of them.")
]
Wwid = Annotated[str, typer.Argument(metavar="WWID", help="The LUN's WWID, or its GUID as the array prints it.")]
Alias = Annotated[str, typer.Option("--alias", metavar="A", help="The name of its map.")]
InitNics = Annotated[
    list[str] | None,
    typer.Option(
        "--nic", metavar="NIC", help="A NIC that leads to the SAN; may be given again. None: those that look fit."
    ),
]
InitPortals = Annotated[
    list[str] | None,
    typer.Option("--portal", metavar="PORTAL", help="A portal to ask, a numeric address; may be given again."),
]
InitFile = Annotated[
    str,
    typer.Option("--file", metavar="FILE", help="Where to write the site file; - is stdout. None: as --site says."),
]
Trial = Annotated[bool, typer.Option("--login", help="Log in to look at the LUNs and name them, then log out again.")]
Adopt = Annotated[
    bool, typer.Option("--adopt", help="Describe the host as it is: its ifaces, records, sessions and maps.")
]
Portals = Annotated[
    list[str] | None, typer.Argument(metavar="[PORTAL]...", help="Numeric addresses, port optional; none: the site's.")
]
Script = Annotated[bool, typer.Option("--script", help="Print the plan as a shell runbook that needs no mpio.")]
Only = Annotated[
    str | None,
    typer.Option("--only", metavar="PARTS", help=f"Only these parts, with commas between them: {', '.join(Part)}."),
]
How = Annotated[
    str,
    typer.Option(
        "--how",
        metavar="offline|link|block",
        help="How things go: paths failed in the device mapper, a NIC set down, packets dropped by nftables.",
    ),
]
Plot = Annotated[
    str, typer.Option("--plot", metavar="FILE", help="Draw latency over time as SVG there; needs matplotlib.")
]
Nagios = Annotated[
    bool, typer.Option("--nagios", help="One line with performance data; exits 0 to 3 as Nagios plug-ins do.")
]
Wait = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", min=0, help="Look again until the host is healthy, at most so long."),
]
Textfile = Annotated[
    str,
    typer.Option("--textfile", metavar="FILE", help="Write it there, whole or not at all, as node_exporter wants it."),
]
Groups = Annotated[bool, typer.Option("-g", "--groups", help="The LUNs' maps, and the ifaces of each.")]
Ifaces = Annotated[bool, typer.Option("-i", "--ifaces", help="The ifaces: link, probes, state.")]
Addresses = Annotated[bool, typer.Option("-a", "--addresses", help="The portals, and the ifaces that reach each.")]
Targets = Annotated[bool, typer.Option("-t", "--targets", help="What is probed through each iface, and how.")]
Probes = Annotated[
    bool, typer.Option("-p", "--probes", help="Probe one portal after another, a line each, until interrupted.")
]
Numeric = Annotated[bool, typer.Option("-n", "--numeric", help="Addresses, not the names that the resolver has.")]
Fields = Annotated[
    str, typer.Option("--fields", metavar="FIELDS", help="These fields of the view, with commas between them, or all.")
]
Parseable = Annotated[
    bool,
    typer.Option("-P", "--parseable", help="For scripts: no heads, a colon between fields; takes --fields."),
]
Listen = Annotated[
    str,
    typer.Option("--listen", metavar="A:P", help="Also answer /metrics there, for Prometheus: an address and a port."),
]
TestAlert = Annotated[
    bool,
    typer.Option("--test-alert", help="Send a test message through each alert of the site, say how it went, and end."),
]
EventOnce = Annotated[
    bool, typer.Option("--event", help="Look once, alert of what has changed since the last time, and end; for udev.")
]
Install = Annotated[
    bool, typer.Option("--install", help="Install the service and the udev rules on this host, and start it.")
]
NoDaemon = Annotated[
    bool,
    typer.Option("--no-daemon", help="With --install: no service; udev starts a short look at each path that fails."),
]
Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="From then on: 2026-11-21, 2026-11-21T08:15, today, yesterday, or how long ago, as 2h or 30 min.",
    ),
]
ReportFile = Annotated[str, typer.Argument(metavar="FILE", help="The HTML page to write; - for stdout.")]
BundleFile = Annotated[str, typer.Argument(metavar="FILE", help="The archive to write, as FILE.tar.gz.")]
Code = Annotated[str, typer.Argument(metavar="CODE", help="A finding's code, such as MP203.")]
Fix = Annotated[
    str,
    typer.Option("--fix", metavar="CODE", help="Carry out what mends this code's findings, then look again."),
]
ConfigFile = Annotated[
    str,
    typer.Option(
        "--config", metavar="FILE", help="Judge this multipath.conf or iscsid.conf instead, wherever it comes from."
    ),
]
Migrate = Annotated[
    bool, typer.Option("--migrate", help="With --config: print the least drop-in that says the same today.")
]
Words = Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The command and its words, after --.")]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="Where to; it is made.")]
SiteFile = Annotated[str, typer.Argument(metavar="FILE", help="The site file.")]
Page = Annotated[str, typer.Option("--report", metavar="FILE", help="Keep the guest's report as this HTML page.")]
Suite = Annotated[
    str, typer.Option("--suite", metavar="|".join(r.name for r in SUPPORTED), help="The release of the guest.")
]
AnySuite = Annotated[
    str, typer.Option("--suite", metavar="|".join(r.name for r in RECORDED), help="The release of the guest.")
]

SITE = typer.Option("--site", metavar="FILE", help="The site file (default $MPIO_SITE, else /etc/mpio/site.toml).")
OUTPUT = typer.Option(
    "-o",
    "--output",
    metavar="text|json|jsonl",
    help="Text to read, one JSON document, or (for streams) a JSON object a line.",
)
VERBOSE = typer.Option("-v", "--verbose", help="Show each program that runs, as a line that can be pasted.")
COLOR = typer.Option(
    "--color", metavar="auto|always|never", help="Colours; auto: on a terminal unless NO_COLOR is set."
)
RECORD = typer.Option("--record", metavar="DIR", help="Keep each program's run as a file in DIR, secrets removed.")
COMMON = {
    "site": (Annotated[str, SITE], ""),
    "output": (Annotated[str, OUTPUT], "text"),
    "verbose": (Annotated[bool, VERBOSE], False),
    "color": (Annotated[str, COLOR], "auto"),
    "record": (Annotated[str, RECORD], ""),
}


def verb(name: str, function: Callable[..., int]) -> Callable[..., int]:
    """A verb as typer wants it: with its own options and those that all verbs take, instead of a `Call`."""
    names = {**function.__globals__, "options": sys.modules[__name__]}
    signature = inspect.signature(function, eval_str=True, globals=names)
    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values() if p.name != "call"]
    common = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for option, (kind, default) in COMMON.items()
    ]

    @functools.wraps(function)
    def command(**given: object) -> int:
        shared = {option: given.pop(option) for option in COMMON}
        try:
            made = call.made(name, **shared)  # type: ignore[arg-type]
            if isinstance(made.machine.run, Runner):
                made.machine.run.ready()
            return function(made, **given)
        except KeyboardInterrupt as error:  # typer would end without a word
            raise Interrupted from error

    command.__signature__ = signature.replace(parameters=[*own, *common])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*own, *common]} | {"return": int}
    return command
