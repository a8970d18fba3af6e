"""What multipath keeps itself: the names that it gave, the WWIDs that it gave up, what it was told by hand."""

from __future__ import annotations

from mpio.step import Command, Part

BINDINGS = "/etc/multipath/bindings"
# A file for each WWID that it could not make a map of (libmultipath/wwids.c); 0.8.3 to 0.9.4 and later
GIVEN_UP = ("/dev/shm/multipath/failed_wwids", "/run/multipath/failed_wwids")


def parse_bindings(text: str) -> tuple[tuple[str, str], ...]:
    """`mpatha 3600144f0…` a line: the alias and the WWID of each; what else is there multipath does not look at
    (libmultipath/alias.c).
    """
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return tuple((words[0], words[1]) for words in lines if len(words) >= 2)


def restore_queueing(name: str, why: str) -> Command:
    """What `multipathd disablequeueing` took away from a map."""
    return Command(Part.MULTIPATH, why, ("multipathd", "restorequeueing", "map", name))
