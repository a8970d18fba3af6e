"""The reference pages, written from what the program itself holds: the command tree, the findings, the presets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mpio import dropin, findings, presets
from mpio.diagnosis import mending
from mpio.presets import Preset
from mpio.tools import multipath, multipathconf

GENERATED = "<!-- Written by `make docs`; changes made here are lost. -->\n"
GROUPS = {
    "MP1": "The host and its programs",
    "MP2": "The network and the portals",
    "MP3": "Sessions and records",
    "MP4": "Maps, paths and LUNs",
    "MP5": "Configuration files",
}


def page(title: str, *blocks: str) -> str:
    return "\n".join((f"# {title}\n", GENERATED, *(f"{block}\n" for block in blocks)))


def table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells keep their pipes: GitHub ends a cell at one even inside backquotes."""
    heads = list(headers)
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


# -- the command tree, as Typer made it. Any: Click's classes live in Click or, in newer releases, inside Typer.


def command_tree() -> tuple[Any, list[tuple[str, Any]], frozenset[str]]:
    """The root, every verb with its whole name, and the names of the options that all verbs take."""
    import typer.main

    from mpio.commands import options, tree

    root: Any = typer.main.get_command(tree.app())
    return root, list(commands("mpio", root)), frozenset(options.COMMON)


def cli() -> str:
    _, verbs, shared = command_tree()
    common = [p for p in verbs[0][1].params if p.name in shared]
    return page(
        "Commands",
        "`python -m mpio` is the same as `mpio`; `mpio --version` tells the version. Results go to stdout, everything "
        "else to stderr.",
        "## Options of every verb",
        parameters(common, ("`--help`", "Show the options of the verb and end.")),
        *(block for name, command in verbs for block in _verb(name, command, shared)),
        "## Exit codes",
        table(("code", "means"), EXITS),
    )


EXITS = (
    ("0", "fine, or nothing to do"),
    ("1", "could not: not root, the lock is held, refused, unable to look"),
    ("2", "usage, site file, unknown name, loose secret file, `--yes` missing where there is no terminal to ask on"),
    ("3", "the host differs from the site"),
    ("4", "degraded: a LUN has fewer paths than expected or they share one part, or there is an error finding"),
    ("5", "failed: a LUN is missing or without a usable path"),
    ("130", "interrupted"),
)


def commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its whole name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from commands(f"{name} {word}", inner)


def _verb(name: str, command: Any, common: frozenset[str]) -> Iterator[str]:
    own = [p for p in command.params if p.name not in common]
    words = " ".join(p.metavar or p.name.upper() for p in own if p.param_type_name == "argument")
    yield f"## {name}"
    yield said(command)
    yield code(" ".join(filter(None, (name, "[OPTIONS]", words))))
    if own:
        yield parameters(own)


def parameters(params: Iterable[Any], *more: tuple[str, str]) -> str:
    rows = [(code(" ".join(filter(None, spelt(p)))), said(p)) for p in params]
    return table(("option or argument", "does"), [*rows, *more])


def spelt(param: Any) -> tuple[str, str]:
    """The words of an option, none for an argument; and what comes after them."""
    if param.param_type_name == "argument":
        return "", param.metavar or param.name.upper()
    words = ", ".join(sorted(param.opts, key=len))
    return words, "" if param.is_flag else param.metavar or param.type.name.upper()


def said(what: Any) -> str:
    """The help of a command, an option or an argument, on one line."""
    return " ".join((what.help or "").split())


# -- the findings

FINDINGS = """\
What `mpio` has to say about a host it says as a finding. A code keeps its meaning for ever. `mpio explain CODE` shows
one entry of this page.

- Severities: `info` and `warning` change no exit code; `error` makes `apply`, `verify` and `preflight` end with at
  least 4, `critical` with 5.
- Refusals stop a verb before it changed anything: {refusals}. `--force CODE` lets that
  one pass, nothing else.
- X stands for what the finding is about: a NIC, a portal, a session, a LUN, a file."""


def finding_codes() -> str:
    refusals = ", ".join(findings.refusal_codes())
    blocks = [FINDINGS.format(refusals=refusals)]
    for prefix, title in GROUPS.items():
        blocks.append(f"## {prefix}xx: {title.lower()}")
        blocks += [block for kind in findings.TABLE.values() if kind.code.startswith(prefix) for block in _kind(kind)]
    return page("Findings", *blocks)


def _kind(kind: findings.Kind) -> Iterator[str]:
    yield f"### {kind.code}"
    yield f"**{kind.summary.format(subject='X')}** ({kind.severity}{', refusal' if kind.refusal else ''})"
    yield kind.explanation
    yield f"What to do: {kind.remedy.format(subject='X', remedy='…')}"
    mended = f" Mended by `mpio doctor --fix {kind.code}`." if kind.code in mending.FIXES else ""
    yield f"Rests on: {kind.evidence}. See: {kind.reference}.{mended}"


# -- the presets

PRESETS = """\
What `preset` in `[multipath]` of the site file writes, and where it leaves the 2011 guide. `replacement` of
`[timeouts]` (10 here) becomes `fast_io_fail_tmo`; keywords of the site file come on top. A keyword of a preset that the
installed multipath does not know is left out. What the guide's settings were for: [guide.md](guide.md)."""


def preset_table() -> str:
    blocks = [PRESETS]
    for preset in presets.PRESETS.values():
        blocks += [f"## {preset.name}", *_preset(preset)]
    return page("Presets", *blocks)


def _preset(preset: Preset) -> Iterator[str]:
    if not preset.vendor and not preset.keywords:
        yield "Writes nothing but the time-outs, for every iSCSI path."
    elif not preset.vendor:
        yield "For any array: the keywords go into `overrides`, the time-outs to every iSCSI path."
    else:
        yield f"For LUNs whose INQUIRY says vendor {preset.vendor}, product {preset.product}."
    # as if a multipath were installed that knows everything: the page shows whole presets
    wish = dropin.Wish(preset.name, replacement=10, known=multipath.all_keywords())
    written = multipathconf.render(dropin.sections(wish)).rstrip("\n").expandtabs(4)
    yield f"```\n{written}\n```"
    if preset.deviations:
        rows = ((code(d.guide) or "(nothing)", d.today, d.why) for d in preset.deviations)
        yield table(("the guide", "today", "why"), rows)
