"""The host's end of the channel to the guest's agent (inside/agent.py says what the lines are)."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mpio import errors
from mpio.program import Done

CHUNK = 48 * 1024
GRACE = 20.0  # seconds that a guest may take to say that it ended a command whose time was up

Hear = Callable[[str, bytes], None]  # "out" or "err", and what came


def pass_on(stream: str, data: bytes) -> None:
    """The Hear that hands a command's output on as ours."""
    sink = (sys.stdout if stream == "out" else sys.stderr).buffer
    sink.write(data)
    sink.flush()


class GuestLost(errors.MpioError):
    """The guest died, restarted or stopped answering: nothing is known about what it was doing."""

    code = "guest-lost"


class Listener(Protocol):
    """Who hears what the agent says about one command."""

    def take(self, message: Mapping[str, Any]) -> None: ...
    def lose(self, why: str) -> None: ...


@dataclass(slots=True)
class Call:
    """A command in flight."""

    argv: tuple[str, ...]
    hear: Hear | None
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    code: int | None = None
    timed_out: bool = False
    lost: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def take(self, message: Mapping[str, Any]) -> None:
        if message["op"] == "end":
            self.code, self.timed_out = message["code"], message["timed_out"]
            self.over.set()
            return
        data = base64.b64decode(message["data"])
        (self.out if message["op"] == "out" else self.err).extend(data)
        if self.hear:
            self.hear(message["op"], data)

    def lose(self, why: str) -> None:
        self.lost = why
        self.over.set()


class Channel:
    def __init__(self, sock: socket.socket, why_lost: Callable[[], str] = str) -> None:
        """`why_lost` gives what the guest last said, for the error message."""
        self._sock = sock
        self._why_lost = why_lost
        self._numbers = itertools.count(1)
        self._calls: dict[int, Listener] = {}
        self._sending = threading.Lock()
        self._state = threading.Condition()
        self._closed = False
        self.boot = ""  # the guest's boot id, empty until its agent said hello
        self.on_hello: list[Callable[[str], None]] = []  # told each boot id, and "" when the guest is gone
        threading.Thread(target=self._read, daemon=True).start()

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float | None = 60,
        hear: Hear | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Done:
        """Run a command; any exit code is an answer. Raises ProgramFailed when its time is up, GuestLost."""
        code, out, err = self.exchange(argv, stdin=stdin, timeout=timeout, hear=hear, environment=environment)
        return Done(tuple(argv), code, out.decode(errors="replace"), err.decode(errors="replace"))

    def exchange(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float | None = 60,
        hear: Hear | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, bytes]:
        """As `run`, for bytes."""
        call = Call(tuple(argv), hear)
        number = self.attach(call)
        try:
            self.send({
                "id": number, "op": "run", "argv": list(argv), "env": dict(environment or {}), "timeout": timeout,
                "input": bool(stdin),
            })  # fmt: skip
            for start in range(0, len(stdin), CHUNK):
                self.send({"id": number, "op": "in", "data": base64.b64encode(stdin[start : start + CHUNK]).decode()})
            if stdin:
                self.send({"id": number, "op": "eof"})
            answered = call.over.wait(None if timeout is None else timeout + GRACE)
        except BaseException:
            with contextlib.suppress(errors.MpioError):
                self.send({"id": number, "op": "kill"})
            raise
        finally:
            self.detach(number)
        if not answered:
            raise self._lost(f"the guest does not answer ({' '.join(argv)})")
        if call.lost:
            raise self._lost(call.lost)
        if call.timed_out:
            said = (call.out + call.err).decode(errors="replace")
            raise errors.ProgramFailed(f"not over after {timeout:g} s: {' '.join(argv)}\n{said}")
        assert call.code is not None
        return call.code, bytes(call.out), bytes(call.err)

    def attach(self, listener: Listener) -> int:
        """A number for a new command, about which this listener will hear."""
        number = next(self._numbers)
        with self._state:
            if self._closed:
                raise self._lost("the guest is gone")
            self._calls[number] = listener
        return number

    def detach(self, number: int) -> None:
        with self._state:
            self._calls.pop(number, None)

    def wait_boot(self, timeout: float, other_than: str = "") -> str:
        """The boot id, as soon as an agent of another boot than that said hello."""
        with self._state:
            came = self._state.wait_for(lambda: self._closed or self.boot not in ("", other_than), timeout)
            if self._closed:
                raise self._lost("the guest ended while it started")
            if not came:
                raise self._lost(f"the guest did not start in {timeout:g} s")
            return self.boot

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _lost(self, what: str) -> GuestLost:
        said = self._why_lost()
        return GuestLost(f"{what}\n{said}".rstrip())

    def send(self, message: Mapping[str, Any]) -> None:
        try:
            with self._sending:
                self._sock.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise self._lost("the guest is gone") from error

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._sock.makefile("rb") as lines:
            for line in lines:
                # A line that a reboot cut short is not JSON; the agent's next line starts afresh.
                with contextlib.suppress(json.JSONDecodeError):
                    self._take(json.loads(line))
        with self._state:
            self._closed = True
            self._lose_all("the guest is gone")
        for tell in self.on_hello:
            tell("")

    def _take(self, message: Mapping[str, Any]) -> None:
        if message["op"] == "hello":
            with self._state:
                self._lose_all("the guest's agent started again")
                self.boot = message["boot"]
                self._state.notify_all()
            for tell in self.on_hello:
                tell(self.boot)
        elif call := self._calls.get(message["id"]):
            if message["op"] == "lost":
                call.lose(message["why"])
            else:
                call.take(message)

    def _lose_all(self, why: str) -> None:
        for call in list(self._calls.values()):
            call.lose(why)
        self._state.notify_all()
