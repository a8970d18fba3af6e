"""A machine of QEMU: which accelerator, which arguments, how it starts, and that nothing of it stays."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mpio import errors
from mpio.lab import image, process

PORT = "org.mpio.lab"
PANIC = "Kernel panic"
# Hardware of the machine that no test needs, and whose drivers take seconds of an emulated processor.
UNLOADED = "ata_generic,ata_piix,evdev,floppy,i2c_piix4,joydev,mousedev,parport_pc,pcspkr,psmouse,serio_raw"
KERNEL = (
    "console=ttyS0",
    "quiet",
    "panic=1",  # a crash is a reboot, and so tells the host
    "net.ifnames=0",
    f"modprobe.blacklist={UNLOADED}",
    # What costs an emulated processor time and a lab nothing: 23 s to a settled guest with them became 13 s.
    "mitigations=off",
    "audit=0",
    "apparmor=0",
    "selinux=0",
    "nokaslr",
    "cryptomgr.notests",
    "tsc=reliable",
    "no_timer_check",
    "8250.nr_uarts=1",
    "rcupdate.rcu_expedited=1",  # namespaces, configfs and device mapper wait for grace periods again and again
    "systemd.log_level=warning",
    "systemd.show_status=0",
)
PROBE_SECONDS = 8.0  # a guest under KVM says so after less than 2

# The machine's parent: it ends QEMU and removes the machine's folder as soon as its own input closes, which happens on
# every death of its owner, SIGKILL included. Were it killed itself, the kernel would end QEMU (--pdeathsig).
# It gets the two sockets as its output, gives them to QEMU as 5 and 6 and lets go of them, so that they end with QEMU.
# Its input becomes 3, since a shell gives its background children /dev/null as 0.
KEEPER = """
exec 3<&0
folder=$1; companion=$2; shift 2
trap '' INT TERM HUP
setpriv --pdeathsig KILL -- "$@" 5<&1 6<&2 3<&- </dev/null >"$folder/qemu.log" 2>&1 &
exec >/dev/null 2>&1
read -r _ <&3
kill -KILL $!
wait $!
rm -rf "$folder" ${companion:+"$companion"}
"""


@dataclass(frozen=True, slots=True)
class Spec:
    """What to start. `extra` is an archive that the kernel unpacks over the image's initial RAM disk.

    `companion` is a file that goes with the machine.
    """

    image: image.Image
    extra: bytes
    memory: int = 2048  # MiB
    processors: int = 2
    accelerator: str = ""  # "kvm" or "tcg"; empty: what works here
    append: tuple[str, ...] = ()
    companion: Path | None = None


def argv(spec: Spec, initrd: Path, console: Path) -> list[str]:
    """QEMU's command line; it inherits a socket for the agent as 5 and one for its monitor as 6."""
    accelerators = {
        "kvm": ["-accel", "kvm", "-cpu", "host"],
        "tcg": ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64,-svm"],
    }
    return [
        "qemu-system-x86_64",
        *accelerators[spec.accelerator],
        "-m", str(spec.memory),
        "-smp", str(spec.processors),
        "-nodefaults", "-no-user-config", "-display", "none",
        "-kernel", str(spec.image.kernel),
        "-initrd", str(initrd),
        "-append", " ".join([*KERNEL, *spec.append]),
        # The image stays as it is: QEMU writes to a nameless file of its own, which outlives a reboot but not QEMU.
        "-drive", f"file={spec.image.disk},if=virtio,format=raw,snapshot=on,cache=unsafe",
        # Without a source of randomness systemd waits for it.
        "-device", "virtio-rng-pci",
        "-device", "virtio-serial-pci",
        # Sockets inherited as numbers: no name in the file system, and an end of file the moment QEMU dies.
        "-chardev", "socket,id=agent,fd=5",
        "-device", f"virtserialport,chardev=agent,name={PORT}",
        "-chardev", "socket,id=monitor,fd=6",
        "-mon", "chardev=monitor,mode=control",
        "-serial", f"file:{console}",
    ]  # fmt: skip


@dataclass(slots=True)
class Machine:
    """A running QEMU; a context manager."""

    spec: Spec
    folder: Path = field(init=False)
    agent: socket.socket = field(init=False)
    _monitor: socket.socket = field(init=False)
    _lines: Any = field(init=False)
    _keeper: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Self:
        process.need("qemu-system-x86_64", "setpriv")
        self.folder = Path(tempfile.mkdtemp(prefix="mpio-lab-"))
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def _start(self) -> None:
        initrd = self.folder / "initrd"
        initrd.write_bytes(self.spec.image.initrd.read_bytes() + self.spec.extra)
        self.agent, agent = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        self._lines = self._monitor.makefile("rb")
        command = argv(self.spec, initrd, self.folder / "console")
        self._keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, "mpio-lab-keeper", str(self.folder), str(self.spec.companion or ""), *command],
            stdin=subprocess.PIPE,
            stdout=agent.fileno(),
            stderr=monitor.fileno(),
            start_new_session=True,  # Ctrl-C is for the owner, who then ends the machine in order
        )
        agent.close()
        monitor.close()

    def __exit__(self, *_: object) -> None:
        assert self._keeper.stdin
        self._keeper.stdin.close()
        self._keeper.wait()
        self._lines.close()
        self._monitor.close()
        self.agent.close()

    def ask(self, execute: str, **arguments: object) -> Any:
        """A command of QEMU's machine protocol (QMP); its `return`."""
        self._monitor.settimeout(60)
        if not self._greeted:
            self._lines.readline()
            self._greeted = True
            self.ask("qmp_capabilities")
        self._monitor.sendall(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise errors.ProgramFailed(f"QEMU refused {execute}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise errors.ProgramFailed(f"QEMU ended during {execute}")

    _greeted: bool = False

    def last_words(self) -> str:
        """The end of what the console and QEMU itself said; of a kernel that panicked also what led to it."""
        said = []
        for name in ("qemu.log", "console"):
            with contextlib.suppress(FileNotFoundError):
                lines = (self.folder / name).read_text(errors="replace").splitlines()
                panics = [number for number, line in enumerate(lines) if PANIC in line]
                said += lines[max(0, panics[-1] - 80) :] if panics else lines[-12:]
        return "\n".join(said)


def accelerator(of: image.Image) -> str:
    """The answer is "kvm" if a guest really starts with it, else "tcg"; tried once per boot of this machine."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    verdict = process.cache() / f"accelerator-{of.suite.name}"
    if verdict.is_file() and verdict.read_text().split()[:1] == [boot]:
        return verdict.read_text().split()[1]
    found = "kvm" if _starts(of, "kvm") else "tcg"
    new = verdict.with_suffix(f".{os.getpid()}")
    new.write_text(f"{boot} {found}\n")
    new.replace(verdict)
    return found


def _starts(of: image.Image, what: str) -> bool:
    """Does a process of the guest get as far as writing to its console?"""
    # The shell of the initial RAM disk is asked for its process number, which the kernel's own messages do not contain.
    alive = ("rdinit=/bin/sh", "--", "-c", '"echo mpio-lab-alive-$$"')
    with Machine(Spec(of, b"", 512, 1, what, alive)) as machine:
        until = time.monotonic() + PROBE_SECONDS
        with selectors.DefaultSelector() as wait:
            wait.register(machine.agent, selectors.EVENT_READ)  # readable when QEMU ends
            while time.monotonic() < until:
                if "mpio-lab-alive-1" in machine.last_words():
                    return True
                if wait.select(0.1):
                    return False
    return False


def end_on_sigterm() -> None:
    """Make SIGTERM and SIGHUP end this program as Ctrl-C does: through every `with` and `finally`."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(128 + signal.SIGTERM))
