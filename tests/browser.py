"""A real browser's opinion of a page: where its text comes to stand, and a picture of it.

The page is shown in a frame of the wanted width, since a window of Chromium is never narrower than 500 pixels.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
DARK, LIGHT = 0, 1  # Chromium's preferredColorScheme
WRAPPER = """<!doctype html><meta charset="utf-8"><style>
body{{margin:0}} iframe{{border:0;display:block}}
</style><pre id="found" hidden></pre>{frames}"""
FRAME = '<iframe name="{name}" style="width:{width}px;height:{height}px" srcdoc="{page}"></iframe>'


@dataclass(frozen=True)
class Browser:
    """`folder` holds the browser's own files and what it made."""

    folder: Path

    def measured(self, pages: Mapping[str, str], widths: Iterable[int], *, dark: bool = False) -> list[str]:
        """What is wrong with how pages look in these widths, in words: nothing, for good ones. They share one start of
        the browser, which costs more than all the rest.
        """
        frames = []
        for name, page in pages.items():
            injected = page.replace("</body>", f"<script>{MEASURE}</script></body>")
            assert injected != page
            frames += [FRAME.format(name=f"{name} {w}", width=w, height=900, page=_free(injected)) for w in widths]
        dom = self._run("".join(frames), (1400, 900), dark, "--dump-dom")
        said = re.search(r'<pre id="found"[^>]*>(.*?)</pre>', dom, re.S)
        assert said, dom[-2000:]
        found = [json.loads(line) for line in html.unescape(said[1]).splitlines()]
        assert len(found) == len(frames), "not every page was measured"
        for one in found:
            assert one["texts"] > 10, one
            assert one["dark"] is dark, one
        return [f"{one['name']}: {problem}" for one in found for problem in one["problems"]]

    def shot(self, page: str, width: int, height: int, *, dark: bool = False) -> Path:
        """The page as a PNG, no narrower than a window can be."""
        to = self.folder / f"{width}-{'dark' if dark else 'light'}.png"
        frame = FRAME.format(name="shot", width=width, height=height, page=_free(page))
        self._run(frame, (max(width, 500), height), dark, f"--screenshot={to}")
        return to

    def _run(self, frames: str, window: tuple[int, int], dark: bool, what: str) -> str:
        source = self.folder / "page.html"
        source.write_text(WRAPPER.format(frames=frames), encoding="utf-8")
        chromium = shutil.which("chromium")
        assert chromium, "chromium is not installed: make setup"
        return subprocess.run(
            [
                *(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(f"--user-data-dir={self.folder / 'profile'}", f"--window-size={window[0]},{window[1]}"),
                *(f"--blink-settings=preferredColorScheme={DARK if dark else LIGHT}", "--virtual-time-budget=60000"),
                *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
                "--disable-dev-shm-usage",  # containers have little of it
                *(what, source.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        ).stdout


def _free(page: str) -> str:
    """The page as an attribute; it forbids scripts, and would forbid that of the measurement."""
    return html.escape(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page))
