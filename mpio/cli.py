"""The one place where errors become words and exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from mpio.console import Console
from mpio.errors import Exit, Interrupted, MpioError

# The verbs that machines call, with the options they give them: for these the command tree is not built, which costs
# more than the monitoring ones do (see docs/architecture.md, Start-up). Anything else goes through the tree.
QUICK = {
    "status": {},
    "verify": {"--nagios": "as_nagios"},
    "plan": {},
    "apply": {"--yes": "yes"},
    "watch": {"--event": "once"},  # units call it, and what is not loaded takes no memory
}
# Set by the scripts of contrib/completion: the words of that kind are printed, and nothing else is done.
COMPLETE = "_MPIO_COMPLETE"
SHARED = {"-o": "output", "--output": "output", "--site": "site", "--color": "color"}


def main(argv: list[str]) -> int:
    """Run one call of mpio and return its exit code."""
    # A closed descriptor is None in Python: who closed it wants nothing of it.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    # A unit that is stopped and a terminal that is closed end a verb as Ctrl-C does; `nohup` keeps its word.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    verb = next((a for a in argv if not a.startswith("-")), "")
    output = _output(argv)
    console = Console(json=output.startswith("json"), lines=output == "jsonl")
    try:
        code = _run(argv, verb)
        console.flush()
        return code
    except MpioError as error:
        return _said(console, verb, error)
    except KeyboardInterrupt:
        return _said(console, verb, Interrupted())
    except BrokenPipeError:
        # Whoever read our output has gone; what was done is done. Python must not complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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


def _said(console: Console, verb: str, error: MpioError) -> int:
    console.error(verb, error)
    return int(error.exit)


def _output(argv: list[str]) -> str:
    """What --output says, also for errors that come before any option was read."""
    for word, following in zip(argv, [*argv[1:], ""], strict=False):
        if word in ("-o", "--output"):
            return following
        if word.startswith(("-ojson", "--output=")):
            return word.removeprefix("-o").removeprefix("--output=")
    return ""
