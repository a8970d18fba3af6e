"""mpio lab"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mpio.commands.call import Call
from mpio.errors import Exit, UsageError
from mpio.releases import DEFAULT, SUPPORTED

if TYPE_CHECKING:
    from mpio.commands import options
    from mpio.lab.channel import Hear


def heard(call: Call) -> Hear:
    """What a guest's command prints goes out as it comes, byte for byte; where stdout is a document's, to stderr."""

    def hear(stream: str, data: bytes) -> None:
        out = sys.stdout if stream == "out" and not call.console.json else sys.stderr
        out.buffer.write(data)
        out.flush()

    return hear


def ended(call: Call, code: int, **made: object) -> int:
    if call.console.json:
        call.console.document(call.verb, code, made)
    return code


def with_mpio(suite: str) -> str:
    """The release, if mpio runs there: a guest of another would boot, and could not do what is asked."""
    from mpio.lab import image

    if not image.suite(suite).runs_mpio:
        names = " or ".join(one.name for one in SUPPORTED)
        raise UsageError(
            f"mpio has not been shown to run on {suite}",
            f"--suite takes {names} here; `mpio lab up --suite {suite}` starts such a guest",
        )
    return suite


def demo(call: Call, suite: options.Suite = DEFAULT.name) -> int:
    """The main job on a fresh guest: plan, apply, verify."""
    from mpio.lab import demo as lab_demo

    return ended(call, lab_demo.run(with_mpio(suite), heard(call), call.console.say), suite=suite)


def rehearse(call: Call, file: options.SiteFile, suite: options.Suite = DEFAULT.name, report: options.Page = "") -> int:
    """Try a site file on a guest with a SAN that answers to it: plan, apply, drill, report."""
    from mpio import sitefile
    from mpio.lab import rehearse as lab_rehearse

    with_mpio(suite)
    text = None if os.path.isdir(file) else call.machine.files.text(os.path.abspath(file))
    if text is None:
        raise UsageError(f"there is no site file {file}", "docs/site-example.toml is a commented start")
    if any("\ud800" <= c <= "\udfff" for c in text):  # bytes that are no UTF-8
        raise UsageError(f"{file} is not UTF-8", "save it as UTF-8")
    to = call.to_write(report, "mpio lab rehearse FILE --report PAGE.html") if report else ""
    code, page = lab_rehearse.run(sitefile.parse(text, file), text, suite, heard(call), call.console.say)
    if to and page:
        call.machine.files.output(to, page, 0o644)
    return ended(call, code, suite=suite, site=os.path.abspath(file), report=to if to and page else None)


def up(call: Call, suite: options.AnySuite = DEFAULT.name) -> int:
    """Start a guest and keep it for `lab run`."""
    from mpio.lab import session

    started = session.up(call.console.say, suite=suite)
    # of a guest that was there already nobody knows the release
    return ended(call, Exit.OK, started=started, suite=suite if started else None, socket=str(session.at()))


def run(call: Call, words: options.Words) -> int:
    """Run a command in the guest of `lab up`, or in one of its own; exits as the command does."""
    from mpio.lab import session

    if not call.console.json:
        return session.run(words, heard(call), call.console.say)
    said = {"out": bytearray(), "err": bytearray()}
    code = session.run(words, lambda stream, data: said[stream].extend(data), call.console.say)
    return ended(call, code, **{stream: data.decode("utf-8", "backslashreplace") for stream, data in said.items()})


def down(call: Call) -> int:
    """End the guest of `lab up`."""
    from mpio.lab import session

    was_up = session.down()
    if not was_up:
        call.console.say("there is no guest")
    return ended(call, Exit.OK, ended=was_up)


def record(call: Call, folder: options.Folder, suite: options.AnySuite = DEFAULT.name) -> int:
    """Run every program call that mpio knows, in a guest in several states, and keep each as a file for tests."""
    from mpio.lab import record as lab_record

    count = lab_record.record(Path(folder), suite, call.console.say)
    call.console.say(f"{count} recordings in {folder}")
    return ended(call, Exit.OK, suite=suite, folder=os.path.abspath(folder), recordings=count)


COMMANDS = (demo, rehearse, up, run, record, down)
