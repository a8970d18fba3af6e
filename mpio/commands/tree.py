"""The command tree, made of the verbs and their options by Typer."""

from __future__ import annotations

import contextlib
import importlib
import io

import typer

from mpio import __version__
from mpio.commands import VERBS, options
from mpio.console import Console
from mpio.errors import Interrupted, UsageError

# Click's error class lives in click or, in newer releases, inside Typer itself.
CLICK_ERROR: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def app(verb: str = "") -> typer.Typer:
    """The whole tree; with a verb only that one, which is all that a call needs."""
    made = typer.Typer(
        name="mpio",
        help="iSCSI multipath from one site file: set up, prove, watch.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @made.callback(invoke_without_command=True)
    def root(version: bool = typer.Option(False, "--version", help="Show the version.")) -> None:
        if version:
            Console().out(f"mpio {__version__}")
            raise typer.Exit

    for name in [verb] if verb in VERBS else VERBS:
        module = importlib.import_module(f"mpio.commands.{name}")
        if not hasattr(module, "COMMANDS"):
            made.command(name, help=VERBS[name])(options.verb(name, module.command))
            continue
        family = typer.Typer(rich_markup_mode=None)
        family.callback()(lambda: None)
        for function in module.COMMANDS:
            word = function.__name__.rstrip("_")  # `list_`: the plain word is Python's own
            family.command(word)(options.verb(f"{name} {word}", function))
        made.add_typer(family, name=name, help=VERBS[name])
    return made


def run(argv: list[str], verb: str) -> int:
    """Parse one call and carry it out. Raises UsageError for what cannot be parsed."""
    words = argv or ["--help"]
    helping = "--help" in words[: words.index("--") if "--" in words else None]
    # click writes help itself: taken from it, the console says what becomes of an output that takes nothing
    page = io.StringIO()
    try:
        with contextlib.redirect_stdout(page) if helping else contextlib.nullcontext():
            code = int(app(verb)(args=words, prog_name="mpio", standalone_mode=False) or 0)
    except typer.Abort as error:
        raise Interrupted from error
    except CLICK_ERROR as error:
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        known = verb if verb in VERBS else ""
        raise UsageError(said, " ".join(("mpio", *([known] if known else []), "--help"))) from error
    if page.getvalue():
        Console().out(page.getvalue().removesuffix("\n"))
    return code
