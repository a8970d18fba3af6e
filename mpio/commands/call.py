"""What every verb is given: a machine, a console, and the site when it asks. Without typer, for the quick verbs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpio.console import Console
from mpio.errors import CannotWrite, MpioError, NeedsYes, NotRoot, UsageError
from mpio.files import Files
from mpio.machine import Machine
from mpio.run import Runner

if TYPE_CHECKING:
    from mpio.site import Site

SITE = "/etc/mpio/site.toml"
STREAMS = ("stat", "watch", "history")  # the verbs that can say one JSON object a line


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb. `named` says whether the site file was named, by --site or $MPIO_SITE."""

    verb: str
    console: Console
    machine: Machine
    site_path: str
    named: bool = False

    def site(self) -> Site:
        from mpio import sitefile
        from mpio.tools import sysfs

        return sitefile.load(self.site_path, nics=frozenset(sysfs.nic_names(self.machine.files)))

    def site_if_any(self) -> Site | None:
        """For verbs that change something and need no site file: none where it was not named and there is none."""
        if not self.named and not os.path.lexists(self.site_path):
            return None
        return self.site()

    def site_or_none(self) -> Site | None:
        """For verbs that only look: a site file that was not named and cannot be used is said and done without."""
        if not self.named and not os.path.exists(self.site_path):
            return None
        try:
            return self.site()
        except MpioError as error:
            if self.named:
                raise
            self.console.say(f"without the site file: {error.message}")
            return None

    def stays(self, program: tuple[str, ...], site: bool) -> None:
        """That root may leave a unit that starts this program, with the site file where it goes by one."""
        from mpio import folders, itself

        itself.may_stay(program)
        try:
            with folders.without_sudo():
                _ = site and self.site()
        except MpioError as error:
            raise UsageError(
                f"a unit of root's would not take the site file: {error.message}",
                "let root alone own and write it, what it names, and the folders above",
            ) from error

    def need_root(self, does: str = "changes the host") -> None:
        if os.geteuid() != 0:
            raise NotRoot(f"`mpio {self.verb}` {does}, which takes root", f"sudo mpio {self.verb}")

    def confirm(self, question: str) -> None:
        """Ask on a terminal; without one only `--yes` will do."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise NeedsYes(f"`mpio {self.verb}` changes the host and there is no terminal to ask on", "add --yes")
        self.console.confirm(question)

    def to_write(self, file: str, way: str) -> str:
        """The path of a file that the caller names, known to be one before the work for it begins."""
        if not file or file == "-" or file.endswith("/") or (os.path.exists(file) and not os.path.isfile(file)):
            raise UsageError(f"{file or 'an empty name'} is no file to write", way)
        path = os.path.abspath(file)
        folder = os.path.dirname(path)
        there = self.machine.files.root + folder
        if not os.path.isdir(there):
            raise CannotWrite(f"cannot write {path}: there is no folder {folder}", "make it, or name another")
        if not os.access(there, os.W_OK):
            raise CannotWrite(f"cannot write {path}: {folder} takes no files from you", "name another folder")
        from mpio import trust

        if wrong := trust.of_output(self.machine.files.root + path):
            raise CannotWrite(f"cannot write {path}: it {wrong}", "name another file")
        return path

    def forced(self, force: Iterable[str] | None) -> frozenset[str]:
        from mpio import findings

        codes = frozenset(c.upper() for c in force or ())
        unknown = sorted(codes - set(findings.refusal_codes()))
        if unknown:
            raise UsageError(f"{unknown[0]} is no refusal", f"--force takes {', '.join(findings.refusal_codes())}")
        return codes


def made(
    verb: str, *, site: str = "", output: str = "text", verbose: bool = False, color: str = "auto", record: str = ""
) -> Call:
    """A call from the options that every verb takes."""
    if output not in ("text", "json", "jsonl"):
        raise UsageError(f"there is no output {output!r}", "--output takes text or json")
    if output == "jsonl" and verb not in STREAMS:
        raise UsageError(f"`mpio {verb}` is no stream", "--output takes text or json")
    if color not in ("auto", "always", "never"):
        raise UsageError(f"there is no colour mode {color!r}", "--color takes auto, always or never")
    console = Console(json=output != "text", color=color, verbose=verbose, lines=output == "jsonl")
    run = Runner(say=console.ran if verbose else None, record=os.path.abspath(record) if record else "")
    named = site or os.environ.get("MPIO_SITE", "")
    return Call(verb, console, Machine(run, Files()), named or SITE, bool(named))
