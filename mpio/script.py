"""A plan as a shell runbook."""

from __future__ import annotations

import shlex

from mpio import view
from mpio.plan import Plan
from mpio.step import Command, Step, Write
from mpio.tools import keyfile
from mpio.view import MASK

HEAD = """#!/bin/sh
# Made by `mpio plan --script`. Each block is one step with its reason; it needs no mpio.
set -eu
"""


def runbook(plan: Plan) -> str:
    blocks = [HEAD, *(_block(step) for step in plan.steps)]
    if not plan.complete:
        blocks.append("# The targets are not known yet: run `mpio plan --script` again after this.\n")
    return "\n".join(blocks)


def _block(step: Step) -> str:
    reason = "".join(f"# {line}\n" for line in f"{step.part}: {step.why}".splitlines())
    return reason + (_command(step) if isinstance(step, Command) else _write(step))


def _command(step: Command) -> str:
    line = shlex.join(step.argv)
    if step.ok == (0,):
        return f"{line}\n"
    fine = "|".join(str(code) for code in sorted(set(step.ok) - {0}))
    return f'code=0; {line} || code=$?\ncase "$code" in 0|{fine}) ;; *) exit "$code" ;; esac\n'


def _write(step: Write) -> str:
    path = shlex.quote(step.path)
    if step.text is None:
        return f"rm -f {path}\n"
    if step.secret:
        return f"# {MASK}: write the CHAP values into {path} by hand, mode 0600\n"
    if keyfile.holds_secret(step.text):
        shown = "".join(f"# {line}\n" for line in view.diff(step).splitlines())
        return f"# {path} holds a secret, so its text is not here. Change these lines by hand:\n{shown}"
    if step.mode is None and step.path.startswith(("/proc/", "/sys/")):
        return f"printf %s {shlex.quote(step.text)} > {path}\n"
    new = shlex.quote(f"{step.path}.mpio-new")
    keep = f"if [ -e {path} ]; then cp -p {path} {new}; else install -m {step.mode or 0o644:o} /dev/null {new}; fi\n"
    text = step.text if step.text.endswith("\n") or not step.text else f"{step.text}\n"
    end = "MPIO_END"
    while end in text:
        end += "_"
    folder = shlex.quote(step.path.rsplit("/", 1)[0])
    return f"mkdir -p {folder}\n{keep}cat > {new} <<'{end}'\n{text}{end}\nmv {new} {path}\n"
