"""`mpio` and `python -m mpio`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    # The version costs no import: scripts ask for it at every start.
    if sys.argv[1:] == ["--version"]:
        from mpio import __version__

        # closed: who closed it wants nothing of it
        return _written(1, f"mpio {__version__}\n") if sys.stdout else 0
    try:
        return _called()
    except KeyboardInterrupt:  # while modules load, for then nobody else catches it
        return _failed(130, "interrupted", "run the same verb again")


def _called() -> int:
    try:
        from mpio import cli
    except (OSError, MemoryError, ImportError, SystemError) as error:
        # What turns errors into words could not be loaded itself.
        return _failed(1, f"cannot be loaded: {error!r}", "look at the limits (ulimit -a)")
    return cli.main(sys.argv[1:])


def _failed(code: int, what: str, way: str) -> int:
    """The end of a call that came to no verb. Nagios knows four codes, and reads stdout."""
    if "--nagios" in sys.argv:
        if sys.stdout:
            _written(1, f"MPIO UNKNOWN - {what}\n")
        return 3
    if sys.stderr:
        _written(2, f"mpio: {what}\n  {way}\n")
    return code


def _written(fd: int, text: str) -> int:
    """Past Python's buffers: it would try once more at its end to write what is left, and end with 120."""
    try:
        os.write(fd, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        if fd != 2 and sys.stderr and not isinstance(error, BrokenPipeError):  # its reader has gone and wants nothing
            _written(2, f"mpio: cannot write the output: {error.strerror}\n  make room where it goes\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
