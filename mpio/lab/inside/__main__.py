"""`lab-san` in the guest: the SAN up, down, broken and healed. Python 3.9, standard library only."""

from __future__ import annotations

import argparse
import sys

from mpio.lab.inside import faults, san


def main() -> int:
    usage = "\n".join(f"  fault {name} {args}" for name, args in faults.FAULTS.items())
    parser = argparse.ArgumentParser(prog="lab-san", epilog=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="build the SAN, in place of any other")
    verbs.add_parser("heal", help="undo every fault")
    verbs.add_parser("down", help="take the SAN away")
    one = verbs.add_parser("fault", help="one of those below")
    one.add_argument("name", choices=sorted(faults.FAULTS))
    one.add_argument("args", nargs="*")
    options = parser.parse_args()
    if options.verb in ("up", "down"):
        san.remove()
    if options.verb == "up":
        san.build(san.description())
    elif options.verb == "heal":
        faults.heal(san.description())
    elif options.verb == "fault":
        faults.fault(san.description(), options.name, options.args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
