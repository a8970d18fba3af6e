"""`mpio` and `python -m mpio`."""

from __future__ import annotations

import sys


def main() -> int:
    # The version costs no import: scripts ask for it at every start.
    if sys.argv[1:] == ["--version"]:
        from mpio import __version__

        sys.stdout.write(f"mpio {__version__}\n")
        return 0
    from mpio import cli

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
