"""Which layer notices when: looked at again and again, the cheap ones often, those that are programs less so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from mpio.drills.drill import Taking
from mpio.errors import MpioError
from mpio.machine import Machine
from mpio.tools import dmsetup, multipathd, sysfs

# libmultipath's words for a path that its checker does not trust; "undef" is one that it does not check.
BAD = frozenset({"faulty", "shaky", "i/o timeout", "removed"})
# Pauses between runs of a program, beside as long as it took itself (dmsetup) or four times that (multipathd, which has
# work of its own): looking must not make the figures.
PAUSE = 0.2


@dataclass(slots=True)
class Layers:
    """`first` and `every`: when the layer had noticed the first and the last of what is away.

    `kept` are the maps that are to keep a path meanwhile, `bare` those of them that have none any more.
    """

    machine: Machine
    taking: Taking
    kept: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()
    first: dict[str, float] = field(default_factory=dict)
    every: dict[str, float] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))
    _asked: Future[None] | None = None

    def look(self) -> None:
        read = self.machine.files
        if self.taking.thing.nic:
            self._noted("carrier", [sysfs.carrier(read, self.taking.thing.nic) is not True])
        self._noted("session", [sysfs.state(read, s.sid) != "LOGGED_IN" for s in self.taking.sessions])
        self._noted("device", [sysfs.device_state(read, p.dev) != "running" for p in self.taking.paths])
        self._paced("dm", self._failed, 1.0)
        # While it waits for dead paths multipathd answers nobody for seconds; nothing else may wait for it.
        if "checker" not in self.every and (self._asked is None or self._asked.done()):
            self._asked = self._beside.submit(self._paced, "checker", self._distrusted, 4.0)

    def end(self) -> None:
        """A question that multipathd has not answered yet is not waited for."""
        self._beside.shutdown(wait=False, cancel_futures=True)

    @property
    def through(self) -> bool:
        """Has the device mapper failed every path that is away?"""
        return "dm" in self.every or not self.taking.paths

    def _paced(self, layer: str, ask: Callable[[], list[bool]], share: float) -> None:
        begin = time.monotonic()
        if begin < self._due.get(layer, 0.0):
            return
        with contextlib.suppress(MpioError):  # busy just now: asked again
            self._noted(layer, ask())
        end = time.monotonic()
        self._due[layer] = end + max(PAUSE, share * (end - begin))

    def _failed(self) -> list[bool]:
        said = dmsetup.path_status(self.machine.run)
        self.bare = frozenset(name for name in self.kept & said.keys() if not any(p.active for p in said[name]))
        failed = {p.dev_t for paths in said.values() for p in paths if not p.active}
        return [sysfs.number_of(self.machine.files, p.dev) in failed for p in self.taking.paths]

    def _distrusted(self) -> list[bool]:
        bad = {p.dev for m in multipathd.maps(self.machine.run) for p in m.paths if p.chk_st in BAD}
        return [p.dev in bad for p in self.taking.paths]

    def _noted(self, layer: str, signs: list[bool]) -> None:
        now = time.monotonic()
        if any(signs):
            self.first.setdefault(layer, now)
        if signs and all(signs):
            self.every.setdefault(layer, now)
