"""What a word of the site file may look like: each check gives the value that is kept, or ValueError says why not."""

from __future__ import annotations

import ipaddress
import re

from mpio.portal import Portal

IFACE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
ALIAS = r"[A-Za-z0-9][A-Za-z0-9#+.:=@_-]{0,126}"
INITIATOR = (
    r"iqn\.[0-9]{4}-(?:0[1-9]|1[0-2])\.[a-z0-9][a-z0-9.:_-]*|eui\.[0-9a-f]{16}|naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})"
)
# dev_valid_name() of the kernel: no slash, colon or blank, IFNAMSIZ less its end; less what sysctl.d cannot name
NIC = r"[!#-)+-.0-9;<>@-Z^-~]{1,15}"
TARGET = r"[A-Za-z0-9.:_*?\[\]!-]{1,223}"
NODE_KEY = r"node(?:\.[A-Za-z0-9_]+(?:\[[0-9]+\])?)+"
PATH = r"/[^\x00-\x1f\x7f\"]{1,4000}"
URL = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"]+"

_LONGEST_NAME = 223  # bytes: RFC 7143, 4.2.7.1
_LONGEST = 255  # AUTH_STR_MAX_LEN of open-iscsi less its end; a value in multipath.conf must fit its 1023 bytes of line
_PORTED = re.compile(r"(?:\[[^\]]*\]|[^:]*):[0-9]+")

# Keys of records that have a place of their own, or none. Where a key stands for its whole group it ends in a dot.
_ELSEWHERE = {
    "node.session.timeo.replacement_timeout": "timeouts.replacement says it",
    "node.conn[0].timeo.noop_out_interval": "timeouts.noop_interval says it",
    "node.conn[0].timeo.noop_out_timeout": "timeouts.noop_timeout says it",
    "node.conn[0].timeo.login_timeout": "timeouts.login says it",
    "node.session.initial_login_retry_max": "timeouts.login_retries says it",
    "node.session.auth.": "[san.chap] says it",
    "node.startup": "mpio sets it: automatic, or manual while a pair is offline",
    "node.conn[0].startup": "mpio sets it with node.startup",
    "node.leading_login": "every planned pair is logged in",
    "node.session.nr_sessions": "a pair has one session",
    "node.conn[0].address": "it is what the record is about: san.portals and san.exclude choose",
    "node.conn[0].port": "it is what the record is about: san.portals and san.exclude choose",
    "node.name": "it is what the record is about: san.targets chooses",
    "node.tpgt": "it is what the record is about",
    "node.discovery_": "it is what the record is about",
}
# these are read in another base than a number would be written in (libmultipath/dict.c set_mode, set_reservation_key)
_NOT_DECIMAL = {"mode": 'octal, as in "0640"', "reservation_key": 'hexadecimal, as in "0x1a2b"'}


def line(text: str) -> str:
    """A text that ends up in a line of somebody's file."""
    if not text:
        raise ValueError("must not be empty")
    if not text.isprintable() or '"' in text:
        raise ValueError(f"{text[:40]!r} has a control character, a line break or a double quote")
    if text != text.strip():
        raise ValueError(f"{text[:40]!r} begins or ends with a blank")
    if len(text.encode()) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} bytes")
    return text


def _match(pattern: str, text: str, wanted: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(f"{text[:80]!r} is no {wanted}")
    return text


def iface(text: str) -> str:
    _match(IFACE, text, "iface name: a letter or digit, then up to 63 letters, digits, dots, - or _")
    if text in {"default", "iser", "iface.example"}:  # the last one: usr/iface.c passes over a record of that name
        raise ValueError(f"{text!r} is open-iscsi's own")
    return text


def nic(text: str) -> str:
    if text in {".", "..", "all", "default"}:  # the last two: the kernel's own below net/ipv4/conf
        raise ValueError(f"{text!r} is no NIC name")
    if odd := re.search(r"[*?\[\]\\=]", text):
        raise ValueError(f"{text[:80]!r} has {odd[0]!r}: such a NIC cannot be named in sysctl.d; rename it")
    return _match(NIC, text, "NIC name: up to 15 visible characters, no slash, colon, blank or double quote")


def initiator(text: str) -> str:
    if text != text.lower():
        raise ValueError(f"{text[:80]!r} must be lower case (RFC 7143, 4.2.7.2)")
    _match(INITIATOR, text, "initiator name: iqn.YYYY-MM.domain:name, eui. and 16 or naa. and 16 or 32 hex digits")
    if len(text) > _LONGEST_NAME:
        raise ValueError(f"is longer than {_LONGEST_NAME} bytes")
    return text


def target(text: str) -> str:
    return _match(TARGET, text, "glob for target names: letters, digits and . : - _ with * ? [ ], up to 223 characters")


def alias(text: str) -> str:
    _match(ALIAS, text, "alias: a letter or digit, then up to 126 letters, digits or # + . : = @ _ -")
    if ".." in text or text == "control":
        raise ValueError(f"{text!r} cannot be a file in /dev/mapper")
    if re.fullmatch("mpath[a-z]+", text):
        raise ValueError(f"{text!r} is a name that multipath gives itself (user_friendly_names)")
    return text


def wwid(text: str) -> str:
    from mpio.tools import wwid as wwids

    return wwids.wwid(text)


def portal(text: str) -> Portal:
    """Numeric only: a name may mean another SAN tomorrow, and records hold numbers."""
    shown = text[:80]
    if "%" in text:
        raise ValueError(f"{shown!r} is link-local: it has no meaning without a NIC, and records hold none")
    bare = text.count(":") > 1 and not text.startswith("[")
    try:
        found = Portal.parse(text)
    except ValueError:
        if re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9_.-]+(:[0-9]+)?", text):
            raise ValueError(
                f"{shown!r} is a host name: write its numeric address (a storage path must not wait for DNS)"
            ) from None
        raise ValueError(
            f"{shown!r} is no portal: write 10.10.8.90, 10.10.8.90:3260, [fd00::90] or [fd00::90]:3260"
        ) from None
    if bare:
        raise ValueError(f"{shown!r}: write an IPv6 address in brackets, as in [{found.address}]:3260")
    if text.startswith("[") and found.version == 4:
        raise ValueError(f"{shown!r}: brackets are for IPv6")
    _usable(found.address)
    return found


def _usable(text: str) -> None:
    address = ipaddress.ip_address(text)
    if address.is_multicast or address.is_unspecified or address == ipaddress.ip_address("255.255.255.255"):
        raise ValueError(f"{text!r} is nobody's address")
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_link_local:
            raise ValueError(f"{text!r} is link-local: it has no meaning without a NIC, and records hold none")
        if address.ipv4_mapped:
            raise ValueError(f"{text!r}: write {address.ipv4_mapped}")


def excluded(text: str) -> Portal:
    """Without a port, port 0: all ports of that address."""
    found = portal(text)
    return found if _PORTED.fullmatch(text) else Portal(found.address, 0)


def path(text: str) -> str:
    return line(_match(PATH, text, "absolute path"))


def url(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a control character or a line break")
    if not re.fullmatch(URL, text):  # not shown: it may hold a password
        raise ValueError("is no URL: scheme://…, without blanks and double quotes")
    return text


def argument(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a control character or a line break")  # not shown: it may be a secret
    return text


def program(argv: list[str]) -> list[str]:
    if not argv[0].startswith("/"):
        raise ValueError(f"{argv[0][:40]!r} is no absolute path")
    return argv


def no_look_alike(words: tuple[object, ...], given: object) -> object:
    """Python has True == 1 and 1.0 == 1."""
    if isinstance(given, bool | float):
        raise ValueError(f"must be {' or '.join(map(repr, words))}")
    return given


def node_key(text: str) -> str:
    _match(NODE_KEY, text, 'key of a node record: write it in quotes, as in "node.session.cmds_max"')
    plain = re.sub(r"\[[0-9]+\]", "[0]", text)
    for key, instead in _ELSEWHERE.items():
        if plain == key or (key[-1] in "._" and plain.startswith(key)):
            raise ValueError(instead)
    return text


def value(given: object, words: tuple[str, str] = ("no", "yes")) -> str:
    """A TOML value as multipath.conf wants it; `words` are false and true."""
    if isinstance(given, bool):
        return words[given]
    if isinstance(given, int):
        if given < 1:
            raise ValueError('must be at least 1; where the program means 0 or less by it, write a string: "0"')
        if given > 2**63 - 1:
            raise ValueError("is too large")
        return str(given)
    if isinstance(given, str):
        return line(given)
    raise ValueError("must be true, false, a whole number or a string")


def node_value(given: object) -> str:
    """A TOML value as node records want it: their options are compared with strcmp (usr/idbm.c)."""
    return value(given, ("No", "Yes"))


def keyword(name: str, given: object) -> str:
    if name in _NOT_DECIMAL and not isinstance(given, str):
        raise ValueError(f"must be a string: it is {_NOT_DECIMAL[name]}")
    return value(given)
