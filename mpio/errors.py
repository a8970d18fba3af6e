"""Errors that reach the user: one sentence, one way out, one exit code."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of `mpio` (contract, section 4)."""

    OK = 0
    COULD_NOT = 1
    USAGE = 2
    DIFFERS = 3
    DEGRADED = 4
    FAILED = 5
    INTERRUPTED = 130


class MpioError(Exception):
    """Something `mpio` could not do. `code` names the kind for programs, `hint` is the way out."""

    exit = Exit.COULD_NOT
    code = "could-not"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotRoot(MpioError):
    code = "not-root"


class NotAllowed(MpioError):
    """A file that this user may not read."""

    code = "not-allowed"


class Distrusted(MpioError):
    """A file that mpio would go by, and that others may have written."""

    code = "distrusted"


class MissingProgram(MpioError):
    code = "missing-program"


class ProgramFailed(MpioError):
    """A program ended with an exit code that its caller did not allow."""

    code = "program-failed"


class UnreadableOutput(MpioError):
    """A program or file said something that its reader does not know; `line` is the first such line."""

    code = "unreadable-output"

    def __init__(
        self, line: str, source: str = "", hint: str = "run again with --record DIR and report the folder"
    ) -> None:
        where = f" from {source}" if source else ""
        key = line.lower().find("password")  # behind it a secret may stand
        shown = line[:200] if key < 0 else f"{line[: key + 8][:200]}…"
        super().__init__(
            f"cannot read this line{where}: {shown!r}",
            hint,
        )
        self.line = line


class Busy(MpioError):
    """Another changing verb holds the lock."""

    code = "busy"


class Refused(MpioError):
    """A verb was refused; `code` is the finding's, which `--force` lets pass."""

    code = "refused"

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code or self.code


class CannotWrite(MpioError):
    code = "cannot-write"


class OutputLost(CannotWrite):
    """Stdout takes no more: what there is to say of that goes to stderr."""


class UsageError(MpioError):
    exit = Exit.USAGE
    code = "usage"


class UnknownName(UsageError):
    code = "unknown-name"


class NeedsYes(UsageError):
    code = "needs-yes"


class SiteError(UsageError):
    """The site file is wrong; `mistakes` holds one line per mistake, each starting with its key path."""

    code = "site"

    def __init__(self, path: str, mistakes: tuple[str, ...]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            f"{path}: {count}:\n" + "\n".join(f"  {m}" for m in mistakes), "correct the site file; nothing was touched"
        )
        self.mistakes = mistakes


class LooseSecret(UsageError):
    """A secret file that others may read or write."""

    code = "loose-secret"


class Interrupted(MpioError):
    exit = Exit.INTERRUPTED
    code = "interrupted"

    def __init__(self) -> None:
        super().__init__("interrupted", "run the same verb again: it goes on from what the host is now")
