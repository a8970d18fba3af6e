"""The watcher's lines on their way out: whoever reads them slowly, or not at all, holds up only them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from mpio.errors import MpioError

KEPT = 10_000  # lines that wait for a reader who stands still; further ones are dropped, and that is said


@dataclass(slots=True)
class Lines:
    """`write` puts one line out at once; `gone` is set when nobody reads any more. Nobody waits for a reader."""

    write: Callable[[str], None]
    gone: threading.Event = field(default_factory=threading.Event)
    dropped: int = 0
    _waiting: queue.Queue[str | None] = field(default_factory=lambda: queue.Queue(KEPT))
    _writer: threading.Thread | None = None

    def put(self, line: str) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._run, name="lines", daemon=True)
            self._writer.start()
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def missing(self) -> int:
        """How many lines were dropped since this was asked last, once there is room to say so."""
        if not self.dropped or self._waiting.full():
            return 0
        dropped, self.dropped = self.dropped, 0
        return dropped

    def close(self, seconds: float) -> None:
        """Wait until all is out, or nobody reads it, or the time is over."""
        if self._writer is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(None)
                self._writer.join(seconds)

    def _run(self) -> None:
        # What ends it is a reader that has gone, at the other end or at ours, or a disk that is full: `gone` tells.
        with contextlib.suppress(OSError, ValueError, MpioError):
            while (line := self._waiting.get()) is not None:
                self.write(line)
        self.gone.set()
