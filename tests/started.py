"""`started.py PROGRAMS ARGV…`: mpio, with the programs of this folder as the host's; they say what they were given."""

from __future__ import annotations

import sys

from mpio import cli, run


def main(programs: str, *argv: str) -> int:
    run.PATH = programs
    run.ENVIRONMENT["PATH"] = programs
    return cli.main(list(argv))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
