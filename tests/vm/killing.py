"""Kills a run at its Nth system call: runs in the guest, with nothing of mpio's.

    python3 killing.py MANNER POINT COMMAND…

MANNER: `alone` kills the command's own process and lets its children live on, by the calls of its own threads; `group`
kills it with all that it has started, in its control group, by the calls of all of them; `power` holds them all there,
for whoever cuts the power. POINT is the number of the call, 0 kills nobody and counts; or `CALL:TEXT:K+MORE`, the call
that comes MORE after the Kth CALL… of anybody whose paths or command have TEXT in them. Only calls that may leave a
trace are counted, seen by ptrace before they are carried out; a filter of seccomp lets all others pass at full speed.

Says one line of JSON, once they are dead (or held), and sees what lives on to its end in the background.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
LIBC.ptrace.restype = ctypes.c_long
CONT, SEIZE, LISTEN, SYSCALL_INFO = 7, 0x4206, 0x4208, 0x420E  # linux/ptrace.h
OPTIONS = 0x2 | 0x4 | 0x8 | 0x10 | 0x80  # fork, vfork, clone, exec, seccomp
STOP, SECCOMP = 128, 7  # PTRACE_EVENT_*
WALL = 0x40000000
GROUP = Path("/sys/fs/cgroup/killed")

# x86-64: asm/unistd_64.h. With the arguments that are paths. Threads, waiting, and what is asked of
# sockets leave no trace: the calls around them are as good.
CALLS: dict[int, tuple[Any, ...]] = {
    1: ("write",), 2: ("open", 0), 18: ("pwrite64",), 42: ("connect",), 46: ("sendmsg",),
    56: ("clone",), 57: ("fork",), 58: ("vfork",), 59: ("execve", 0), 62: ("kill",),
    73: ("flock",), 74: ("fsync",), 75: ("fdatasync",), 76: ("truncate", 0), 77: ("ftruncate",),
    82: ("rename", 0, 1), 83: ("mkdir", 0), 84: ("rmdir", 0), 86: ("link", 0, 1), 87: ("unlink", 0), 88: ("symlink", 0),
    90: ("chmod", 0), 91: ("fchmod",), 92: ("chown", 0), 93: ("fchown",), 165: ("mount", 1),
    166: ("umount2", 0), 257: ("openat", 1), 258: ("mkdirat", 1), 260: ("fchownat", 1), 263: ("unlinkat", 1),
    264: ("renameat", 1, 3), 265: ("linkat", 1, 3), 266: ("symlinkat", 0), 268: ("fchmodat", 1), 272: ("unshare",),
    316: ("renameat2", 1, 3),
}  # fmt: skip
OPENS = {2: 1, 257: 2}  # the argument with the flags
FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def instruction(code: int, true: int, false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, true, false, value)


def program() -> bytes:
    """As linux/filter.h and linux/seccomp.h have it: trace CALLS, but for opening to read and output to 1 and 2."""
    load, equal, any_of, end = 0x20, 0x15, 0x45, 0x06
    trace, allow = instruction(end, 0, 0, 0x7FF00000), instruction(end, 0, 0, 0x7FFF0000)
    made = [instruction(load, 0, 0, 0)]
    for number in CALLS:
        if number in OPENS:
            body = [
                instruction(load, 0, 0, 16 + 8 * OPENS[number]),
                instruction(any_of, 0, 1, FOR_WRITING),
                trace,
                allow,
            ]
        elif number == 1:
            body = [instruction(load, 0, 0, 16), instruction(equal, 2, 0, 1), instruction(equal, 1, 0, 2), trace, allow]
        else:
            body = [trace]
        made += [instruction(equal, 0, len(body), number), *body]
    return b"".join([*made, allow])


def ptrace(request: int, pid: int, address: int = 0, data: object = None) -> int:
    """-1 where the tracee is gone: somebody has killed it between its stop and us."""
    return int(LIBC.ptrace(request, pid, address, data))


def word(pid: int, at: int, size: int = 256) -> bytes:
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.pread(memory, size, at)
    except OSError:
        return b""
    finally:
        os.close(memory)


def text(pid: int, at: int) -> str:
    # A string may end a few bytes before the end of what is mapped.
    found = word(pid, at) or word(pid, at, 4096 - at % 4096)
    return found.partition(b"\0")[0].decode(errors="replace")


def line_of(pid: int, at: int) -> str:
    pointers = struct.unpack("8Q", word(pid, at, 64).ljust(64, b"\0"))
    return " ".join(text(pid, one) for one in pointers[: pointers.index(0) if 0 in pointers else None])


@dataclass(slots=True)
class Run:
    manner: str
    point: str
    argv: list[str]
    number: int = 0
    main: int = 0
    count: int = 0
    hit: dict[str, object] = field(default_factory=dict)
    own: dict[int, bool] = field(default_factory=dict)
    own_count: int = 0
    started: str = ""
    code: int | None = None
    seen: int = 0

    def __post_init__(self) -> None:
        if self.point.isdigit():
            self.number = int(self.point)

    def start(self) -> None:
        GROUP.mkdir(exist_ok=True)
        ready, go = os.pipe()
        self.main = os.fork()
        if not self.main:
            try:
                os.close(go)
                os.read(ready, 1)
                os.setsid()
                nowhere = os.open("/run/killed.out", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
                for number, stream in ((os.open(os.devnull, os.O_RDONLY), 0), (nowhere, 1), (nowhere, 2)):
                    os.dup2(number, stream)
                (GROUP / "cgroup.procs").write_text(f"{os.getpid()}\n")
                made = program()
                kept = ctypes.create_string_buffer(made, len(made))
                filters = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(made) // 8, ctypes.addressof(kept)))
                if LIBC.prctl(22, 2, filters, 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER; root needs no NO_NEW_PRIVS
                    os._exit(99)
                os.execvp(self.argv[0], self.argv)
            finally:
                os._exit(98)
        if ptrace(SEIZE, self.main, 0, OPTIONS):
            sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
        os.close(ready)
        os.close(go)

    def is_own(self, pid: int) -> bool:
        """Is it a thread of the command itself?"""
        if pid not in self.own:
            self.own[pid] = os.path.exists(f"/proc/{self.main}/task/{pid}")
        return self.own[pid]

    def call(self, pid: int) -> bool:
        """One that was about to be made: is it the one?"""
        made = ctypes.create_string_buffer(88)
        ptrace(SYSCALL_INFO, pid, len(made), made)
        number, *arguments = struct.unpack_from("7Q", made, 24)
        name, *paths = CALLS.get(number, (str(number),))
        if name == "execve":
            self.started = line_of(pid, arguments[1])
        if self.hit or (self.manner == "alone" and self.point.isdigit() and not self.is_own(pid)):
            return False
        self.count += 1
        if not self.number and self.is_own(pid):
            self.own_count += 1
        looks = not self.number and not self.point.isdigit()
        if not looks and self.count != self.number:
            return False
        where = self.started if name == "execve" else " ".join(text(pid, arguments[one]) for one in paths)
        if looks:
            self.look_for(name, where)
        if self.count != self.number:
            return False
        by = "mpio" if self.is_own(pid) else word_of(pid, "comm")
        self.hit = {"call": name, "what": where, "by": by, "after": self.started}
        return True

    def look_for(self, name: str, where: str) -> None:
        call, words, times = self.point.split(":")
        kth, _, more = times.partition("+")
        self.seen += name.startswith(call) and words in where
        if self.seen == int(kth):
            self.number = self.count + int(more or 0)

    def kill(self) -> None:
        if self.manner == "alone":
            os.kill(self.main, signal.SIGKILL)
        elif self.manner == "group":
            (GROUP / "cgroup.kill").write_text("1")

    def said(self) -> str:
        return json.dumps({"count": self.count, "own": self.own_count, "code": self.code, **self.hit})

    def follow(self, tell: int) -> None:
        """Until nobody is left; `tell` is where the line goes."""
        told = False
        while True:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                break
            if not os.WIFSTOPPED(status):
                if pid == self.main:
                    self.code = os.waitstatus_to_exitcode(status)
                if pid == self.main and not told and self.manner != "group":
                    told = bool(os.write(tell, self.said().encode()))
                    os.close(tell)
                continue
            event, number = status >> 16, os.WSTOPSIG(status)
            if event == SECCOMP and self.call(pid):
                if self.manner == "power":
                    os.write(tell, self.said().encode())
                    os.close(tell)
                    while True:
                        signal.pause()
                self.kill()
            if event == STOP and number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
                ptrace(LISTEN, pid)
            else:
                ptrace(CONT, pid, 0, 0 if event else number)
        if not told:
            os.write(tell, self.said().encode())


def word_of(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text().strip()
    except OSError:
        return "?"


def main() -> None:
    manner, point, *argv = sys.argv[1:]
    hear, tell = os.pipe()
    if not os.fork():
        os.setsid()
        os.close(hear)
        for stream in (0, 1, 2):  # who started us waits until nobody has them any more
            os.dup2(os.open("/run/killing.err", os.O_RDWR | os.O_CREAT, 0o600), stream)
        run = Run(manner, point, argv)
        run.start()
        run.follow(tell)
        os._exit(0)
    os.close(tell)
    said = b""
    while part := os.read(hear, 65536):
        said += part
    sys.stdout.write(said.decode() + "\n")


main()
