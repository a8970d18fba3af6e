"""What run.py and speed.py have in common: they are asked for readers by name, and tell a line at once."""

from __future__ import annotations

import argparse
import sys


def parser(about: str | None) -> argparse.ArgumentParser:
    asked = argparse.ArgumentParser(description=about)
    asked.add_argument("readers", nargs="*")
    return asked


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
