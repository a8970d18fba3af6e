"""What the malicious portal says to SendTargets, by its evil."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

REAL_1 = "iqn.2011-09.dom.homer:01:13611547-b4e6-e4b9-d97b-d1f4df275f58"
REAL_2 = "iqn.2011-09.dom.homer:02:0e4f921a-407e-eb9f-9f53-aded8d99a723"
OWN = "iqn.2011-09.dom.homer:evil"  # as the globs of the site's [san] have it
MANY = 100_000
CROWD = 5_000

# Names that no target may have. None of them may come to a command, a file, a terminal or a page.
NAMES: tuple[str | bytes, ...] = (
    "../../../../etc/cron.d/evil",
    f"{OWN}/../../../../../tmp/evil",
    f"{OWN}/x",
    f"{OWN}\x1b[2J\x1b]0;evil\x07",
    f"{OWN}\x9b31m",
    f"{OWN}\u202eevil\u2066",
    f"{OWN}\r[1K",
    f"{OWN}\tx",
    f"{OWN}$(touch /tmp/evil)",
    f"{OWN}`touch /tmp/evil`",
    f"{OWN};touch /tmp/evil",
    f"{OWN}|touch$IFS/tmp/evil",
    f"{OWN}&& touch /tmp/evil",
    f"{OWN}'\"",
    f"{OWN} with blanks",
    f"{OWN}%s%n%x",
    f"{OWN}<script>alert(1)</script>",
    f'{OWN}"}},{{"x":"',
    "-o",
    "--login",
    "--op=delete",
    ".",
    "..",
    "",
    "x" * 223,
    f"{OWN}*",
    f"{OWN}\\",
    f"{OWN}#",
    f"{OWN}=x",
    f"{OWN},1",
)
# A line of its own in iscsiadm's answer, which reads like a target elsewhere.
BROKEN = (f"{OWN}-broken\n10.10.8.90:3260,1 {OWN}-forged", f"{OWN}\nno line of iscsiadm's", f"{OWN}\n\n")
UTF8 = (b"iqn.2011-09.dom.homer:evil-\xff\xfe", b"iqn.2011-09.dom.homer:evil-\xc3\x28", b"\xed\xa0\x80", b"\xf0\x28")
LONG = tuple("iqn.2011-09.dom.homer:".ljust(size, "x") for size in (223, 224, 255, 256, 1_000, 10_000))
ADDRESSES = (
    "127.0.0.1:3260,1",
    "[::1]:3260,1",
    "0.0.0.0:3260,1",
    "[::]:3260,1",
    "169.254.1.1:3260,1",
    "[fe80::1]:3260,1",
    "224.0.0.1:3260,1",
    "[ff02::1]:3260,1",
    "255.255.255.255:3260,1",
    "203.0.113.5:3260,1",
    "192.168.77.7:3260,1",
    "[2001:db8::5]:3260,1",
    "[::ffff:127.0.0.1]:3260,1",
    "10.10.8.20:3260,1",  # the host itself
    "10.10.8.255:3260,1",
    "10.10.8.95:0,1",
    "10.10.8.95:99999,1",
    "10.10.8.95:3260,-1",
    "10.10.8.95:3260,99999999",
    "10.10.8.95:3260,x",
    "10.10.8.95,1",
    "localhost:3260,1",
)
# At the first of these iscsiadm passes over all that follows, and ends with 0.
NOWHERE = ("10.10.8.95:-1,1", "evil.example:3260,1", "$(reboot)\x1b[2J:3260,1", "[not]:3260,1", ":3260,1", ",", "")
# What a portal says of others: the site's real targets at its own address, at a portal that has none of them, with
# another group tag, at loopback and far away; and one target twice.
CLAIMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (REAL_1, ("127.0.0.1:3260,2", "203.0.113.5:3260,2", "10.10.8.90:3260,77")),
    (REAL_2, ("10.10.8.90:3260,3", "169.254.1.1:3260,3", "10.10.9.90:3260,77")),
    (REAL_2, ("[fe80::90]:3260,3", "192.168.77.7:3260,3")),
)
EVILS = (
    "mixed", "names", "broken", "long", "utf8", "addresses", "nowhere", "claims", "many", "crowd",
    "endless", "endless-name", "endless-nothing", "slow-login", "slow-text",
    "huge-text", "garbage-text", "silent-text", "honest", "moved", "moved-foreign",
    "redirect-loopback", "redirect-permanent-loopback", "redirect-foreign", "redirect-permanent-foreign",
    "redirect-self", "redirect-name", "redirect-garbage",
)  # fmt: skip
_ELSEWHERE = {
    "loopback": "127.0.0.1:3260,1",
    "foreign": "203.0.113.5:3260,1",
    "self": "10.10.8.95:3260,1",
    "moved": "10.10.8.95:3260,1",
    "name": "evil.example:3260,1",
    "garbage": "$(reboot)\x1b[2J",
}


ODD: dict[str, tuple[str | bytes, ...]] = {"names": NAMES, "broken": BROKEN, "long": LONG, "utf8": UTF8}


def elsewhere(evil: str) -> str:
    return _ELSEWHERE[evil.rpartition("-")[2]]


def _target(name: str | bytes, *addresses: str) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode()
    return b"TargetName=" + raw + b"\0" + b"".join(f"TargetAddress={a}\0".encode() for a in addresses)


def _said(evil: str, at: str) -> Iterable[bytes]:
    """The answer in the order it is given; for an endless one without end."""
    here = f"{at},1"
    places = (f"10.10.{8 + number % 2}.{number // 2 % 250}:{3000 + number // 500},1" for number in range(CROWD))
    whole: dict[str, Iterable[bytes]] = {
        "many": (_target(f"{OWN}-{number}", here) for number in range(MANY)),
        "endless": (_target(f"{OWN}-{number}", here) for number in itertools.count()),
        "endless-name": itertools.chain([b"TargetName=iqn."], itertools.repeat(b"x" * 1024)),
    }
    if evil in whole:
        return whole[evil]
    odd: dict[str, Iterable[bytes]] = {
        **{name: (_target(one, here) for one in names) for name, names in ODD.items()},
        "addresses": (_target(f"{OWN}-a{number}", one) for number, one in enumerate(ADDRESSES)),
        "nowhere": (_target(f"{OWN}-n{number}", one) for number, one in enumerate(NOWHERE)),
        "claims": (_target(name, *others) for name, others in CLAIMS),
        "crowd": [_target(f"{OWN}-crowd", *places)],
    }
    odd["mixed"] = itertools.chain(odd["names"], odd["utf8"], odd["claims"], odd["addresses"])
    return [_target(f"{OWN}-{evil}", here), *odd.get(evil, ())]


def pieces(evil: str, at: str, size: int) -> Iterator[bytes]:
    """The answer cut into PDUs of this size."""
    if evil == "endless-nothing":
        yield from itertools.repeat(b"")
    held = bytearray()
    for one in _said(evil, at):
        held += one
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    yield bytes(held)


def raw(evil: str) -> bytes | None:
    """Bytes that are no answer, where the evil sends these instead."""
    return {"garbage-text": b"\xff\x00\x1b[2J" * 1024, "silent-text": b""}.get(evil)


def length(evil: str) -> int | None:
    """What the header says of the data's length, where that is a lie."""
    return 0xFFFFFF if evil == "huge-text" else None
