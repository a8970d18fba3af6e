"""The runner: the one place where programs start, and the only importer of `sh`."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import BinaryIO

from mpio import folders, shortage
from mpio.errors import CannotWrite, MissingProgram, ProgramFailed
from mpio.files import Files
from mpio.program import Done

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Where systemd runs nobody reads the SysV links that `systemctl enable` would make beside its own, by two Perl scripts:
# 2.1 s instead of 5.7 s for iscsid in the lab (systemd, docs/ENVIRONMENT.md).
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C", "SYSTEMCTL_SKIP_SYSV": "1"}
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PACKAGES = {
    "blkid": "util-linux",
    "blockdev": "util-linux",
    "dmsetup": "dmsetup",
    "ethtool": "ethtool",
    "findmnt": "util-linux",
    "fuser": "psmisc",
    "ip": "iproute2",
    "iscsi-iname": "open-iscsi",
    "iscsiadm": "open-iscsi",
    "iscsid": "open-iscsi",
    "lsblk": "util-linux",
    "mmdebstrap": "mmdebstrap",
    "modprobe": "kmod",
    "mpathpersist": "multipath-tools",
    "multipath": "multipath-tools",
    "multipathd": "multipath-tools",
    "nft": "nftables",
    "ping": "iputils-ping",
    "pvs": "lvm2",
    "qemu-system-x86_64": "qemu-system-x86",
    "sg_inq": "sg3-utils",
    "ss": "iproute2",
    "sysctl": "procps",
    "systemctl": "systemd",
    "systemd-run": "systemd",
    "timeout": "coreutils",
    "tar": "tar",
    "udevadm": "udev",
    "unshare": "util-linux",
}


@dataclass(frozen=True, slots=True)
class Runner:
    """The `Run` that starts programs. `say` gets each call as a line that can be pasted, before it runs.

    `record` names a folder (made 0700) that keeps each call as one file.
    """

    say: Callable[[str], None] | None = None
    record: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False, compare=False)

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        command = (_found(argv[0]), *argv[1:])
        if self.say:
            from mpio import recording

            self.say(shlex.join(recording.mask_argv(argv)))
        if timeout is not None:
            # sh's own _timeout costs 100 ms a call, coreutils' 1. To it 0 means no limit.
            timeout = max(timeout, 0.01)
            command = (_found("timeout"), "--kill-after=2", f"{timeout:g}", *command)
        begin = time.monotonic()
        with _interrupts_wait():
            done = _start(command, argv, stdin)
            if self.record:
                self.keep(done)
        if timeout is not None and done.code in (124, 137) and time.monotonic() - begin >= timeout:
            raise ProgramFailed(
                f"`{_line(argv)}` did not end within {timeout:g} s",
                "run the line by hand and see what it waits for",
            )
        return checked(done, ok)

    def ready(self) -> None:
        """Make the folder of the recording, or refuse it, before the work: a verb may run no program at all."""
        if self.record:
            self._taken()

    def keep(self, done: Done) -> None:
        """A run as a file of the recording."""
        from mpio import recording

        text = recording.dump(done)
        name, taken = os.path.basename(done.argv[0]), self._taken()
        number = next(n for n in self._numbers if f"{n:05}" not in taken)
        # Not durable: an fsync a call would cost more than most calls, and a crash loses a log, not a host.
        Files().output(f"{self.record}/{number:05}-{name}", text, 0o600, durable=False)

    def _taken(self) -> frozenset[str]:
        """The numbers that files in the recording's folder have; it is made where there is none."""
        try:
            # Whoever could read or change a recording could do so with what programs say to root.
            with folders.of(f"{self.record}/run", mode=lambda _: 0o700, follow=False, named=True) as (way, _):
                if why := folders.loose(way):
                    raise folders.Swapped(why)
                with folders.readable(way) as names:
                    return frozenset(n.partition("-")[0] for n in os.listdir(names))
        except OSError as e:
            raise CannotWrite(f"cannot record into {self.record}: {e.strerror}", "name a folder of your own") from e


@dataclass(slots=True)
class Child:
    """A program that runs while its starter goes on: `poll` now and then. `code` is None until it has ended, 128 + N
    after signal N; `err` holds the last that it said on stderr.
    """

    pid: int
    _said: int
    code: int | None = None
    err: bytes = b""

    def poll(self) -> bool:
        """Has it ended? Never waits."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            with contextlib.suppress(BlockingIOError):  # once: what says more than that waits for us, not we for it
                self.err = (self.err + os.read(self._said, 65536))[-4096:]
            if pid:
                os.close(self._said)
                code = os.waitstatus_to_exitcode(status)
                self.code = 128 - code if code < 0 else code
        return self.code is not None

    def kill(self) -> None:
        """It and what it started, as far as that has not left its session's first process group."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


def begin(
    argv: tuple[str, ...],
    stdin: bytes = b"",
    limit: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start a program by its absolute path, in our environment and a session of its own, and come back at once.

    `limit` seconds: then it is killed with what it has started, though its starter were gone by then. `environment` is
    added to ours.
    What it says on stdout goes nowhere. One that is not there ends with 127, one that may not run with 126. Raises
    ProgramFailed where nothing can be started.
    """
    command = argv if limit is None else (_found("timeout"), "--signal=KILL", f"{limit:g}", *argv)
    hear, say = os.pipe()
    os.set_blocking(hear, False)
    try:
        with _memory(stdin) as source, open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            streams = ((source.fileno(), 0), (nowhere.fileno(), 1), (say, 2))
            moves = [(os.POSIX_SPAWN_DUP2, ours, its) for ours, its in streams]
            # Python ignores SIGPIPE, and who waits for signals by a descriptor blocks them: a child inherits both.
            # By a shell, for whoever spawns waits until the program is loaded: it may lie on a disk that is lost.
            pid = os.posix_spawn(
                "/bin/sh",
                ("/bin/sh", "-c", 'cd / && exec "$0" "$@"', *command),
                ENVIRONMENT | dict(environment or {}),
                file_actions=moves,
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE,),
            )
    except OSError as e:
        os.close(hear)
        raise ProgramFailed(
            f"{argv[0]} could not be started: {e.strerror}", "see whether it is there and may run"
        ) from e
    finally:
        os.close(say)
    return Child(pid, hear)


def warm() -> None:
    """Load now what the first program would load: for whoever may have to run it when there is no disk to load from."""
    import sh  # noqa: F401


def missing(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Those of the programs that are not installed, each with the Debian package that brings it."""
    import shutil

    return tuple((n, f"apt install {PACKAGES.get(n, n)}") for n in names if shutil.which(n, path=PATH) is None)


def checked(done: Done, ok: tuple[int, ...] | None) -> Done:
    """The run itself, or ProgramFailed where its exit code is none of `ok`."""
    if ok is None or done.code in ok:
        return done
    how = f"ended with {done.code}"
    if done.code > 128:
        with contextlib.suppress(ValueError):
            how = f"was ended by {signal.Signals(done.code - 128).name}"
    said = [line for line in (done.err.strip() or done.out.strip()).splitlines() if line.strip()]
    from mpio import recording

    what = f": {recording.mask(said[-1].strip())}" if said else ""
    way = "run again with --verbose to see every program, or run the line by hand"
    raise ProgramFailed(f"`{_line(done.argv)}` {how}{what}", way)


def _line(argv: tuple[str, ...]) -> str:
    try:
        from mpio import recording
    except (ImportError, OSError, MemoryError):  # the very shortage that is told: of secrets nothing is said then
        return argv[0]
    return shlex.join(recording.mask_argv(argv))


def _found(name: str) -> str:
    import shutil  # brings the compressors along: only where something runs

    path = shutil.which(name, path=PATH)
    if path is None:
        package = PACKAGES.get(name, "")
        way = f"install it: apt install {package}" if package else f"install it; it is looked for in {PATH}"
        raise MissingProgram(f"the program {name} is not installed", way)
    return path


def _start(command: tuple[str, ...], argv: tuple[str, ...], stdin: bytes) -> Done:
    """Run `command` to its end; `argv` is what it is called in words.

    The outputs go to files in memory, not pipes: nothing to fill or to drain, and a daemon that a program leaves behind
    with its stdout open does not hold us back (sh waits 2 s for such pipes, OProc._process_exit_cleanup).
    A session of its own: no terminal to ask on, and Ctrl-C there does not reach an iscsiadm that holds its lock.
    """
    import sh  # 60 ms and more, paid only by verbs that run something

    try:
        with _memory(stdin) as source, _memory() as out, _memory() as err:
            ended = sh.Command(command[0])(
                *command[1:],
                _in=source,
                _out=out,
                _err=err,
                _env=ENVIRONMENT,
                _cwd="/",
                _encoding="utf-8",
                _tty_in=False,
                _tty_out=False,
                _new_session=True,
                _return_cmd=True,
                _ok_code=tuple(range(-255, 256)),  # signals too: what is an error is our caller's to say
            )
            code = int(ended.exit_code)
            return Done(argv, 128 - code if code < 0 else code, _text(out), _text(err))
    except (sh.ForkException, OSError, UnicodeError, MemoryError, RuntimeError) as e:
        # RuntimeError: no thread of sh's could be started; what `of` does not know is a mistake of ours
        if isinstance(e, RuntimeError) and not shortage.of(e):
            raise
        reason = (str(e).strip().splitlines() or ["no memory"])[-1]
        way = "see whether the host has memory, descriptors and processes left"
        raise ProgramFailed(f"`{_line(argv)}` could not be started: {reason}", way) from e


def _memory(content: bytes = b"") -> BinaryIO:
    file = open(os.memfd_create("mpio"), "w+b")  # noqa: PTH123, SIM115 - no path; `_start` closes it
    file.write(content)
    file.seek(0)
    return file


def _text(file: BinaryIO) -> str:
    """Total: bytes that are no UTF-8 become \\xNN, which prints, encodes and compares everywhere."""
    file.seek(0)
    return file.read().decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C, and what `cli` makes the same, lets the current program finish, then counts; the same signal once more
    ends the waiting, not the program.
    """
    before = {int(number): was for number in INTERRUPTS if callable(was := signal.getsignal(number))}
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: dict[int, FrameType | None] = {}

    def note(number: int, frame: FrameType | None) -> None:
        again = number in seen
        seen[number] = frame
        if again:
            seen.clear()
            before[number](number, frame)

    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
        for number, frame in seen.items():
            before[number](number, frame)
