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
        from mpio import cli
    except (OSError, MemoryError, ImportError, SystemError) as error:
        # What turns errors into words could not be loaded itself.
        if sys.stderr:
            _written(2, f"mpio: cannot be loaded: {error!r}\n  look at the limits (ulimit -a)\n")
        return 1

    return cli.main(sys.argv[1:])


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
