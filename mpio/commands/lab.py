"""mpio lab"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mpio.commands.call import Call
from mpio.errors import Exit, UsageError
from mpio.releases import DEFAULT

if TYPE_CHECKING:
    from mpio.commands import options


def hear(stream: str, data: bytes) -> None:
    """What a guest's command prints goes out as it comes, byte for byte."""
    out = sys.stdout if stream == "out" else sys.stderr
    out.buffer.write(data)
    out.flush()


def demo(call: Call, suite: options.Suite = DEFAULT.name) -> int:
    """The main job on a fresh guest: plan, apply, verify."""
    from mpio.lab import demo as lab_demo

    return lab_demo.run(suite, hear, call.console.say)


def rehearse(call: Call, file: options.SiteFile, suite: options.Suite = DEFAULT.name, report: options.Page = "") -> int:
    """Try a site file on a guest with a SAN that answers to it: plan, apply, drill, report."""
    from mpio import sitefile
    from mpio.lab import rehearse as lab_rehearse

    text = None if os.path.isdir(file) else call.machine.files.text(os.path.abspath(file))
    if text is None:
        raise UsageError(f"there is no site file {file}", "docs/site-example.toml is a commented start")
    if any("\ud800" <= c <= "\udfff" for c in text):  # bytes that are no UTF-8
        raise UsageError(f"{file} is not UTF-8", "save it as UTF-8")
    to = call.to_write(report, "mpio lab rehearse FILE --report PAGE.html") if report else ""
    code, page = lab_rehearse.run(sitefile.parse(text, file), text, suite, hear, call.console.say)
    if to and page:
        call.machine.files.output(to, page, 0o644)
    return code


def up(call: Call, suite: options.Suite = DEFAULT.name) -> int:
    """Start a guest and keep it for `lab run`."""
    from mpio.lab import session

    session.up(call.console.say, suite=suite)
    return Exit.OK


def run(call: Call, words: options.Words) -> int:
    """Run a command in the guest of `lab up`, or in one of its own; exits as the command does."""
    from mpio.lab import session

    return session.run(words, hear, call.console.say)


def down(call: Call) -> int:
    """End the guest of `lab up`."""
    from mpio.lab import session

    if not session.down():
        call.console.say("there is no guest")
    return Exit.OK


def record(call: Call, folder: options.Folder, suite: options.Suite = DEFAULT.name) -> int:
    """Run every program call that mpio knows, in a guest in several states, and keep each as a file for tests."""
    from mpio.lab import record as lab_record

    count = lab_record.record(Path(folder), suite, call.console.say)
    call.console.say(f"{count} recordings in {folder}")
    return Exit.OK


COMMANDS = (demo, rehearse, up, run, record, down)
