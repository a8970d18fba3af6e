"""A malicious iSCSI portal: `python3 -m vm.portal COUNTS ADDRESS:PORT=EVIL...`, in the SAN's network.

It speaks login, SendTargets with the C bit, no-ops and logouts as RFC 7143 has them, as far as the evil of an address
(`portal_says.EVILS`, `portal_disks.EVILS`) lets it. COUNTS, a file, gets what was done as JSON, a second old at most.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vm import portal_disks, portal_says

NOP_OUT, SCSI, TASK, LOGIN, TEXT, LOGOUT = 0x00, 0x01, 0x02, 0x03, 0x04, 0x06
RESPONSE, NOP_IN, ASYNC, DATA_IN = 0x20, 0x20, 0x32, 0x25
FINAL, CONTINUE, IMMEDIATE = 0x80, 0x40, 0x40
NOBODY = 0xFFFFFFFF
PDU = 8192  # of data in each
COUNTS: collections.Counter[str] = collections.Counter()
COUNTING = threading.Lock()


class Gone(Exception):
    """This connection has ended."""


@dataclass
class Line:
    """A connection at the address `at` of an evil. `slow` sends a byte a second; `digests` are wrong ones."""

    sock: socket.socket
    evil: str
    at: str
    keys: dict[str, str] = field(default_factory=dict)
    status: int = 1
    expected: int = 0
    slow: bool = False
    digests: bool = False

    def count(self, name: str, number: int = 1) -> None:
        with COUNTING:
            COUNTS[f"{self.evil} {name}"] += number

    def read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self.sock.recv(size - len(got))
            if not part:
                raise Gone
            got += part
        return got

    def hear(self) -> tuple[bytes, bytes]:
        """A PDU: its header and its data."""
        head = self.read(48)
        size = int.from_bytes(head[5:8], "big")
        self.read(4 * head[4] + 4 * self.digests)
        data = self.read(-(-size // 4) * 4 + 4 * (self.digests and size > 0))[:size]
        self.expected = int.from_bytes(head[24:28], "big") + (not head[0] & IMMEDIATE)
        return head, data

    def send(self, raw: bytes) -> None:
        if not self.slow:
            self.sock.sendall(raw)
            self.count("bytes", len(raw))
            return
        for byte in raw:
            self.sock.sendall(bytes((byte,)))
            self.count("bytes")
            time.sleep(1)  # slow is what it is to be

    def say(self, head: bytearray, data: bytes = b"", *, numbered: bool = True, length: int | None = None) -> None:
        """Send a PDU; `length` is what its header says instead of the truth."""
        head[5:8] = (len(data) if length is None else length).to_bytes(3, "big")
        head[24:36] = struct.pack(">III", self.status, self.expected & NOBODY, (self.expected + 64) & NOBODY)
        self.status += numbered
        digest = b"evil" * self.digests
        self.count("PDUs")
        self.send(bytes(head) + digest + data + bytes(-len(data) % 4) + (digest if data else b""))


def header(opcode: int, flags: int, request: bytes = bytes(48)) -> bytearray:
    """An answer's, with the request's task tag."""
    head = bytearray(48)
    head[0], head[1], head[16:20] = opcode, flags, request[16:20]
    return head


def packed(pairs: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(f"{name}={value}\0".encode() for name, value in pairs)


# -- login ---------------------------------------------------------------------------------------------------------


def login(line: Line) -> bool:
    """Negotiate; is it a discovery?"""
    line.slow = line.evil == "slow-login"
    first = True
    while True:
        head, data = line.hear()
        if head[0] & 0x3F != LOGIN:
            raise Gone
        words = (pair.partition("=") for pair in data.decode("utf-8", "replace").split("\0") if pair)
        asked = {name: value for name, _, value in words}
        line.keys.update(asked)
        discovery = line.keys.get("SessionType") == "Discovery"
        if first and (line.evil.startswith("redirect") or (line.evil.startswith("moved") and not discovery)):
            redirected(line, head)
        stage, following, transit = head[1] >> 2 & 3, head[1] & 3, head[1] & FINAL
        said = [("TargetPortalGroupTag", "1")] if first and not discovery else []
        said += [("AuthMethod", "None")] if "AuthMethod" in asked else []
        said += list(operational(line, asked)) if stage == 1 else []
        answer = header(LOGIN | RESPONSE, transit | stage << 2 | (following if transit else 0), head)
        answer[8:14] = head[8:14]
        answer[14:16] = b"\0\7" if transit and following == 3 else head[14:16]
        line.say(answer, packed(said))
        first = False
        if transit and following == 3:
            line.count("logins")
            line.slow = False
            return discovery


def operational(line: Line, asked: dict[str, str]) -> Iterator[tuple[str, str]]:
    digests = line.evil == "digests" and line.keys.get("SessionType") != "Discovery"
    fixed = {"InitialR2T": "Yes", "ImmediateData": "No", "ErrorRecoveryLevel": "0", "MaxConnections": "1"}
    told = ("InitiatorName", "InitiatorAlias", "TargetName", "SessionType", "MaxRecvDataSegmentLength", "AuthMethod")
    for name, value in asked.items():
        if name.endswith("Digest"):
            line.digests = False
            yield name, "CRC32C" if digests and "CRC32C" in value else "None"
        elif name not in told:
            yield name, fixed.get(name, value.partition(",")[0])
    yield "MaxRecvDataSegmentLength", "262144"


def redirected(line: Line, request: bytes) -> None:
    """Status class 1: the target has moved, for now (1) or for good (2)."""
    where = portal_says.elsewhere(line.evil)
    answer = header(LOGIN | RESPONSE, request[1] & 0x0C, request)
    answer[8:14], answer[36], answer[37] = request[8:14], 1, 2 if "permanent" in line.evil else 1
    line.say(answer, packed([("TargetAddress", where)]))
    line.count("redirects")
    raise Gone


# -- discovery -----------------------------------------------------------------------------------------------------


def discovery(line: Line) -> None:
    """Answer SendTargets with what the evil says, in as many PDUs as that takes."""
    while True:
        head, _ = line.hear()
        if head[0] & 0x3F == LOGOUT:
            logged_out(line, head)
        line.slow = line.evil == "slow-text"
        pieces = portal_says.pieces(line.evil, line.at, PDU)
        piece = next(pieces, b"")
        for following in itertools.chain(pieces, (None,)):
            raw = portal_says.raw(line.evil)
            if raw is not None:
                line.send(raw)
                raise Gone
            answer = header(TEXT | RESPONSE, FINAL if following is None else CONTINUE, head)
            answer[20:24] = struct.pack(">I", NOBODY if following is None else 7)
            line.say(answer, piece, length=portal_says.length(line.evil))
            line.count("names", piece.count(b"TargetName="))
            if following is not None:
                piece = following
                head, _ = line.hear()
                if head[0] & 0x3F == LOGOUT:
                    logged_out(line, head)


def logged_out(line: Line, request: bytes) -> None:
    line.say(header(LOGOUT | RESPONSE, FINAL, request))
    raise Gone


# -- sessions ------------------------------------------------------------------------------------------------------


def session(line: Line) -> None:
    """What an evil target does to who has logged in."""
    line.count("sessions")
    line.digests = line.evil == "digests"
    while True:
        head, _ = line.hear()
        opcode = head[0] & 0x3F
        if line.evil == "mute":
            line.count("unanswered")
            continue
        if opcode == LOGOUT:
            logged_out(line, head)
        misbehave(line)
        if opcode == NOP_OUT and head[16:20] != b"\xff" * 4:
            answer = header(NOP_IN, FINAL, head)
            answer[20:24] = b"\xff" * 4
            line.say(answer)
        elif opcode == TASK:
            line.say(header(TASK | RESPONSE, FINAL, head))
        elif opcode == SCSI:
            command(line, head)


def misbehave(line: Line) -> None:
    if line.evil == "garbage":
        line.send(os.urandom(4096))
        raise Gone
    if line.evil == "huge":
        line.say(header(NOP_IN, FINAL), b"x" * 64, length=0xFFFFFF)
    if line.evil in ("async-logout", "async-drop"):
        line.status += 0
        message = header(ASYNC, FINAL)
        message[16:20], message[36] = b"\xff" * 4, 1 if line.evil == "async-logout" else 3
        message[42:44] = b"\0\1"
        line.say(message)
        line.count("events")
        if line.evil == "async-drop":
            raise Gone


def command(line: Line, request: bytes) -> None:
    """A SCSI command: what the disks of this evil say to it, in a Data-In with its status, or a bad status alone."""
    line.count("commands")
    wanted = int.from_bytes(request[20:24], "big")
    data, sense = portal_disks.answer(line.evil, request[8:16], request[32:48], wanted)
    if sense:
        answer = header(SCSI | RESPONSE, FINAL, request)
        answer[3] = 2  # CHECK CONDITION
        line.say(answer, len(sense).to_bytes(2, "big") + sense)
        return
    if not data:
        line.say(header(SCSI | RESPONSE, FINAL, request))
        return
    for at in range(0, len(data), PDU):
        last = at + PDU >= len(data)
        answer = header(DATA_IN, FINAL | 1 | (2 if len(data) < wanted else 0) if last else 0, request)
        answer[8:16], answer[20:24] = request[8:16], b"\xff" * 4
        answer[36:48] = struct.pack(">III", at // PDU, at, wanted - len(data) if last else 0)
        line.say(answer, data[at : at + PDU], numbered=last)


def serve(one: socket.socket, evil: str, at: str) -> None:
    line = Line(one, evil, at)
    line.count("connections")
    with one, contextlib.suppress(Gone, OSError):
        (discovery if login(line) else session)(line)


def listen(server: socket.socket, evil: str, at: str) -> None:
    while True:
        one, _ = server.accept()
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(one, evil, at), daemon=True).start()


def main() -> None:
    counts, *places = sys.argv[1:]
    for place in places:
        at, _, evil = place.partition("=")
        assert evil in {*portal_says.EVILS, *portal_disks.EVILS}, evil
        address, _, port = at.rpartition(":")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        server = socket.create_server((address.strip("[]"), int(port)), family=family, backlog=64)
        threading.Thread(target=listen, args=(server, evil, at), daemon=True).start()
    while True:
        with COUNTING:
            said = json.dumps(COUNTS, sort_keys=True)
        with open(f"{counts}.new", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(said)
        os.replace(f"{counts}.new", counts)
        time.sleep(0.5)  # how old the counts may be


if __name__ == "__main__":
    main()
