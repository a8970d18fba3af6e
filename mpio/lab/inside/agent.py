"""The guest's end of the lab's channel: runs commands for the host, several at a time.

Python 3.9, standard library only. One JSON object a line in both directions: a reboot costs no more than one line.
From the host: {"id", "op": "run", "argv", "env", "timeout", "input"}, then {"id", "op": "in", "data"} and
{"id", "op": "eof"} if there is input; {"id", "op": "kill"}.
To the host: {"op": "hello", "boot"}, {"id", "op": "out" or "err", "data"}, {"id", "op": "end", "code", "timed_out"}.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

PORT = "/dev/virtio-ports/org.mpio.lab"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
CHUNK = 48 * 1024
LINGER = 1.0  # seconds that a daemon may keep its starter's output open


class Port:
    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.lock = threading.Lock()

    def say(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self.lock:
            while line:
                line = line[os.write(self.fd, line) :]


class Job:
    """One command: its input comes from a queue, its output goes to the port."""

    def __init__(self, port: Port, message: dict[str, Any]) -> None:
        self.port = port
        self.id = message["id"]
        self.input: queue.Queue[bytes | None] = queue.Queue()
        self.timed_out = False
        self.process = subprocess.Popen(
            message["argv"],
            stdin=subprocess.PIPE if message["input"] else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={**ENVIRONMENT, **(message.get("env") or {})},
            start_new_session=True,
        )
        threading.Thread(target=self.attend, args=(message.get("timeout"),), daemon=True).start()
        threading.Thread(target=self.feed, daemon=True).start()

    def feed(self) -> None:
        pipe = self.process.stdin
        if not pipe:
            return
        with contextlib.suppress(BrokenPipeError), pipe:
            while (data := self.input.get()) is not None:
                pipe.write(data)
                pipe.flush()

    def pour(self, op: str, pipe: IO[bytes]) -> None:
        while data := os.read(pipe.fileno(), CHUNK):
            self.port.say({"id": self.id, "op": op, "data": base64.b64encode(data).decode()})

    def attend(self, timeout: float | None) -> None:
        assert self.process.stdout
        assert self.process.stderr
        pipes = (("out", self.process.stdout), ("err", self.process.stderr))
        pourers = [threading.Thread(target=self.pour, args=pipe, daemon=True) for pipe in pipes]
        for pourer in pourers:
            pourer.start()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self.kill()
            self.process.wait()
        for pourer in pourers:
            pourer.join(LINGER)
        self.input.put(None)
        code = self.process.returncode
        self.port.say(
            {"id": self.id, "op": "end", "code": 128 - code if code < 0 else code, "timed_out": self.timed_out}
        )

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def obey(port: Port, jobs: dict[int, Job], message: dict[str, Any]) -> None:
    op, number = message["op"], message.get("id", 0)
    if op == "hello":
        port.say(hello())
    elif op == "run":
        for old in [n for n, job in jobs.items() if job.process.returncode is not None]:
            del jobs[old]
        try:
            jobs[number] = Job(port, message)
        except OSError as error:
            text = base64.b64encode(f"{message['argv'][0]}: {error.strerror}\n".encode()).decode()
            port.say({"id": number, "op": "err", "data": text})
            code = 127 if isinstance(error, FileNotFoundError) else 126
            port.say({"id": number, "op": "end", "code": code, "timed_out": False})
    elif number in jobs:
        if op == "in":
            jobs[number].input.put(base64.b64decode(message["data"]))
        elif op == "eof":
            jobs[number].input.put(None)
        elif op == "kill":
            jobs[number].kill()


def hello() -> dict[str, Any]:
    return {"op": "hello", "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(), "pid": os.getpid()}


def main() -> int:
    port = Port(int(sys.argv[1]) if sys.argv[1:] else os.open(PORT, os.O_RDWR))
    # The empty line ends whatever an earlier agent left unfinished.
    os.write(port.fd, b"\n")
    port.say(hello())
    jobs: dict[int, Job] = {}
    rest = b""
    while data := os.read(port.fd, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):
                obey(port, jobs, json.loads(line or b"null") or {"op": ""})
    return 1  # nobody at the other end: systemd starts us again


if __name__ == "__main__":
    sys.exit(main())
