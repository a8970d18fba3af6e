"""mpio export"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mpio import metrics, observe, probe, serve, topology
from mpio.commands.call import Call
from mpio.errors import Exit, MpioError

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host, Portal
    from mpio.site import Site
    from mpio.topology import Pairs


def command(
    call: Call,
    textfile: options.Textfile = "",
) -> int:
    site = call.site_or_none()
    host = observe.host(call.machine, site, observe.Look.STATUS)
    # The records are root's: without them nobody knows what to expect.
    pairs = topology.pairs(site, host) if site and host.root else None
    luns = topology.luns(site, host, pairs)
    if site and pairs:
        host = replace(host, probes=_answers(site, host, pairs))
    text = serve.text(metrics.samples(host, luns, time.time(), site, _rtt(host)))
    if textfile:
        call.machine.files.output(textfile, text, 0o644)
    if call.console.json:
        body = {"textfile": textfile or None, "text": text, "unseen": list(host.blind)}
        call.console.document("export", Exit.OK, body)
        return Exit.OK
    if not textfile:
        call.console.out(text.rstrip("\n"))
    for what in host.blind:
        call.console.say(f"could not see {what}")
    return Exit.OK


def _answers(site: Site, host: Host, pairs: Pairs) -> probe.Answers:
    """What the portals of planned pairs say for which no session stands: one connect each, side by side."""
    nics = {one.name: one.nic for one in site.ifaces}
    alive = {(s.pair.iface, s.pair.portal) for s in host.sessions if s.logged_in}
    ways = {(p.iface, nics[p.iface], p.portal) for p in pairs.planned if not host.is_offline(p)}
    return probe.portals(sorted(way for way in ways if (way[0], way[2]) not in alive))


def _rtt(host: Host) -> dict[tuple[str, Portal], float]:
    """What the kernel measures on the sessions' connections; nothing is sent to learn more."""
    if not host.sessions:
        return {}
    from mpio import sockets

    try:
        found = sockets.of_sessions(host.sessions)
    except MpioError:
        return {}
    return {(s.pair.iface, s.pair.portal): found[s.sid].rtt for s in host.sessions if s.sid in found}
