"""mpio doctor"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mpio import examine, findings, nagios, view
from mpio.commands.call import Call
from mpio.diagnosis import mending
from mpio.errors import Exit, MpioError, UsageError

if TYPE_CHECKING:
    from mpio import apply
    from mpio.commands import options
    from mpio.diagnosis.causes import Cause
    from mpio.diagnosis.disks_fixes import Steps
    from mpio.examine import Exam
    from mpio.site import Site

LARGEST = 16 << 20  # bytes: no file that a daemon reads at its start is larger


def command(
    call: Call,
    fix: options.Fix = "",
    yes: options.Yes = False,
    config: options.ConfigFile = "",
    migrate: options.Migrate = False,
    as_nagios: options.Nagios = False,
) -> int:
    if sum(map(bool, (fix, config, as_nagios))) > 1 or (migrate and not config):
        raise UsageError("these options do not go together", "mpio doctor --help")
    if config:
        return _file(call, config, migrate)
    if as_nagios:
        return _nagios(call)
    call.need_root("reads what only root may see")
    if fix:
        return _fix(call, findings.kind(fix).code, yes)
    site = call.site_or_none()
    return _shown(call, site, examine.host(call.machine, site).causes, {})


def _shown(call: Call, site: Site | None, found: tuple[Cause, ...], body: view.Json) -> int:
    code = findings.worst(c.finding for c in found)
    if call.console.json:
        call.console.document("doctor", code, {**body, "findings": view.causes(found)})
        return code
    for cause in found:
        call.console.finding(cause.finding, mending.words(cause, site))
    if not found:
        call.console.say("nothing found")
    return code


def _fix(call: Call, code: str, yes: bool) -> int:
    """What mends it, carried out as apply does it; then another look, which says whether it helped."""
    from mpio import apply, guard, lock
    from mpio.diagnosis import causes
    from mpio.drills import guard as away

    site = call.site_if_any()
    steps = mending.of(code, site)
    outcome = apply.Outcome()
    with lock.hold("doctor"):
        away.mend(call.machine, call.console.say)
        exam = examine.host(call.machine, site)
        here = any(code in (c.finding.code, *(s.code for s in c.symptoms)) for c in exam.causes)
        if here and code not in mending.ANYWHERE:  # the steps are the plan's, which apply would not begin
            if exam.plan is None:
                guard.forbid(c.finding for c in exam.causes if c.finding.code == "MP525")
            else:
                guard.refuse(exam.plan.refused)
        if here and not yes:
            for step in steps(site, exam.host, exam.plan) if not call.console.json else ():
                call.console.step(step)
            call.confirm(f"Mend {code}?")
        if here:
            apply.ready(call.machine, call.console.say)
            outcome = _carried_out(call, site, exam, steps)
    after = examine.host(call.machine, site)
    body: view.Json = {"done": view.steps(outcome.done), "left": view.steps(outcome.left)}
    if not call.console.json:
        call.console.say(f"{code}: {len(outcome.done)} steps done, {len(outcome.left)} left")
    return _shown(call, site, (*causes.of_lines(apply.findings(outcome)), *after.causes), body)


def _carried_out(call: Call, site: Site | None, exam: Exam, steps: Steps) -> apply.Outcome:
    from mpio import apply, progress

    with progress.shown(call.console) as tell:
        if site is not None:
            return apply.site(call.machine, site, apply.Asked(exam.host, frozenset(), frozenset(), steps), tell)
        outcome = apply.Outcome()
        todo = steps(None, exam.host, None)
        apply.carry_out(call.machine, todo, outcome, tell, strict=True)
        outcome.left = tuple(s for s in todo if s not in outcome.done)
        return outcome


def _file(call: Call, path: str, migrate: bool) -> int:
    """A file from anywhere, as this machine's multipath would take it, or, without one, any of today."""
    from mpio.diagnosis import causes, conf
    from mpio.diagnosis import migrate as migrating
    from mpio.observe import conf as ours

    text = _text(path)
    kind = conf.kind_of(text)
    if kind is conf.Kind.NEITHER:
        raise UsageError(f"{path} has no line of a multipath.conf or iscsid.conf", "name one of these files")
    if migrate and kind is not conf.Kind.MULTIPATH:
        raise UsageError(f"{path} is an {kind}: its keys have not changed", "--migrate takes a multipath.conf")
    dialect = ours.dialect(call.machine)
    if migrate:
        made = migrating.drop_in(text, path, dialect)
        if call.console.json:
            call.console.document("doctor", Exit.OK, {"path": path, "drop_in": made})
        else:
            call.console.out(made.rstrip("\n"))
        return Exit.OK
    return _shown(call, None, causes.of_lines(conf.of_file(path, text, dialect)), {"path": path})


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a multipath.conf or iscsid.conf") from error
    if len(data) > LARGEST:
        raise UsageError(f"{path} is larger than {LARGEST >> 20} MiB", "name a multipath.conf or iscsid.conf")
    return data.decode("utf-8", "surrogateescape")


def _nagios(call: Call) -> int:
    """One line of the worst, as Nagios wants it."""
    try:
        call.need_root("reads what only root may see")
        found = examine.host(call.machine, call.site_or_none()).causes
    except MpioError as error:
        call.console.out(nagios.unknown(error))
        return nagios.UNKNOWN
    call.console.out(nagios.diagnosis([c.finding for c in found]))
    return nagios.severity([c.finding for c in found])
