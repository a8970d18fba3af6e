"""One try to deliver a message: a child process with a time limit. Nobody waits for it."""

from __future__ import annotations

import datetime
import json
import os
import shlex
import signal
from dataclasses import dataclass

from mpio import itself, redact, run, sitewords, trust
from mpio.alerts import messages
from mpio.alerts.messages import Message
from mpio.errors import MpioError
from mpio.machine import Machine
from mpio.program import Done
from mpio.recording import MASK
from mpio.site import Alert
from mpio.watch import event
from mpio.watch.event import Severity

# What Apprise calls them: services choose colours, icons and priorities by it.
_TYPES = {
    Severity.INFO: "info",
    Severity.DEGRADED: "warning",
    Severity.FAILED: "failure",
    Severity.RECOVERED: "success",
}


START = 60  # seconds until Apprise is loaded, at most
# The only way out of many data centres: what speaks to a URL is told of it, programs that `exec` names are not.
PROXIES = tuple(f(name) for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for f in (str, str.upper))
GRACE = 5  # seconds after which a program is ended though nobody is there any more to do it


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message with the moment and the host that it is about. `born` is a monotonic second."""

    message: Message
    born: float
    moment: datetime.datetime
    host: str

    def title(self) -> str:
        return _plain(f"[{self.message.severity}] {self.host}: {self.message.title}")

    def body(self, notes: tuple[str, ...] = ()) -> str:
        lines = [*self.message.text.splitlines(), *notes, f"{self.host}, {self.moment:%Y-%m-%d %H:%M:%S %z}"]
        return "\n".join(_plain(line) for line in lines)

    def document(self, notes: tuple[str, ...] = ()) -> dict[str, object]:
        (lead,) = event.stamped([self.message.lead], self.moment)
        said = event.document(lead) | messages.body(self.message)
        return said | {"message": self.body(notes), "title": self.title(), "host": self.host}


def parcel(message: Message, now: float) -> Parcel:
    """This host, at this moment."""
    return Parcel(message, now, datetime.datetime.now().astimezone(), os.uname().nodename)


def name(number: int, alert: Alert) -> str:
    """The alert as it may be shown: which one of the site file, and what kind."""
    kind = alert.exec[0] if alert.exec else alert.url_file or redact.shown(alert.url or "")
    return f"alert {number} ({kind})"


class Try:
    """A delivery under way. `reason` is empty where it went well. Raises MpioError where it cannot begin."""

    def __init__(self, alert: Alert, parcel: Parcel, machine: Machine, *, notes: tuple[str, ...], owner: int) -> None:
        self.reason = ""
        # What delivers to a URL has the kernel end it, counted from when Apprise is loaded: this is for what is held.
        self.limit = alert.timeout + (0 if alert.exec else START)
        self._late = "" if alert.exec else f"did not end within {alert.timeout} s"
        self._machine = machine
        held: float | None = None
        if alert.exec:
            self._argv: tuple[str, ...] = alert.exec
            held, environment = self.limit + GRACE, {}
            self._erase = redact.eraser({s for word in alert.exec[1:] for s in redact.of_word(word)})
            said: dict[str, object] = parcel.document(notes)
        else:
            url = _url(alert, owner)
            self._argv = (*itself.program()[:-1], "mpio.alerts.deliver")
            environment = {name: value for name in PROXIES if (value := os.environ.get(name))}
            self._erase = redact.eraser(redact.of_url(url), redact.words_of_url(url))
            kind = _TYPES[parcel.message.severity]
            said = {
                "url": url,
                "title": parcel.title(),
                "body": parcel.body(notes),
                "type": kind,
                "timeout": alert.timeout,
                "start": START,
            }
        if isinstance(machine.run, run.Runner) and machine.run.say:
            machine.run.say(shlex.join(self._shown(alert)))
        self._program = self._shown(alert)
        self._child = run.begin(self._argv, f"{json.dumps(said)}\n".encode(), held, environment)  # a line, for `read`

    def _shown(self, alert: Alert) -> tuple[str, ...]:
        return (alert.exec[0], *(MASK for _ in alert.exec[1:])) if alert.exec else self._argv

    def ended(self) -> bool:
        """Is it over, one way or the other? Never waits."""
        if not self._child.poll():
            return False
        code = self._child.code or 0
        said = self._erase(self._child.err.decode("utf-8", "backslashreplace"))
        if isinstance(self._machine.run, run.Runner) and self._machine.run.record:
            self._machine.run.keep(Done(self._program, code, "", said))
        if code and not self.reason:
            lines = [line for line in said.splitlines() if line.strip()]
            how = f"was ended by signal {code - 128}" if code > 128 else f"ended with {code}"
            self.reason = _plain(lines[-1].strip()[:200]) if lines else f"{self._argv[0]} {how}"
            if code == 128 + signal.SIGALRM and self._late:
                self.reason = self._late
        return True

    def end(self) -> None:
        """Its time is over."""
        self.reason = self.reason or f"did not end within {self.limit} s"
        self._child.kill()


def _url(alert: Alert, owner: int) -> str:
    """The file is read at each delivery, so that it may change and is in no memory for long."""
    if alert.url:
        return alert.url
    path = alert.url_file or ""
    try:
        return sitewords.url(trust.line(path, owner).strip())
    except ValueError as e:
        raise MpioError(f"{path} {e}", "write an Apprise URL into it, on one line") from None


def _plain(text: str) -> str:
    """On one line, without control characters: a mail's subject, a pager's screen; names may come from an array."""
    return "".join(c if c.isprintable() else " " for c in text)
