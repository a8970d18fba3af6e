"""The one place where errors become words and exit codes."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from functools import partial
from types import TracebackType
from typing import Any, TextIO

from mpio import fault, inherited
from mpio.console import Console, clean
from mpio.errors import Exit, Interrupted, MpioError, OutputLost
from mpio.shortage import of as shortage_of

# The verbs that machines call, with the options they give them: for these the command tree is not built, which costs
# more than the monitoring ones do (see docs/architecture.md, Start-up). Anything else goes through the tree.
QUICK = {
    "status": {},
    "verify": {"--nagios": "as_nagios"},
    "plan": {},
    "apply": {"--yes": "yes"},
    "doctor": {"--nagios": "as_nagios"},
    "watch": {"--event": "once"},  # units call it, and what is not loaded takes no memory
}
# Set by the scripts of contrib/completion: the words of that kind are printed, and nothing else is done.
COMPLETE = "_MPIO_COMPLETE"
UNKNOWN = 3  # of Nagios
LAST = b"mpio: there is not enough memory\n  free some, or raise the limit (ulimit -v, MemoryMax= of a unit)\n"
SHARED = {"-o": "output", "--output": "output", "--site": "site", "--color": "color"}
VALUED = ("--site", "--color", "--record")  # the word behind one of these is its own, whatever it looks like
# The verbs of two words. Their modules have them too, but to name a call that failed nothing is imported.
FAMILIES = {
    "iface": ("list", "add", "remove"),
    "lun": ("list", "add", "resize", "remove", "rescan", "adopt"),
    "multipath": ("render",),
    "lab": ("demo", "rehearse", "up", "run", "record", "down"),
}


def main(argv: list[str]) -> int:
    """Run one call of mpio and return its exit code."""
    short = None
    code = int(Exit.COULD_NOT)
    try:
        code = _main(argv)
    except (OSError, MemoryError, RuntimeError, ImportError, SystemError) as error:
        # No memory, no descriptor, no process, a full disk: anything may meet that anywhere.
        short = shortage_of(error)
        if short is None:
            raise
    if short is not None:  # said here, where all that the failed call held is free again
        code = _said(argv, short)
    _flush()
    return code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Python tries once more at its end to write what is left, and ends with 120 where that fails.
        with contextlib.suppress(ValueError):
            try:
                stream.flush()
            except OSError:
                _into_nothing(stream)


def _main(argv: list[str]) -> int:
    inherited.set_right()
    # A closed descriptor is None in Python: who closed it has nothing to say, and wants nothing of it.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    if os.geteuid() == 0:  # who is not root is told no secret
        from mpio import cores

        cores.none()
    # A unit that is stopped and a terminal that is closed end a verb as Ctrl-C does; `nohup` keeps its word.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    threading.excepthook = _of_a_thread
    sys.excepthook = partial(_of_ours, argv)  # where nobody catches: what calls `main` in Python sees the error itself
    try:
        code = _run(argv, _verb(argv))
        Console().flush()
        return code
    except MpioError as error:
        return _said(argv, error)
    except KeyboardInterrupt:
        return _said(argv, Interrupted())
    except BrokenPipeError:
        # Whoever read a stream, or what is said on the way, has gone; what was done is done.
        _into_nothing(sys.stdout)
        return int(Exit.COULD_NOT)


def _run(argv: list[str], verb: str) -> int:
    if not argv and (kind := os.environ.get(COMPLETE)):
        from mpio.commands import complete

        return complete.show(kind)
    quick = _quick(argv)
    if quick is None:
        from mpio.commands import tree

        return tree.run(argv, verb)
    from mpio.commands import call

    own, shared = quick
    command = importlib.import_module(f"mpio.commands.{verb}").command
    return int(command(call.made(verb, **shared), **own))


def _quick(argv: list[str]) -> tuple[dict[str, bool], dict[str, Any]] | None:
    """The options of a quick verb; None where there is anything else to be read, right or wrong."""
    if not argv or argv[0] not in QUICK:
        return None
    own: dict[str, bool] = {}
    shared: dict[str, Any] = {}
    words = iter(argv[1:])
    for word in words:
        if word in QUICK[argv[0]]:
            own[QUICK[argv[0]][word]] = True
        elif word in SHARED and (value := next(words, "")):
            shared[SHARED[word]] = value
        else:
            return None
    return own, shared


def _said(argv: list[str], error: MpioError) -> int:
    """Say it where it can be read. To Nagios no call that failed is a verdict: its 2 would be CRITICAL."""
    as_nagios = "--nagios" in _options(argv)
    with contextlib.suppress(OSError, MpioError):  # nobody hears stderr either
        try:
            _document(argv, error, as_nagios)
        except OutputLost:  # stdout takes no document
            Console().error("", error)
        except (MemoryError, ImportError):
            os.write(2, LAST)
        except OSError as another:
            said = f"mpio: {clean(error.message)}; {another.strerror}\n  {clean(error.hint)}\n"
            os.write(2, said.encode("utf-8", "backslashreplace"))
    return UNKNOWN if as_nagios else int(error.exit)


def _document(argv: list[str], error: MpioError, as_nagios: bool) -> None:
    if isinstance(error, OutputLost):
        Console().error("", error)
    elif as_nagios:
        from mpio import nagios

        Console().out(nagios.unknown(error))
    else:
        _console(argv).error(_command(argv), error)
    Console().flush()


def _options(argv: list[str]) -> list[str]:
    """The words that may be options: behind -- there is none."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _verb(argv: list[str]) -> str:
    return next((a for a in argv if not a.startswith("-")), "")


def _command(argv: list[str]) -> str:
    """What a document calls this call: the verb, and of a family the word behind it."""
    verb = _verb(argv)
    following = argv[argv.index(verb) + 1 :][:1] if verb in FAMILIES else []
    return " ".join([verb, *(word for word in following if word in FAMILIES[verb])])


def _console(argv: list[str]) -> Console:
    output = _output(argv)
    return Console(json=output.startswith("json"), lines=output == "jsonl")


def _into_nothing(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _of_a_thread(args: threading.ExceptHookArgs) -> None:
    """A thread that had to end says so in a sentence, too."""
    if args.exc_value:
        with contextlib.suppress(OSError, MemoryError):
            Console().error("", shortage_of(args.exc_value) or fault.of(args.exc_value))


def _of_ours(argv: list[str], _: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """What reaches Python itself is a mistake of ours: a sentence instead of a trace. Python ends with 1 after it."""
    code = _said(argv, fault.of(error))
    _flush()
    if code == UNKNOWN:
        sys.exit(code)


def _output(argv: list[str]) -> str:
    """What the last --output says, also for errors that come before any option was read."""
    said = ""
    words = iter(_options(argv))
    for word in words:
        name, given, value = word.partition("=")
        if name == "--output":
            said = value if given else next(words, "")
        elif name in VALUED and not given:
            next(words, "")
        elif word.startswith("-") and not word.startswith("--") and "o" in word:  # -ojson, -vo json: no other takes one
            said = word.partition("o")[2] or next(words, "")
    return said
