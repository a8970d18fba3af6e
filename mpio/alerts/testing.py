"""`watch --test-alert`: one message through each alert of the site, and whether it was delivered."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpio.alerts import delivery
from mpio.alerts.delivery import Try
from mpio.alerts.messages import Message
from mpio.errors import Exit, MpioError, UsageError
from mpio.machine import Machine
from mpio.site import Alert
from mpio.watch.event import Event, Name, Severity

if TYPE_CHECKING:
    from mpio.commands.call import Call

_LOOK = 0.02  # seconds
_LEFT_BEHIND = 2.0  # seconds after which a delivery that cannot be ended is waited for no longer


@dataclass(slots=True)
class Trial:
    """`reason` is empty where the message was delivered, None while nobody knows."""

    name: str
    begun: float
    under_way: Try | None
    reason: str | None = None
    seconds: float = 0.0

    def look(self, now: float) -> None:
        if self.under_way is None or self.reason is not None:
            return
        if self.under_way.ended() or now - self.begun >= self.under_way.limit + _LEFT_BEHIND:
            self.reason = self.under_way.reason
        elif now - self.begun >= self.under_way.limit:
            self.under_way.end()
        self.seconds = now - self.begun


def send(call: Call, owner: int = 0) -> int:
    """All at once, each within its own time limit. 1 where one was not delivered."""
    alerts = call.site().watch.alerts
    if not alerts:
        way = "add a [[watch.alert]] table with on and one of url, url_file and exec; see mpio-site(5)"
        raise UsageError(f"{call.site_path} names nobody to alert", way)
    trials = [_begun(number, alert, call.machine, owner) for number, alert in enumerate(alerts, 1)]
    try:
        while any(one.reason is None for one in trials):
            time.sleep(_LOOK)
            for one in trials:
                one.look(time.monotonic())
    finally:
        for one in trials:
            if one.under_way and one.reason is None:
                one.under_way.end()
    code = Exit.COULD_NOT if any(one.reason for one in trials) else Exit.OK
    if call.console.json:
        said = [
            {"alert": n, "name": one.name, "delivered": not one.reason, "detail": one.reason or None}
            | {"seconds": round(one.seconds, 1)}
            for n, one in enumerate(trials, 1)
        ]
        call.console.document("watch", code, {"alerts": said})
        return code
    for one in trials:
        done = f"not delivered: {one.reason}" if one.reason else f"delivered in {one.seconds:.1f} s"
        call.console.out(f"{one.name}: {done}")
    return code


def _begun(number: int, alert: Alert, machine: Machine, owner: int) -> Trial:
    name, now = delivery.name(number, alert), time.monotonic()
    try:
        under_way = Try(alert, delivery.parcel(message(alert), now), machine, notes=(), owner=owner)
    except MpioError as error:
        return Trial(name, now, None, error.message)
    return Trial(name, now, under_way)


def message(alert: Alert) -> Message:
    """What it would be told of is said, so that who reads it knows what to expect."""
    text = f"This is a test of mpio watch: nothing has happened. Told here: {', '.join(alert.on)}."
    lead = Event(Name.STARTED, Severity.INFO, "mpio watch", "a test message; nothing has happened")
    return Message(Severity.INFO, "test message, nothing has happened", text, lead)
