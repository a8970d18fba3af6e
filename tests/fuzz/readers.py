"""The table of all readers that are fuzzed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import of_boots
import of_host
import of_mpio
import of_programs
import of_wires
import whole_host
from fuzzed import Reader

EVERY: tuple[Reader, ...] = (
    *of_programs.READERS,
    *of_host.READERS,
    *of_mpio.READERS,
    *of_wires.READERS,
    *of_boots.READERS,
    *whole_host.READERS,
)
READERS: Mapping[str, Reader] = MappingProxyType({reader.name: reader for reader in EVERY})
