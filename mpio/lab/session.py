"""A guest that stays: `up` keeps one in the background, `run` uses it, `down` ends it.

A process of its own owns the guest and listens at a socket, whose existence is all the state there is: who connects
speaks with the guest's agent, and that process keeps the commands of several clients apart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mpio import errors
from mpio.lab import channel, guest, image, process, qemu, san
from mpio.lab.channel import Channel, Hear
from mpio.lab.process import Say

NAME = "lab"
SITE = Path(__file__).parent / "guide-site.toml"


def folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    place = Path(runtime) / "mpio-lab" if runtime else process.cache() / "run"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def at(name: str = NAME) -> Path:
    """The socket of that guest, there while it is."""
    return folder() / f"{name}.sock"


def _connect(name: str) -> socket.socket | None:
    """None if there is no guest; a socket that nobody listens at is what a crash left, and goes."""
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(str(at(name)))
    except FileNotFoundError:
        client.close()
        return None
    except ConnectionRefusedError:
        client.close()
        at(name).unlink(missing_ok=True)
        return None
    return client


@contextmanager
def attached(name: str = NAME) -> Iterator[guest.Remote | None]:
    """The guest in the background, None if there is none."""
    client = _connect(name)
    if client is None:
        yield None
        return
    line = Channel(client)
    try:
        line.wait_boot(60)
        yield guest.Remote(line)
    finally:
        line.close()


@contextmanager
def any_guest(say: Say = process.quiet, name: str = NAME) -> Iterator[guest.Remote]:
    """The guest in the background or, without one, a guest for as long as this lasts."""
    with attached(name) as running:
        if running:
            yield running
            return
    with guest.Guest(say=say) as temporary:
        yield temporary


def run(argv: Sequence[str], hear: Hear, say: Say = process.quiet, *, name: str = NAME, stdin: bytes = b"") -> int:
    """Run a command in a guest that has the project's present code; its exit code."""
    with any_guest(say, name) as where:
        where.push_project()
        return where.run(argv, stdin=stdin, timeout=None, hear=hear).code


def up(say: Say = process.quiet, *, name: str = NAME, suite: str = image.DEFAULT, layout: Path | None = None) -> bool:
    """Start a guest in the background; False if there is one. `layout` is a file with a SAN's description (JSON)."""
    with attached(name) as running:
        if running:
            return False
    image.get(suite, say)
    say("starting the guest")
    log = folder() / f"{name}.log"
    with log.open("wb") as sink:
        owner = subprocess.Popen(
            [sys.executable, "-m", "mpio.lab.session", "serve", "--name", name, "--suite", suite]
            + (["--san", str(layout)] if layout else []),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": _import_path()},
        )
    assert owner.stdout
    with owner.stdout:
        try:
            ready = owner.stdout.readline()
        except BaseException:
            owner.terminate()
            owner.wait()
            raise
    said = log.read_text(errors="replace")
    log.unlink()
    if not ready:
        owner.wait()
        raise channel.GuestLost(f"the guest did not start:\n{said}".rstrip())
    return True


def _import_path() -> str:
    here = str(Path(guest.__file__).parent.parent.parent)
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])


def down(name: str = NAME) -> bool:
    """End the guest in the background; False if there was none. Returns when nothing of it is left."""
    client = _connect(name)
    if client is None:
        return False
    with client:
        client.sendall(b'{"op": "down"}\n')
        client.settimeout(60)
        while client.recv(1 << 16):  # until the owner has ended
            pass
    return True


def order(verb: str, name: str = NAME) -> None:
    """`reset`, `checkpoint` or `restore` the guest in the background."""
    with attached(name) as running:
        if not running:
            raise errors.UnknownName("no guest is up", "mpio lab up")
        call = channel.Call((verb,), None)
        running.channel.send({"op": verb, "id": running.channel.attach(call)})
        call.over.wait()
        if call.lost:
            raise channel.GuestLost(call.lost)


# -- the owner


@dataclass(slots=True)
class Relay:
    """One command of one client."""

    client: Client
    number: int

    def take(self, message: Mapping[str, Any]) -> None:
        self.client.say({**message, "id": self.number})

    def lose(self, why: str) -> None:
        self.client.say({"id": self.number, "op": "lost", "why": why})


class Client(socketserver.StreamRequestHandler):
    """A connection: its lines go to the agent under numbers of ours."""

    def say(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError), self._saying:
            self.wfile.write(json.dumps(message).encode() + b"\n")

    def handle(self) -> None:
        self._saying = threading.Lock()
        owner = cast("Owner", self.server)
        numbers: dict[int, int] = {}
        line = owner.guest.channel
        tell = self._tell
        line.on_hello.append(tell)
        tell(line.boot)
        try:
            for text in self.rfile:
                self._obey(owner, numbers, json.loads(text))
        except (errors.MpioError, OSError) as error:
            sys.stderr.write(f"a client was lost: {error}\n")
        finally:
            line.on_hello.remove(tell)
            for number in numbers.values():
                line.detach(number)
                with contextlib.suppress(errors.MpioError):
                    line.send({"id": number, "op": "kill"})

    def _tell(self, boot: str) -> None:
        if boot:
            self.say({"op": "hello", "boot": boot})

    def _obey(self, owner: Owner, numbers: dict[int, int], message: dict[str, Any]) -> None:
        op = message["op"]
        if op == "down":
            owner.end.set()
        elif op in ("reset", "checkpoint", "restore"):
            try:
                getattr(owner.guest, op)()
            except errors.MpioError as error:
                self.say({"id": message["id"], "op": "lost", "why": error.message})
            else:
                self.say({"id": message["id"], "op": "end", "code": 0, "timed_out": False})
        else:
            if op == "run":
                numbers[message["id"]] = owner.guest.channel.attach(Relay(self, message["id"]))
            owner.guest.channel.send({**message, "id": numbers[message["id"]]})


class Owner(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, owned: guest.Guest) -> None:
        self.guest = owned
        self.end = threading.Event()
        super().__init__(str(path), Client)


def serve(name: str, suite: str, layout: Path | None) -> int:
    """Own a guest until somebody says `down`, the guest dies, or a signal comes."""
    qemu.end_on_sigterm()
    wanted = san.from_json(layout.read_text()) if layout else san.GUIDE
    path = at(name)
    with guest.Guest(wanted, suite, companion=path) as owned:
        path.unlink(missing_ok=True)
        try:
            with Owner(path, owned) as owner:
                owned.channel.on_hello.append(lambda boot: None if boot else owner.end.set())
                threading.Thread(target=owner.serve_forever, daemon=True).start()
                sys.stdout.write("ready\n")
                sys.stdout.flush()
                sys.stdout.close()
                owner.end.wait()
                owner.shutdown()
        finally:
            path.unlink(missing_ok=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mpio.lab.session", description=__doc__)
    parser.add_argument("verb", choices=["up", "run", "down", "reset", "checkpoint", "restore", "serve"])
    parser.add_argument("--name", default=NAME, help="which guest, of several")
    parser.add_argument("--suite", default=image.DEFAULT)
    parser.add_argument("--san", type=Path, metavar="FILE", help="another SAN than the guide's (JSON)")
    parser.add_argument("-i", "--stdin", action="store_true", help="give the command our input, read to its end first")
    # All after `--` is the command: argparse would look for options of ours in it.
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, argv = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]

    try:
        match options.verb:
            case "up":
                up(process.to_stderr, name=options.name, suite=options.suite, layout=options.san)
            case "run":
                given = sys.stdin.buffer.read() if options.stdin else b""
                return run(argv, channel.pass_on, process.to_stderr, name=options.name, stdin=given)
            case "down":
                down(options.name)
            case "serve":
                return serve(options.name, options.suite, options.san)
            case verb:
                order(verb, options.name)
    except errors.MpioError as error:
        process.to_stderr(f"{error.message}\n{error.hint}".rstrip())
        return error.exit
    return 0


if __name__ == "__main__":
    sys.exit(main())
