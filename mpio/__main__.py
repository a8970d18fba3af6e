"""`mpio` and `python -m mpio`."""

from __future__ import annotations

import sys


def main() -> int:
    # The version costs no import: scripts ask for it at every start.
    if sys.argv[1:] == ["--version"]:
        from mpio import __version__

        if sys.stdout:  # closed: who closed it wants nothing of it
            sys.stdout.write(f"mpio {__version__}\n")
        return 0
    try:
        from mpio import cli
    except (OSError, MemoryError, ImportError, SystemError) as error:
        # What turns errors into words could not be loaded itself.
        sys.stderr.write(f"mpio: cannot be loaded: {error!r}\n  look at the limits (ulimit -a)\n")
        return 1

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
