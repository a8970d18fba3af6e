"""mpio watch"""

from __future__ import annotations

import contextlib
import datetime
import json
import signal
from typing import TYPE_CHECKING

from mpio import lock, notify
from mpio.commands.call import Call
from mpio.console import clean
from mpio.errors import Busy, Exit, MpioError, UsageError
from mpio.watch import event, lines
from mpio.watch.event import Event, Name

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.site import Site
    from mpio.watch.lines import Lines
    from mpio.watch.seen import Seen

_EXITS: dict[int, Exit] = {signal.SIGTERM: Exit.OK, signal.SIGPIPE: Exit.COULD_NOT}
COLORS = {"degraded": "yellow", "failed": "red", "recovered": "green"}


def command(
    call: Call,
    listen: options.Listen = "",
    test_alert: options.TestAlert = False,
    once: options.EventOnce = False,
    install: options.Install = False,
    no_daemon: options.NoDaemon = False,
    yes: options.Yes = False,
) -> int:
    asked = [word for word, given in (("--test-alert", test_alert), ("--event", once), ("--install", install)) if given]
    if len(asked) > 1 or (asked and listen):
        raise UsageError(f"{' and '.join([*asked, *(['--listen'] if listen else [])])} do not go together", "give one")
    if no_daemon and not install:
        raise UsageError("`--no-daemon` says how to install", "mpio watch --install --no-daemon")
    if call.console.json and call.console.lines == bool(asked):
        kind = "no stream: --output takes json" if asked else "a stream: --output takes jsonl"
        raise UsageError(f"`mpio {' '.join(['watch', *asked])}` is {kind}", "or leave out --output")
    call.need_root("follows the host by what only root may read")
    if test_alert:
        from mpio.alerts import testing

        return testing.send(call)
    if once:
        return _once(call)
    if install:
        from mpio.commands import installing

        return installing.install(call, yes, not no_daemon)
    return _follow(call, listen)


def _once(call: Call) -> int:
    from mpio.watch import brief

    said: list[dict[str, object]] = []

    def tell(events: tuple[Event, ...]) -> None:
        for one in events:
            said.append(event.document(one))
            if not call.console.json:
                call.console.now(_line(call, one))

    code = brief.once(call.machine, call.site_if_any(), tell, call.console.say)
    if call.console.json:
        call.console.document("watch", code, {"events": said})
    return code


def _follow(call: Call, listen: str) -> int:
    from mpio.watch.hands import Hands
    from mpio.watch.listener import Listener
    from mpio.watch.loop import Loop
    from mpio.watch.stamps import Stamps

    stamps = Stamps(call.site_path)
    site = _site(call)
    listener = Listener.at(listen) if listen else None
    out = lines.Lines(call.console.now)
    with contextlib.ExitStack() as held:
        hands, role = None, ""
        try:
            held.enter_context(lock.hold("watch", lock.WATCH))
        except Busy as busy:
            role = f"only prints, for {busy.message.removeprefix('another ')}"
        else:
            hands = Hands.of(call.machine, site, call.console.say)
            role = f"acts, fast_fail {site.watch.fast_fail}" if site else "acts; no site file says what is wanted"
        loop = Loop(
            call.machine,
            site,
            call.site,
            lambda events, seen: _say(call, out, events, seen),
            call.console.say,
            hands,
            listener,
            role,
            out,
            stamps,
        )
        loop.begin()
        ended = loop.run()
        out.close(0.5)
    return _EXITS.get(ended, Exit.INTERRUPTED)


def _site(call: Call) -> Site | None:
    """A service whose site file is missing or wrong watches without it until it is mended: nobody typed it just now."""
    try:
        return call.site_if_any()
    except MpioError as error:
        if not notify.by_systemd():
            raise
        call.console.say(f"watching without the site file: {error.message}")
        return None


def _say(call: Call, out: Lines, events: tuple[Event, ...], seen: Seen) -> None:
    for one in events:
        out.put(_object(one, seen) if call.console.json else _line(call, one))


def _object(one: Event, seen: Seen) -> str:
    said = event.document(one)
    if one.name is Name.STARTED:
        from mpio import view

        said["state"] = view.status(seen.host, seen.luns, seen.site)
    return json.dumps(said)


def _line(call: Call, one: Event) -> str:
    severity = call.console.colored(f"{one.severity:<9}", COLORS.get(one.severity, "dim"))
    moment = datetime.datetime.fromisoformat(one.time)
    time = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
    return f"{time} {severity} {one.name:<18} {clean(one.detail or one.subject)}"
