"""The generated pages and who writes each: `make docs` runs this file, test_house.py sees that they are fresh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import manual
import reference
import rules
from completion import bash, fish, zsh

TOP = Path(__file__).parent.parent


def site_schema() -> str:
    from mpio import sitefile

    return sitefile.schema_text()


PAGES: dict[str, Callable[[], str]] = {
    "docs/cli.md": reference.cli,
    "docs/man/mpio.8": manual.mpio_8,
    "docs/man/mpio-site.5": manual.site_5,
    "contrib/completion/mpio.bash": bash.script,
    "contrib/completion/_mpio": zsh.script,
    "contrib/completion/mpio.fish": fish.script,
    "docs/findings.md": reference.finding_codes,
    "docs/presets.md": reference.preset_table,
    "docs/site.schema.json": site_schema,
    "contrib/prometheus/mpio.rules.yml": rules.text,
}

if __name__ == "__main__":
    for path, text in PAGES.items():
        (TOP / path).write_text(text(), encoding="utf-8")
