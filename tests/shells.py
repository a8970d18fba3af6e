"""The shells that complete mpio's command line: what each offers, and what it makes of keys typed on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import termios
import time
from pathlib import Path

TOP = Path(__file__).parent.parent
SCRIPTS = TOP / "contrib/completion"
LIMIT = 60  # seconds for a shell to answer: far more than it takes on a machine under load

# What is typed first: a prompt to wait for, and the script.
STARTS = {
    "bash": "PS1='@@ '; bind 'set enable-bracketed-paste off'; source {folder}/mpio.bash\n",
    "zsh": "PS1='@@ '; unsetopt beep prompt_sp; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D\n",
}
PROGRAMS = {"bash": ("bash", "--norc", "--noprofile", "-i"), "zsh": ("zsh", "-f", "-i")}
# zsh's own compadd says which of the words that it is given fit; where it only sorts them, nothing is offered yet.
TELLING = """\
compadd() {{ local -a fit; [[ " $* " == *' -'[OAD]' '* ]] || builtin compadd -A fit "$@"
print -rl -- $fit >>{told}; builtin compadd "$@" }}; LISTMAX=9999; mpio ready
"""


def from_bash(world: dict[str, str], lines: list[str]) -> list[set[str]]:
    """bash puts an answer behind the last : or = of the word: as a whole it is shown here."""
    script = [f"source {SCRIPTS}/mpio.bash", "COMP_WORDBREAKS=$' \\t\\n\"\\'@><=;|&(:'"]
    for line in lines:
        *words, _ = re.split(r"\s+|(?<=[=:])|(?=[=:])", line)
        script += [
            f"COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_CWORD={len(words)}",
            f"COMP_WORDS=({shlex.join(words)} '')",
            "_mpio mpio; printf '%s\\n' \"${COMPREPLY[@]}\" .",
        ]
    return chunks(said(world, "bash", "--norc", "-c", "\n".join(script)))


def from_fish(world: dict[str, str], lines: list[str]) -> list[set[str]]:
    """fish 4 offers behind these also words that have the typed letters anywhere."""
    asks = [f"complete -C {shlex.quote(line)} | string replace -r '\\t.*' ''; echo ." for line in lines]
    found = chunks(said(world, "fish", "--no-config", "-c", "\n".join((f"source {SCRIPTS}/mpio.fish", *asks))))
    typed = [line.rpartition(" ")[2] for line in lines]
    return [{w for w in words if w.startswith(start)} for words, start in zip(found, typed, strict=True)]


def from_zsh(world: dict[str, str], lines: list[str]) -> list[set[str]]:
    """zsh completes on a terminal only."""
    told = Path(world["HOME"]) / "told"
    with Terminal(world, "zsh") as terminal:
        terminal.type(TELLING.format(told=told))
        assert terminal.args() == ["ready"]
        found = []
        for line in lines:
            told.write_text("")
            quoted = line.replace("[", "\\[")  # zsh wants it so: the bracket begins a pattern
            terminal.type(f"{quoted}\t\x15mpio next\n")
            assert terminal.args() == ["next"]
            found.append({word.replace("\\", "") for word in told.read_text().split("\n") if word})
    return found


def said(world: dict[str, str], *argv: str) -> str:
    done = subprocess.run(argv, env=world, cwd=world["HOME"], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def chunks(text: str) -> list[set[str]]:
    """Words a line, a dot behind each group of them."""
    found: list[set[str]] = [set()]
    for word in text.split():
        if word == ".":
            found.append(set())
        else:
            found[-1].add(word)
    assert not found[-1], "the last group has its dot too"
    return found[:-1]


class Terminal:
    """A shell on a terminal: what is typed, and what the program mpio was given by it."""

    def __init__(self, world: dict[str, str], shell: str) -> None:
        self.fd, its_end = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 400, 0, 0))
        # setsid makes the terminal the shell's own: one that has none cannot edit a line
        argv = ["setsid", "--ctty", *PROGRAMS[shell]]
        self.shell = subprocess.Popen(argv, env=world, cwd=world["HOME"], stdin=its_end, stdout=its_end, stderr=its_end)
        os.close(its_end)
        self.seen = ""
        self.type(STARTS[shell].format(folder=SCRIPTS) + "mpio ready\n")
        assert self.args() == ["ready"]

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)  # the shell is hung up
        self.shell.wait()

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def args(self) -> list[str]:
        """The arguments of the next call of mpio, once the shell waits for a line again: before, a Tab is no Tab."""
        until = time.monotonic() + LIMIT
        while not (call := re.search(r"(?m)^got((?: <[^\r\n]*>)*) end\r\n[^\n]*@@ ", self.seen)):
            ready, _, _ = select.select([self.fd], [], [], max(0, until - time.monotonic()))
            assert ready, f"no answer but {self.seen!r}"
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        self.seen = self.seen[call.end() :]
        return re.findall(r"<([^>]*)>", call[1])


OFFERS = {"bash": from_bash, "zsh": from_zsh, "fish": from_fish}
