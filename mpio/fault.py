"""A mistake of mpio's own, as an error that says where it happened and how to report it."""

from __future__ import annotations

import os
from types import TracebackType

from mpio.errors import MpioError

_WAY = "run again with --record DIR and report that with this line; what was done until then is done"
_PACKAGE = os.path.dirname(__file__)


class Fault(MpioError):
    """What nobody reckoned with. Running again may or may not help."""

    code = "fault"


def of(error: BaseException) -> Fault:
    """By the kind of the error alone where it is no refusal of the kernel's: its words may hold what was read, a secret
    too.
    """
    said = type(error).__name__
    if isinstance(error, OSError) and error.errno:
        where = f", {error.filename}" if isinstance(error.filename, str) else ""
        said += f": {os.strerror(error.errno)}{where}"
    return Fault(f"a fault of mpio itself, at {_place(error.__traceback__)}: {said}", _WAY)


def _place(trace: TracebackType | None) -> str:
    """The last line of ours: below it are libraries, and Python's own."""
    place = "an unknown line"
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(_PACKAGE + os.sep):
            place = f"mpio{file.removeprefix(_PACKAGE)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
