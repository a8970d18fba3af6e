"""What a person writes for a LUN's WWID, as multipath writes it."""

from __future__ import annotations

import re

# scsi_id's and sysfs's names of the designator types: t10 vendor, EUI-64, NAA (multipath: "1", "2", "3")
_NAA = re.compile(r"(?:3|naa\.)([0-9a-f]{32}|[0-9a-f]{16})", re.IGNORECASE)
_EUI = re.compile(r"(?:2|eui\.)([0-9a-f]{32}|[0-9a-f]{16})", re.IGNORECASE)
_T10_DOTTED = re.compile(r"t10\.(.*)", re.IGNORECASE | re.DOTALL)
_T10 = re.compile(r"1[!-~]+")
_BARE_NAA = re.compile(r"6[0-9a-f]{31}", re.IGNORECASE)
_LONGEST = 127  # WWID_SIZE of libmultipath, without its end


def wwid(text: str) -> str:
    """The WWID in multipath's own form; ValueError says what is wrong.

    T10 names keep their case; runs of blanks in them become `_`, as scsi_id does for ID_SERIAL.
    """
    written = text.strip()
    if found := _NAA.fullmatch(written):
        return "3" + found[1].lower()
    if found := _EUI.fullmatch(written):
        return "2" + found[1].lower()
    if found := _T10_DOTTED.fullmatch(written):
        return _t10("1" + "_".join(found[1].split()), text)
    if written.startswith("1"):
        return _t10(written, text)
    if _BARE_NAA.fullmatch(written):
        raise ValueError(f"{text!r} is the LU's own name; multipath writes it 3{written.lower()}")
    raise ValueError(
        f"{text!r} is no WWID as multipath writes it:"
        " 3 and 32 or 16 hex digits, 2 and 16 or 32 hex digits, or 1 and a name"
    )


def of_lun(text: str) -> str:
    """As `wwid`, and a LUN's own name too, as COMSTAR prints it: upper case, without multipath's 3."""
    return wwid("3" * bool(_BARE_NAA.fullmatch(text.strip())) + text.strip())


def _t10(name: str, text: str) -> str:
    if not _T10.fullmatch(name) or '"' in name or len(name) > _LONGEST:
        raise ValueError(f"{text!r} is no T10 name: 1 and up to {_LONGEST - 1} visible ASCII characters, no quotes")
    return name
