"""A drill as a picture: latency of reads over time, the outage shaded, and when each layer noticed. SVG text.

matplotlib is an extra of its own (`plot`) and imported here only.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from mpio.errors import MpioError

WIDTH, HEIGHT = 10.0, 3.6  # inches, of one panel
FLOOR = 1e-4  # seconds: a log axis has no zero
DRAWN = 10  # LUNs with a line of their own look; more share them
# Told apart without colour too: by the marks of lines, and by words at what is marked.
LINES = ("-", "--", "-.", ":")
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000")
LAYERS = {
    "carrier": "carrier",
    "session": "session",
    "device": "SCSI device",
    "checker": "checker",
    "dm": "device mapper",
}


def need() -> None:
    """Raise where there is nothing to draw with."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MpioError(
            "--plot draws with matplotlib, which is not installed", 'pip install "mpio-toolkit[plot]"'
        ) from error


def svg(drills: Sequence[Mapping[str, Any]]) -> str:
    """One panel for each of the documents of `drilled.document`. The same documents give the same text."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "mpio", "svg.fonttype": "none", "font.size": 9, "path.simplify": False}):
        figure = Figure(figsize=(WIDTH, HEIGHT * max(1, len(drills))), layout="constrained")
        FigureCanvasSVG(figure)
        panels = figure.subplots(max(1, len(drills)), 1, squeeze=False)
        for panel, one in zip(panels[:, 0], drills, strict=False):
            _panel(panel, one)
        if not drills:
            panels[0, 0].text(0.5, 0.5, "nothing was drilled", ha="center")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _panel(panel: Any, one: Mapping[str, Any]) -> None:
    limit = one["budget"]["limit"]
    for number, lun in enumerate(one["luns"][:DRAWN]):
        panel.plot(
            # A read is a level from its begin to its end, so that a stall is as wide as it was long.
            [moment for t, latency in lun["series"] for moment in (t, t + latency)],
            [max(FLOOR, latency) for _, latency in lun["series"] for _ in range(2)],
            linestyle=LINES[number % len(LINES)],
            color=COLORS[number % len(COLORS)],
            linewidth=1,
            label=lun["alias"] or lun["wwid"],
        )
        if lun["failed"]:
            failed = [t for t, _ in lun["failed"]]
            panel.plot(failed, [FLOOR] * len(failed), linestyle="", marker="x", color="#000000", label="failed read")
    panel.set_yscale("log")
    panel.set_ylim(bottom=FLOOR, top=2000 * max(1.0, one["stall"], limit or 0.0))
    panel.axvspan(0, one["put_back"], facecolor="#bbbbbb", alpha=0.35, hatch="//", edgecolor="#999999", linewidth=0)
    panel.text(0, 1.01, "away", transform=panel.get_xaxis_transform(), va="bottom")
    panel.text(one["put_back"], 1.01, "put back", transform=panel.get_xaxis_transform(), va="bottom")
    if limit is not None:
        panel.axhline(limit, color="#000000", linestyle=(0, (8, 4)), linewidth=0.8)
        panel.annotate(f"budget {limit:.1f} s", (1.01, limit), xycoords=("axes fraction", "data"), va="center")
    _marks(panel, one)
    panel.set_title(f"{one['thing']}, {one['how']}: longest stall {one['stall']:.2f} s, {one['errors']} errors", pad=16)
    panel.set_xlabel("seconds since the take-away")
    panel.set_ylabel("latency of a read, s")
    if one["luns"]:
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.3), frameon=False)


def _marks(panel: Any, one: Mapping[str, Any]) -> None:
    """A line for each layer that noticed, in order of time, each label on a height of its own."""
    seen = [(t, LAYERS[name]) for name, t in one["noticed"].items() if t is not None]
    if one["whole"] is not None:
        seen.append((one["whole"], "whole again"))
    left, right = panel.get_xlim()
    for rank, (at, word) in enumerate(sorted(seen)):
        late = at > left + 0.6 * (right - left)  # its label goes to the left, where there is room
        panel.axvline(at, color="#444444", linestyle=":", linewidth=1)
        panel.annotate(
            f"{word} {at:.1f} s",
            (at, 0.97 - 0.09 * rank),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if late else 4, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.9},
        )
