"""A program run as a file: bug report and test fixture in one.

    mpio recording 1
    argv: ["iscsiadm", "-m", "session"]
    code: 21
    err: iscsiadm: No active sessions.

    <what it said on stdout, untouched, to the end of the file>

`err+:` is a line without its newline. Keys that a reader does not know (version:, distribution:) it passes over.
A few lines of POSIX sh can write it, so that guests without Python can be recorded too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpio.errors import UnreadableOutput
from mpio.program import Done

FIRST = "mpio recording 1"
MASK = "********"

# node.session.auth.password = x · password_in: x · discovery.sendtargets.auth.password_in=x · "password": "x"
_SECRET_LINE = re.compile(r"(password(?:_in)?\"?[^\S\n]*[=:][^\S\n]*)(?=\S)(?!<empty>)[^\n]*", re.I)
_SECRET_KEY = re.compile(r"^(?:--name=)?[\w.\-\[\]]*password(?:_in)?$", re.I)


def mask(text: str) -> str:
    """The text with the values after `password` keys as ********."""
    return _SECRET_LINE.sub(rf"\g<1>{MASK}", text)


def mask_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """`-n node.session.auth.password -v x` and `key=x`, with x as ********."""
    secret = any(_SECRET_KEY.match(word) for word in argv)
    shown: list[str] = []
    for before, word in zip(("", *argv), argv, strict=False):
        if secret and before in {"-v", "--value"}:
            shown.append(MASK)
        elif secret and word.startswith("--value="):
            shown.append(f"--value={MASK}")
        else:
            shown.append(mask(word))
    return tuple(shown)


def masked(done: Done) -> Done:
    return Done(mask_argv(done.argv), done.code, mask(done.out), mask(done.err))


def dump(done: Done, **facts: str) -> str:
    """The recording's text, secrets removed; `facts` (version="…") become keys of the header."""
    done = masked(done)
    head = [FIRST, f"argv: {json.dumps(done.argv)}", f"code: {done.code}"]
    head += [f"{key}: {' '.join(value.split())}" for key, value in facts.items()]
    *lines, last = done.err.split("\n")
    head += [f"err: {line}" for line in lines]
    head += [f"err+: {last}"] if last else []
    return "\n".join(head) + "\n\n" + done.out


def load(text: str) -> Done:
    """The run of a recording; UnreadableOutput where it is none."""
    head, parted, out = text.partition("\n\n")
    first, *lines = head.split("\n")
    if first != FIRST or not parted:
        raise UnreadableOutput(first, "a recording")
    argv: tuple[str, ...] = ()
    code: int | None = None
    err = ""
    for line in lines:
        key, _, value = line.partition(": ")
        try:
            match key.removesuffix(":"):
                case "argv":
                    argv = tuple(str(word) for word in json.loads(value))
                case "code":
                    code = int(value)
                case "err":
                    err += value + "\n"
                case "err+":
                    err += value
        except (ValueError, TypeError, RecursionError) as e:
            raise UnreadableOutput(line, "a recording") from e
    if not argv or code is None:
        raise UnreadableOutput(first, "a recording without argv or code")
    return Done(argv, code, out, err)


@dataclass(frozen=True, slots=True)
class Tree:
    """Files and links of a host as one recording has them: text, names and target, as `sysfs.Reader` asks for them."""

    files: Mapping[str, str]
    links: Mapping[str, str]

    def text(self, path: str) -> str | None:
        return self.files.get(path)

    def names(self, path: str) -> tuple[str, ...]:
        """What is known to be in the folder; an empty one is not told from none."""
        start = f"{path}/"
        below = (p.removeprefix(start) for known in (self.files, self.links) for p in known if p.startswith(start))
        return tuple(sorted({rest.partition("/")[0] for rest in below}))

    def target(self, path: str) -> str:
        return self.links.get(path, "")


_FILE = re.compile(r"(?:^|\n)==> (/[^\n]*) <==\n")


def tree(text: str) -> Tree:
    """`/sys/block/sda -> ../devices/…` for each link, then the files as `head -v` prints them.

    ==> /sys/block/sda/size <==
    131072

    ==> /sys/block/sda/dev <==
    8:0
    """
    linked, *rest = _FILE.split(text)
    links: dict[str, str] = {}
    for line in filter(None, linked.split("\n")):
        path, arrow, target = line.partition(" -> ")
        if not arrow:
            raise UnreadableOutput(line, "a recorded tree")
        links[path] = target
    if wrong := next((name for name in (*links, *links.values(), *rest[::2]) if "\0" in name), ""):
        raise UnreadableOutput(wrong, "a recorded tree")  # no kernel has a file of that name
    return Tree(dict(zip(rest[::2], rest[1::2], strict=True)), links)
