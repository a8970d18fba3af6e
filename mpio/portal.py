"""Where a target listens. Apart from the host's other values: the site has portals too, and is read every minute."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Portal:
    """An iSCSI portal: a numeric address and a TCP port."""

    address: str
    port: int = 3260

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Portal:
        """`10.0.0.1`, `10.0.0.1:3260`, `fd00::1`, `[fd00::1]` or `[fd00::1]:3260`; ValueError otherwise."""
        if text.startswith("["):
            address, closed, rest = text[1:].partition("]")
            if not closed or (rest and not rest.startswith(":")):
                raise ValueError(f"{text!r} is not a portal")
            port = rest[1:] if rest else "3260"
        elif text.count(":") == 1:
            address, _, port = text.partition(":")
        else:
            address, port = text, "3260"
        number = int(port) if port.isascii() and port.isdigit() else 0
        if not 1 <= number <= 65535:
            raise ValueError(f"{text!r} has no port between 1 and 65535")
        return cls(str(ipaddress.ip_address(address)), number)

    @property
    def version(self) -> int:
        return 6 if ":" in self.address else 4  # of a record's host name, too: no error
