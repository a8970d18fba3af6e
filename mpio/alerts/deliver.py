"""One message to one Apprise URL, in a process of its own: `python -m mpio.alerts.deliver`, told by JSON on stdin.

    {"url": "mailto://…", "title": "…", "body": "…", "type": "failure", "timeout": 10, "start": 60}

The only importer of apprise, whose services may hang, print and log as they like: here nobody waits for it. Exit code 0
where the service took the message; else a line on stderr says why not, without anything that the URL holds.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import warnings
from types import TracebackType

from mpio import redact

REFUSED, UNKNOWN = 1, 2

# What a library's own words may say of a failure; the rest of a debug line may hold anything.
_REASONS = re.compile(
    r"connection refused|connection reset|timed out|name or service not known|temporary failure in name resolution"
    r"|no address associated with hostname|no route to host|network is unreachable|certificate verify failed"
    r"|certificate has expired|connection unexpectedly closed|wrong version number|authentication \w+|error=\d{3}",
    re.I,
)


class _Heard(logging.Handler):
    """The warnings of apprise, and of its other lines what is known to be harmless."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.warnings: list[str] = []
        self.reasons: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.warnings.append(" ".join(said.split()))
        self.reasons += _REASONS.findall(said)

    def line(self) -> str:
        said = self.warnings[0] if self.warnings else "the service did not take the message"
        why = next((r for r in self.reasons if r.lower() not in said.lower()), "")
        return said.rstrip(".") + (f": {why}" if why else "")


def main() -> int:
    given = json.load(sys.stdin)
    signal.alarm(int(given["start"]) + int(given["timeout"]))
    url = str(given["url"])
    erase = redact.eraser(redact.of_url(url), redact.words_of_url(url))

    def last(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        sys.stderr.write(erase(f"{kind.__name__}: {error}".replace("\n", " ")) + "\n")

    sys.excepthook = last
    warnings.simplefilter("ignore")
    heard = _Heard()
    own = logging.getLogger("apprise")
    own.addHandler(heard)
    own.setLevel(logging.DEBUG)
    own.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())

    import apprise

    asset = apprise.AppriseAsset(app_id="mpio", app_desc="mpio watch", app_url="", secure_logging=True)
    service = apprise.Apprise(asset=asset)
    if not service.add(url):
        sys.stderr.write(f"{redact.shown(url)} is no URL that Apprise knows how to use\n")
        return UNKNOWN
    for one in service:
        # Apprise's 4 s would tell a slow service the same twice: it may have taken what it has not answered yet.
        if one.socket_read_timeout == type(one).socket_read_timeout:
            one.socket_read_timeout = max(one.socket_read_timeout, float(given["timeout"]) - 5)
    # From here on: to load apprise takes a third of a second, many on a host that is busy, and no service is to blame.
    # The kernel ends us then: a function of Python's would wait for whatever a library waits for.
    signal.alarm(int(given["timeout"]))
    if service.notify(body=given["body"], title=given["title"], notify_type=given["type"]):
        return 0
    sys.stderr.write(erase(heard.line()) + "\n")
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
