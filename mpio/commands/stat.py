"""mpio stat"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from mpio import names, observe, probe, stat, statwords, topology
from mpio.commands.call import Call
from mpio.console import FORMAT, clean
from mpio.errors import Exit, MpioError, UsageError
from mpio.stat import Row, Seen, View

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.host import Portal
    from mpio.stat import Rtt


def command(
    call: Call,
    groups: options.Groups = False,
    ifaces: options.Ifaces = False,
    addresses: options.Addresses = False,
    targets: options.Targets = False,
    probes: options.Probes = False,
    numeric: options.Numeric = False,
    fields: options.Fields = "",
    parseable: options.Parseable = False,
) -> int:
    given = zip(View, (groups, ifaces, addresses, targets, probes), strict=True)
    view = _one([v for v, wanted in given if wanted])
    chosen = statwords.fields(view, fields, parseable)
    _suits(call, view, parseable)
    if view is View.PROBE:
        return _stream(call, chosen, numeric, parseable)
    seen = _look(call, asks=view is View.INTERFACE and not {"probe", "state"}.isdisjoint(chosen))
    rows = stat.rows(view, seen)
    if call.console.json:
        said = [statwords.json(row, chosen) for row in rows]
        call.console.document("stat", Exit.OK, {"view": view.value, "rows": said, "unseen": list(seen.host.blind)})
        return Exit.OK
    named = {} if numeric else names.of(statwords.addresses(rows))
    lines = statwords.lines(chosen, rows, named) if parseable else statwords.table(chosen, rows, named)
    for line in lines:
        call.console.out(clean(line))
    for what in seen.host.blind:
        call.console.say(f"could not see {what}")
    return Exit.OK


def _one(views: list[View]) -> View:
    if len(views) != 1:
        raise UsageError(f"one view at a time, not {len(views)}", "give one of -g, -i, -a, -t and -p")
    return views[0]


def _suits(call: Call, view: View, parseable: bool) -> None:
    console = call.console
    if console.json and parseable:
        raise UsageError("--parseable is for text", "leave it out, or leave out --output")
    if console.json and console.lines != (view is View.PROBE):
        kind = "a stream: --output takes jsonl" if view is View.PROBE else "no stream: --output takes json"
        raise UsageError(f"the {view} view is {kind}", "or leave out --output")


def _look(call: Call, asks: bool) -> Seen:
    """The host as `status` sees it; with `asks` also what the portals say that no session stands for."""
    site = call.site_or_none()
    host = observe.host(call.machine, site, observe.Look.STATUS)
    plan = topology.pairs(site, host) if site and host.root else None
    seen = Seen(host, topology.luns(site, host, plan), plan, site)
    if not asks:
        return seen
    wanted = stat.to_probe(seen)
    answers = probe.portals(wanted)
    deaf = sorted({nic for iface, nic, portal in wanted if (iface, portal) not in answers})
    blind = (*host.blind, *(f"what answers through {nic}: binding to it takes root" for nic in deaf))
    return replace(seen, host=replace(host, probes=answers, blind=blind))


def _stream(call: Call, chosen: tuple[str, ...], numeric: bool, parseable: bool) -> int:
    """Until somebody ends it: that is how a stream is meant to end, so nothing is said of it."""
    try:
        for line in _probes(call, chosen, numeric, parseable):
            call.console.now(line)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.OK


def _probes(call: Call, chosen: tuple[str, ...], numeric: bool, parseable: bool) -> Iterator[str]:
    """A line for each probe."""
    seen = _look(call, asks=False)
    wanted = stat.every_probe(seen)
    if not wanted:
        way = "mpio apply makes records and sessions; mpio status shows what there is"
        raise MpioError("there is no portal to probe: no record, no session, nothing planned", way)
    objects = call.console.json
    named = {} if numeric or objects else names.of({portal.address for _, _, portal in wanted})
    if not objects and not parseable:
        yield statwords.line(chosen, None, named)
    means: dict[tuple[str, Portal], Rtt | None] = {}
    for one in probe.stream(wanted):
        mean = stat.smoothed(means.get((one.iface, one.portal)), one.rtt)
        means[(one.iface, one.portal)] = mean
        row = stat.probed(one, mean)
        if objects:
            yield json.dumps(_object(row, one.nic, chosen))
        else:
            words = statwords.parseable if parseable else statwords.line
            yield clean(words(chosen, row, named))


def _object(row: Row, nic: str, chosen: Iterable[str]) -> dict[str, object]:
    """A probe as JSON: `time` is the day's, `elapsed` the stream's."""
    now = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
    own = statwords.json(row, (f for f in chosen if f != "time"))
    return {"format": FORMAT, "time": now, "elapsed": row["time"], "nic": nic or None, **own}
