"""mpio multipath render"""

from __future__ import annotations

from mpio import observe
from mpio.commands.call import Call
from mpio.errors import Exit
from mpio.plan import maps
from mpio.plan.shape import MULTIPATH_DROP_IN


def render(call: Call) -> int:
    """The drop-in /etc/multipath/conf.d/90-mpio.conf as this host is to have it, to stdout."""
    site = call.site()
    host = observe.host(call.machine, site, observe.Look.RENDER)
    for what in host.blind:
        call.console.say(f"could not see {what}")
    text = maps.drop_in(maps.wish(site, host)[0])
    if call.console.json:
        call.console.document("multipath render", Exit.OK, {"path": MULTIPATH_DROP_IN, "text": text})
    else:
        call.console.out(text.rstrip("\n"))
    return Exit.OK


COMMANDS = (render,)
