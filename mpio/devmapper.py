"""What the device mapper says of paths, asked of the kernel by libdevmapper: no program, about a millisecond.

The library is dmsetup's own, and multipathd's: it is there wherever there are maps.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from mpio.errors import MissingProgram, MpioError, UnreadableOutput
from mpio.tools import dmsetup

LIBRARIES = ("libdevmapper.so.1.02.1", "libdevmapper.so.1.02")  # Debian's, and that of the others
STATUS = 10  # libdevmapper.h, DM_DEVICE_STATUS
MULTIPATH = b"multipath"

_SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)


@cache
def _library() -> Any:
    found = _loaded()
    found.dm_task_create.restype = ctypes.c_void_p
    found.dm_get_next_target.restype = ctypes.c_void_p
    for name in ("dm_task_destroy", "dm_task_run", "dm_task_get_errno", "dm_task_no_flush", "dm_task_no_open_count"):
        getattr(found, name).argtypes = (ctypes.c_void_p,)
    found.dm_task_set_major_minor.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int)
    pointers = (ctypes.POINTER(ctypes.c_uint64),) * 2 + (ctypes.POINTER(ctypes.c_char_p),) * 2
    found.dm_get_next_target.argtypes = (ctypes.c_void_p, ctypes.c_void_p, *pointers)
    # It would say on stderr that a map has gone meanwhile. The callback must live as long as the library.
    found.silent = _SILENT(lambda *_: None)
    found.dm_log_init(found.silent)
    return found


def _loaded() -> Any:
    for name in LIBRARIES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name, use_errno=True)
    raise MissingProgram(f"the library {LIBRARIES[0]} is not installed", "install multipath-tools, which brings it")


def path_states(numbers: Mapping[str, str]) -> dict[str, dict[str, dmsetup.PathStatus]]:
    """The paths of these maps by major:minor; `numbers` gives each map's own major:minor. A map that has gone or that
    is none of multipath's is left out. Raises MpioError where the library is not there or the kernel does not answer.
    """
    return {name: of for name, number in numbers.items() if (of := _paths(number)) is not None}


def _paths(number: str) -> dict[str, dmsetup.PathStatus] | None:
    major, _, minor = number.partition(":")
    if not (major.isdecimal() and minor.isdecimal()):
        return None
    task = _library().dm_task_create(STATUS)
    if not task:
        raise MpioError("libdevmapper has no memory")
    try:
        return {p.dev_t: p for p in parse_lines(_lines(task, int(major), int(minor)))}
    finally:
        _library().dm_task_destroy(task)


def parse_lines(lines: Iterable[str]) -> tuple[dmsetup.PathStatus, ...]:
    found: tuple[dmsetup.PathStatus, ...] = ()
    for line in lines:
        try:
            found += dmsetup.parse_status(line)["map"]
        except KeyError as error:
            raise UnreadableOutput(line, "device mapper") from error
    return found


def _lines(task: int, major: int, minor: int) -> Iterator[str]:
    """What `dmsetup status --target multipath` would print of one map."""
    library = _library()
    library.dm_task_set_major_minor(task, major, minor, 1)
    # Neither may wait for I/O of the map, nor count who has it open.
    library.dm_task_no_flush(task)
    library.dm_task_no_open_count(task)
    if not library.dm_task_run(task):
        error = library.dm_task_get_errno(task)
        if error == errno.ENXIO:
            return  # it has gone
        raise MpioError(f"the device mapper does not tell of {major}:{minor}: {os.strerror(error)}", "run as root")
    start, length = ctypes.c_uint64(), ctypes.c_uint64()
    kind, params = ctypes.c_char_p(), ctypes.c_char_p()
    following = None
    while True:
        places = (ctypes.byref(start), ctypes.byref(length), ctypes.byref(kind), ctypes.byref(params))
        following = library.dm_get_next_target(task, following, *places)
        if kind.value == MULTIPATH and params.value:
            yield f"map: {start.value} {length.value} multipath {params.value.decode('ascii', 'backslashreplace')}"
        if not following:
            return
