"""Verbs that are killed at a system call, and what must hold of the host then and after one more run."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from vm.hosts import LOGS, Prague

HERE = Path(__file__).parent
KILLING, SOUND = "/usr/local/lib/killing.py", "/usr/local/lib/sound.py"
MANNERS = ("alone", "group", "power")
# What was offline for a time is looked after at boot, under mpio's lock.
BOOTED = "! systemctl is-active -q mpio-online.service"
GOLDEN = 0.6180339887498949  # multiples of it, without their whole part, walk evenly over 0 … 1 however many they are
WHOLE = 120.0  # what udev, multipathd and a drill's guard may take until all is as it was


@dataclass(frozen=True, slots=True)
class Verb:
    """What is killed. `start` is where each walk begins, `restart` what must follow the run that converges, and
    `offline` the NIC whose paths are out then; `guarded` is what comes back by itself.
    """

    name: str
    argv: tuple[str, ...]
    start: Callable[[Prague], None]
    end: Callable[[Prague], None]
    restart: tuple[str, ...] = ()
    offline: str = ""
    guarded: bool = False


@dataclass(slots=True)
class Tally:
    """What was done to one verb."""

    verb: str
    kills: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    torn: int = 0
    converged: int = 0
    began: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        kills = ", ".join(f"{self.kills[m]} {m}" for m in MANNERS)
        calls = ", ".join(f"{name} {times}" for name, times in self.calls.most_common())
        spent = time.monotonic() - self.began
        return (
            f"killed: {self.verb}: {self.kills.total()} kills ({kills}), {self.converged} runs converged, "
            f"{self.torn} files of iscsiadm's and multipath's own torn and mended, {spent:.0f} s; hit {calls}"
        )


def ready(host: Prague) -> None:
    """The programs are there, and what is there is on the disk: a power cut is to take away what the verb did last."""
    for path, name in ((KILLING, "killing.py"), (SOUND, "sound.py")):
        host.put(path, (HERE / name).read_text())
    host.sh("sync")


def walk(host: Prague, verb: Verb, at_share: Iterable[float], tally: Tally, size: dict[str, int]) -> None:
    """Kill run after run, each at its share of a whole run's calls (`size`, by who counts), without another in between,
    until one comes to its end; that one, or one more, must bring the host there.
    """
    verb.start(host)
    ready(host)
    story: list[str] = []
    for share in at_share:
        how = manner(tally)
        number = max(1, round(share * size[how]))
        at = kill(host, verb, how, str(number))
        where = f"{verb.name} {how} {number} of {size[how]}: {told(at)}"
        story.append(where)
        if "call" not in at:
            assert at["code"] == 0, f"{story}\n{at}\n{host.guest.sh('cat /run/killed.out; ' + LOGS).out}"
            break
        tally.kills[how] += 1
        tally.calls[str(at["call"])] += 1
        say(where)
        bad = sound(host, "killed")
        tally.torn += sum(line.startswith("others:") for line in bad)
        assert not [line for line in bad if not line.startswith("others:")], complaint(host, story, bad)
        if verb.guarded:
            comes_to(host, story, "back")
    converges(host, verb, story)
    tally.converged += 1
    say(f"{verb.name} converged after {len(story)}")


def kill(host: Prague, verb: Verb, how: str, point: str) -> dict[str, object]:
    said = host.guest.check("python3", KILLING, how, point, "mpio", *verb.argv, timeout=600)
    at: dict[str, object] = json.loads(said)
    if how == "power" and "call" in at:
        host.guest.reset()
        host.until(BOOTED, WHOLE)
    return at


def once(host: Prague, verb: Verb, how: str, point: str) -> str:
    """Killed at that point, and sound; where that was."""
    at = kill(host, verb, how, point)
    where = f"{verb.name} {how} {point}: {told(at)}"
    assert "call" in at, f"{where}\n{host.guest.sh('cat /run/killed.out').out}"
    bad = [line for line in sound(host, "killed") if not line.startswith("others:")]
    assert not bad, complaint(host, [where], bad)
    if verb.guarded:
        comes_to(host, [where], "back")
    say(where)
    return where


def told(at: dict[str, object]) -> str:
    """The call that was hit, who made it, and what had been started last."""
    if "call" not in at:
        return f"it ended with {at['code']} before"
    what, last = str(at["what"])[:90], str(at["after"])[:90]
    return f"{at['call']} {what} by {at['by']}" + (f" after {last}" if last != what else "")


def converges(host: Prague, verb: Verb, story: list[str], *, every: bool = True) -> None:
    """One more run is whole; `every`: also by the words of all others who could tell."""
    ran = host.mpio(*verb.argv, exits=None, timeout=600)
    assert ran.code == 0, complaint(host, story, [str(ran)])
    comes_to(host, story, "whole", *([verb.offline] if verb.offline else []))
    if verb.restart:
        ran = host.mpio(*verb.restart, exits=None, timeout=600)
        assert ran.code == 0, complaint(host, story, [str(ran)])
        comes_to(host, story, "whole")
    try:
        if every:
            verb.end(host)
    except AssertionError as error:
        raise AssertionError(complaint(host, story, [str(error)])) from error


def sound(host: Prague, *how: str) -> list[str]:
    found: list[str] = json.loads(host.guest.check("python3", SOUND, *how, timeout=120))
    return found


def comes_to(host: Prague, story: list[str], *how: str) -> None:
    """Nothing is unsound, at once or soon: what runs on is let run to its end."""
    end = time.monotonic() + WHOLE
    while bad := sound(host, *how):
        assert time.monotonic() < end, complaint(host, story, bad)


def complaint(host: Prague, story: list[str], bad: list[str]) -> str:
    state = host.guest.sh(f"cat /run/killed.out; dmsetup status; multipathd show paths; mpio status; {LOGS}").out
    said = "\n".join(["after", *story, "this is unsound:", *bad, "", state])
    say(said)  # at once: a long run goes on
    return said


def counted(host: Prague, verb: Verb) -> dict[str, int]:
    """How many calls a whole run makes, by who counts: of its own, or with those of all that it starts."""
    verb.start(host)
    ready(host)
    at = kill(host, verb, "group", "0")
    assert at["code"] == 0, f"{at}\n{host.guest.sh('cat /run/killed.out').out}"
    every = int(str(at["count"]))
    return {"alone": int(str(at["own"])), "group": every, "power": every}


def shares(first: int = 1) -> Iterator[float]:
    return (number * GOLDEN % 1 for number in count(first))


def manner(tally: Tally) -> str:
    """Every ninth kill cuts the power, every second of the others takes along what was started."""
    done = tally.kills.total()
    return "power" if done % 9 == 8 else ("group", "alone")[done % 2]


def say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def is_healthy(host: Prague) -> None:
    host.mpio("verify", "--wait", "60", timeout=300)
    assert host.mpio("plan", "-o", "json").json["steps"] == []
