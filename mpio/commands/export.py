"""mpio export"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mpio import metrics, observe, serve, topology
from mpio.commands.call import Call
from mpio.errors import Exit, MpioError

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Host, Portal


def command(
    call: Call,
    textfile: options.Textfile = "",
) -> int:
    site = call.site_or_none()
    host = observe.host(call.machine, site, observe.Look.STATUS)
    # The records are root's: without them nobody knows what to expect.
    pairs = topology.pairs(site, host) if site and host.root else None
    luns = topology.luns(site, host, pairs)
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
