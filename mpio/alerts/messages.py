"""What an alert says: one message a root cause, with the LUNs that it harms. Words only, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mpio.alerts.damage import Loss
from mpio.alerts.incident import Incident
from mpio.watch.event import Cause, Event, Name, Severity

NAMES = 10  # LUNs that a message names before it says how many more
LINES = 20  # changes of one message that tells of changes


@dataclass(frozen=True, slots=True)
class Message:
    """`lead` is the event that it is about, `losses` the LUNs as they stand. `duration` seconds: how long it was so,
    None where it has just begun. `repeat`: said before. `plain`: about alerts, whose own failing is not told. `roots`
    are the causes.
    """

    severity: Severity
    title: str
    text: str
    lead: Event
    losses: tuple[Loss, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    duration: float | None = None
    repeat: bool = False
    plain: bool = False
    roots: tuple[str, ...] = ()


def of_loss(one: Incident, lead: Event, losses: tuple[Loss, ...], since: float | None) -> Message:
    """`since` seconds: it is said again."""
    return Message(
        Severity.FAILED if one.told > 1 else Severity.DEGRADED,
        lost(list(one.roots.values()), losses, started=one.started, since=since),
        text(one.evidence, losses, one.notes, one.flaps),
        lead,
        losses,
        counts(losses, one.events, one.flaps),
        since,
        repeat=since is not None,
        roots=tuple(one.roots),
    )


def of_end(one: Incident, left: tuple[Loss, ...], seconds: float) -> Message:
    """`left` are LUNs that are not whole for another reason."""
    roots = list(one.roots.values())
    subject = what(roots)
    last = one.last or Event(Name.LUN_RECOVERED, Severity.RECOVERED, subject, root=subject)
    if roots and last.root not in one.roots:
        # When a LUN is whole again, its own event may name what it waited for last: a session that was late.
        last = replace(last, root=next(iter(one.roots)))
    return Message(
        Severity.RECOVERED,
        over("what was found at the start" if one.started else subject, one.luns, left, seconds),
        over_text(one.luns, left, one.flaps),
        last,
        left,
        counts(left, one.events, one.flaps),
        seconds,
        roots=tuple(one.roots),
    )


def of_changes(news: Sequence[Event]) -> Message:
    counted = Counter(event.name.value for event in news)
    title = ", ".join(f"{name}{f' x {count}' if count > 1 else ''}" for name, count in counted.items())
    if len(news) == 1:
        title = f"{news[0].name.value}: {news[0].subject}"
    lines = few([f"{e.name.value} {e.subject}: {e.detail or e.severity.value}" for e in news])
    plain = all(event.name is Name.ALERT_FAILED for event in news)
    return Message(Severity.INFO, title, "\n".join(lines), news[0], counts=counts((), len(news), 0), plain=plain)


def known(losses: Iterable[Loss]) -> Mapping[str, str]:
    """The LUNs' names by their WWIDs."""
    return {one.wwid: one.name for one in losses}


def body(message: Message) -> dict[str, object]:
    """The keys that a program gets beside those of the event."""
    luns = [
        {"wwid": one.wwid, "alias": one.name, "usable_paths": one.left, "expected_paths": one.of}
        for one in message.losses
    ]
    return {
        "message": message.text,
        "title": message.title,
        "luns": luns,
        "counts": dict(message.counts),
        "duration": None if message.duration is None else round(message.duration, 1),
    }


def what(roots: Sequence[Event]) -> str:
    """One name for what is lost: the cause, or what several of them share."""
    names = [root(event) for event in roots]
    if len(names) == 1:
        return names[0]
    if all(name.startswith("LUN ") for name in names):
        return _luns(len(names)) if len(names) > 3 else ", ".join(names)
    shared = ("target", "portal", "iface") if roots[0].cause is Cause.LOGGED_OUT else ("portal", "iface", "target")
    for kind in shared:
        values = {getattr(event, kind) for event in roots}
        if len(values) == 1 and (value := values.pop()):
            nic = f" ({roots[0].nic})" if kind == "iface" and roots[0].nic else ""
            return f"{kind} {value}{nic}"
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} and {len(names) - 2} more"


def root(event: Event) -> str:
    return event.root or event.subject


def cost(losses: Sequence[Loss]) -> str:
    """`96 of 192 paths of 48 LUNs`, and how many LUNs have none left."""
    if not losses:
        return ""
    dead = sum(not one.left for one in losses)
    if dead == len(losses):
        return f"{_luns(dead)} without a usable path"
    lost, of = sum(max(one.of - one.left, 0) for one in losses), sum(one.of for one in losses)
    paths = f"{lost} of {of} paths of {_luns(len(losses))} lost"
    return f"{dead} of {_luns(len(losses))} without a usable path, {paths}" if dead else paths


def counts(losses: Sequence[Loss], events: int, flaps: int) -> dict[str, int]:
    return {
        "luns": len(losses),
        "luns_failed": sum(not one.left for one in losses),
        "paths": sum(one.of for one in losses),
        "paths_lost": sum(max(one.of - one.left, 0) for one in losses),
        "events": events,
        "flaps": flaps,
    }


def lost(roots: Sequence[Event], losses: Sequence[Loss], *, started: bool, since: float | None) -> str:
    """The title of what is lost. `since` seconds: it is said again."""
    cause = f": {kind}" if (kind := _kind(roots)) else ""
    said = f"found at the start{cause}" if started else f"{what(roots)}{cause}"
    rest = "; ".join(part for part in (cost(losses), "" if since is None else f"for {span(since)}") if part)
    return f"{'still: ' if since is not None else ''}{said}{'; ' if rest else ''}{rest}"


def _kind(roots: Sequence[Event]) -> str:
    """The cause in words; what took a last path is told by the LUNs, not by a cause of its own."""
    causes = dict.fromkeys(e.cause.value for e in roots if e.cause and e.cause is not Cause.ALL_DOWN)
    return " and ".join(causes) if len(causes) <= 2 else "several causes"


def text(evidence: Iterable[str], losses: Sequence[Loss], notes: Iterable[str], flaps: int) -> str:
    dead, hurt = ([one for one in losses if bool(one.left) is left] for left in (False, True))
    lines = []
    if dead:
        lines.append(f"Without a usable path: {names(one.name for one in dead)}.")
    if hurt:
        lines.append(f"With paths left: {names(f'{one.name} ({one.left} of {one.of})' for one in hurt)}.")
    lines += few([f"Seen: {one}." for one in dict.fromkeys(evidence)], 5)
    lines += few([f"{one}." for one in notes], 5)
    if flaps:
        lines.append(f"It was back and lost again {times(flaps)}.")
    return "\n".join(lines)


def over(ended: str, luns: Mapping[str, str], left: Sequence[Loss], seconds: float) -> str:
    """The title of what is over: `luns` were harmed (WWID to name), `left` are not whole for another reason."""
    whole = len(luns) - len(left)
    rest = f"; {_luns(whole)} whole again" if whole > 0 else ""
    return f"{ended}: over after {span(seconds)}{rest}{f', {cost(left)}' if left else ''}"


def over_text(luns: Mapping[str, str], left: Sequence[Loss], flaps: int) -> str:
    missing = {one.wwid for one in left}
    lines = []
    if whole := [name for wwid, name in luns.items() if wwid not in missing]:
        lines.append(f"Whole again: {names(whole)}.")
    if left:
        lines.append(f"Not whole for another reason: {names(f'{one.name} ({one.left} of {one.of})' for one in left)}.")
    if flaps:
        lines.append(f"Meanwhile it was back and lost again {times(flaps)}.")
    return "\n".join(lines)


def names(all_of: Iterable[str]) -> str:
    every = list(all_of)
    return ", ".join(every[:NAMES]) + (f" and {len(every) - NAMES} more" if len(every) > NAMES else "")


def few(lines: list[str], most: int = LINES) -> list[str]:
    return lines[:most] + ([f"And {len(lines) - most} more."] if len(lines) > most else [])


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def span(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 1 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, next_unit, next_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {unit}" + (f" {rest} {next_unit}" if rest else "")
    return f"{whole} s"


def _luns(count: int) -> str:
    return f"{count} LUN{'' if count == 1 else 's'}"
