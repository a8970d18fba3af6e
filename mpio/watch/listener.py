"""`watch --listen`: /metrics over HTTP, out of what the watcher has seen last."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import socketserver
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mpio import metrics, serve
from mpio.errors import MpioError, UsageError
from mpio.watch.seen import Seen

SECONDS = 5.0  # for a whole visit: who drips bytes would hold a seat for ever
AT_ONCE = 16
WAY = "--listen takes ADDRESS:PORT, as 127.0.0.1:9464 or [::1]:9464"


def place(said: str) -> tuple[str, int]:
    """The address and port of `ADDRESS:PORT`; UsageError for anything else."""
    address, colon, port = said.strip().rpartition(":")
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        version = ipaddress.ip_address(bare).version
    except ValueError as error:
        raise UsageError(f"{said!r} names no address to listen on", WAY) from error
    if (version == 6) != (bare != address) or not colon:
        raise UsageError(f"{said!r} names no address to listen on", WAY)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise UsageError(f"{said!r} names no port between 1 and 65535", WAY)
    return bare, int(port)


@dataclass(frozen=True, slots=True)
class _Shown:
    seen: Seen
    counts: Mapping[str, int]
    resyncs: int
    now: float


class _Door(ThreadingHTTPServer):
    """A thread a visitor, so many at once; others wait in the kernel's queue."""

    daemon_threads = True
    block_on_close = False  # at the end nobody waits for a visitor

    def __init__(self, address: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.shown: _Shown | None = None
        self._seats = threading.Semaphore(AT_ONCE)
        super().__init__((address, port), _Visit)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks DNS for our name, and waits for it

    def process_request(self, request: Any, client_address: Any) -> None:
        self._seats.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        late = threading.Timer(SECONDS, _show_out, [request])
        late.daemon = True
        try:
            late.start()
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self._seats.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is no trouble of ours."""


class _Visit(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain"
    server: _Door

    def do_GET(self) -> None:
        self.close_connection = True
        shown = self.server.shown
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
        elif shown is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            body = _text_of(shown).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", serve.TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nobody reads who has scraped."""


class Listener:
    """Answers `GET /metrics` from threads of its own, out of what `show` was given last: nothing is asked of the host,
    the watcher is not waited for, and no text is made while nobody asks.

    Raises MpioError where the address cannot be listened on.
    """

    def __init__(self, address: str, port: int) -> None:
        serve.warm()  # paid here, not while the first visitor waits
        self.address = address
        self._door = _opened(address, port)
        # Nobody ends it: it goes with the process. So often it looks whether it is to end.
        threading.Thread(target=self._door.serve_forever, args=(3600,), name="metrics", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._door.server_address[1])

    @classmethod
    def at(cls, said: str) -> Listener:
        """At `ADDRESS:PORT`. Raises UsageError, MpioError."""
        return cls(*place(said))

    def show(self, seen: Seen, counts: Mapping[str, int], resyncs: int, now: float) -> None:
        """What is told from now on; `now` is when it was seen, in seconds since the epoch."""
        self._door.shown = _Shown(seen, dict(counts), resyncs, now)


def _show_out(visitor: socket.socket) -> None:
    with contextlib.suppress(OSError):  # gone
        visitor.shutdown(socket.SHUT_RDWR)


def _text_of(shown: _Shown) -> str:
    seen = shown.seen
    state = metrics.samples(seen.host, seen.luns, shown.now, seen.site, seen.rtt)
    return serve.text((*state, *metrics.of_watch(shown.counts, shown.resyncs)))


def _opened(address: str, port: int) -> _Door:
    try:
        return _Door(address, port)
    except OSError as error:
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        ways = {
            errno.EADDRINUSE: "name another port, or end what listens there",
            errno.EACCES: "name a port above 1023",
        }
        way = ways.get(error.errno or 0, "name an address of this host")
        raise MpioError(f"cannot listen on {where}: {error.strerror or error}", way) from error
