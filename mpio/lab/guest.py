"""A guest: a machine with the project in it, to be commanded from the host."""

from __future__ import annotations

import gzip
import hashlib
import shlex
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import mpio
from mpio import errors
from mpio.lab import archive, channel, image, process, project, qemu, san
from mpio.lab.channel import GuestLost
from mpio.lab.process import Say
from mpio.program import Done

__all__ = ["Guest", "GuestLost", "Remote"]

INSIDE = Path(__file__).parent / "inside"
UNITS = {"mpio-lab-agent.service": "multi-user.target", "mpio-san.service": "sysinit.target"}
DROP_INS = {"systemd-udev-trigger.service": "udev-trigger.conf"}
BOOT_SECONDS = 240.0


def payload(layout: san.San) -> bytes:
    """What a boot gets beside the image: the first process, the agent, the SAN and its description, under /run."""
    tree: dict[str, archive.File | archive.Link] = {
        "mpio-lab/lab-san": archive.File((INSIDE / "lab-san").read_bytes(), 0o755),
        "mpio-lab/san.json": archive.File(san.to_json(layout).encode()),
    }
    # Packages without __init__.py: the project's own mpio would shadow nothing of them, and they import nothing of it.
    for script in INSIDE.glob("*.py"):
        tree[f"mpio-lab/mpio/lab/inside/{script.name}"] = archive.File(script.read_bytes())
    for unit, target in UNITS.items():
        tree[f"systemd/system/{unit}"] = archive.File((INSIDE / unit).read_bytes())
        tree[f"systemd/system/{target}.wants/{unit}"] = archive.Link(f"../{unit}")
    for unit, drop_in in DROP_INS.items():
        tree[f"systemd/system/{unit}.d/mpio-lab.conf"] = archive.File((INSIDE / drop_in).read_bytes())
    return archive.newc(
        {"init": archive.File((INSIDE / "init").read_bytes(), 0o755), "payload.cpio": archive.File(archive.newc(tree))}
    )


class Remote:
    """A guest that runs already."""

    def __init__(self, line: channel.Channel) -> None:
        self.channel = line
        self.run = line.run

    def check(self, *argv: str, stdin: bytes = b"", timeout: float | None = 60) -> str:
        """What a command prints; ProgramFailed if it does not end with 0."""
        done = self.run(argv, stdin=stdin, timeout=timeout)
        if done.code:
            raise errors.ProgramFailed(
                f"{shlex.join(argv)} ended with {done.code} in the guest:\n{done.err or done.out}"
            )
        return done.out

    def sh(self, script: str, timeout: float | None = 60) -> Done:
        return self.run(("sh", "-c", script), timeout=timeout)

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file whole, its folders included."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
        self.check("sh", "-c", script, "sh", path, f"{mode:o}", stdin=data)

    def get(self, path: str) -> bytes:
        code, out, err = self.channel.exchange(("cat", path))
        if code:
            raise errors.ProgramFailed(f"cannot read {path} in the guest: {err.decode(errors='replace')}")
        return out

    def push_project(self, tree: Path | None = None) -> None:
        """Bring the project's present code into the guest, if what is there differs."""
        source = tree or Path(mpio.__file__).parent.parent
        digest = hashlib.sha256(project.pack(source)).hexdigest()
        there = self.sh("cat /opt/mpio/src/.hash 2>/dev/null; echo; python3 -V").out.split()
        if there[0] == digest:
            return
        script = (
            "set -e; mkdir -p /opt/mpio; cd /opt/mpio; rm -rf new; mkdir new;"
            'tar -xzf - -C new; printf %s "$1" >new/.hash; rm -rf src; mv new src'
        )
        packed = project.pack(source, python=".".join(there[-1].split(".")[:2]))
        self.check("sh", "-c", script, "sh", digest, stdin=gzip.compress(packed, mtime=0), timeout=120)

    def settle(self, timeout: float = 180) -> str:
        """Wait until systemd has nothing left to start; "running" or "degraded"."""
        return self.run(("systemctl", "is-system-running", "--wait"), timeout=timeout).out.strip()

    def reboot(self, timeout: float = BOOT_SECONDS) -> None:
        """An orderly reboot within the same machine; returns when the guest has settled again."""
        before = self.channel.boot
        with suppress(GuestLost):  # the agent may be stopped before it could say that the command was over
            self.check("systemctl", "--no-block", "reboot")
        self.channel.wait_boot(timeout, other_than=before)
        self.settle(timeout)


class Guest(Remote):
    """A guest of one's own: boots on entering, leaves nothing on leaving."""

    def __init__(
        self,
        layout: san.San | None = None,
        suite: str = image.DEFAULT,
        say: Say = process.quiet,
        companion: Path | None = None,
    ) -> None:
        """`companion` is a file that is to go when the machine goes, however its owner dies."""
        self._companion = companion
        self._layout = layout or san.GUIDE
        self._suite = suite
        self._say = say
        self._stack = ExitStack()
        self.machine: qemu.Machine

    def __enter__(self) -> Self:
        built = image.get(self._suite, self._say)
        spec = qemu.Spec(built, payload(self._layout), companion=self._companion)
        spec = replace(spec, accelerator=qemu.accelerator(built))
        self._say(f"starting the guest ({spec.accelerator})")
        with ExitStack() as stack:
            self.machine = stack.enter_context(qemu.Machine(spec))
            line = channel.Channel(self.machine.agent, self.machine.last_words)
            stack.callback(line.close)
            super().__init__(line)
            line.wait_boot(BOOT_SECONDS)
            self.settle()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def reset(self, timeout: float = BOOT_SECONDS) -> None:
        """Pull the plug and put it back: no process of the guest ends in order, its disk stays as it is."""
        before = self.channel.boot
        self.machine.ask("system_reset")
        self.channel.wait_boot(timeout, other_than=before)
        self.settle(timeout)

    def checkpoint(self, name: str = "clean") -> None:
        """Keep the whole machine as it is now, memory and disk, for `restore`."""
        self._monitor(f"savevm {name}")

    def restore(self, name: str = "clean") -> None:
        """Back to the checkpoint; commands that ran since are lost. The guest's clock goes back too."""
        self._monitor(f"loadvm {name}")

    def _monitor(self, line: str) -> None:
        said = self.machine.ask("human-monitor-command", **{"command-line": line})
        if said.strip():
            raise errors.ProgramFailed(f"QEMU refused {line!r}: {said.strip()}")


def main() -> int:
    """`python -m mpio.lab.guest COMMAND…`: boot, run, end."""
    qemu.end_on_sigterm()

    with Guest(say=process.to_stderr) as guest:
        guest.push_project()
        return guest.run(sys.argv[1:], timeout=None, hear=channel.pass_on).code


if __name__ == "__main__":
    sys.exit(main())
