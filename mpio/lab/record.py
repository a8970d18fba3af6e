"""Recordings of every question that mpio asks of programs, in a guest in several states: what unit tests replay.

Shell scripts make them, so the guest needs no Python of a kind.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import tarfile
from base64 import encodebytes
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mpio import recording, sitefile
from mpio.errors import ProgramFailed
from mpio.files import Files
from mpio.host import Host
from mpio.lab import candidates, guest, image, process, questions, san, session, states
from mpio.lab.process import Say
from mpio.lab.questions import Call
from mpio.plan import maps
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.program import Done
from mpio.replay import Replay
from mpio.site import Site
from mpio.tools import multipath, sysfs

KEEP = (guest.INSIDE / "keep.sh").read_text()
WAIT = 'end=$(($(date +%s) + 180)); until eval "$1"; do [ "$(date +%s)" -lt "$end" ] || exit 9; sleep 1; done'
VERSIONS = "dpkg-query -W -f '${Package} ${Version}, ' multipath-tools open-iscsi iproute2 dmsetup systemd; uname -r"
INSIDE = "/run/mpio-lab/recordings"


def script(calls: Mapping[str, Call], folder: str) -> str:
    """A POSIX sh script that makes the calls and leaves a recording of each in `folder`."""
    lines = [KEEP, f"mkdir -p {shlex.quote(folder)} && cd {shlex.quote(folder)} || exit"]
    for name, one in calls.items():
        argv = json.dumps(recording.mask_argv(one.argv))
        keep = f"keep {shlex.quote(name)} {shlex.quote(argv)} {shlex.join(one.argv)}"
        if one.stdin:
            lines.append(f"base64 -d >\"$work/in\" <<'E'\n{encodebytes(one.stdin).decode()}E")
            lines.append(f'{keep} <"$work/in"')
        else:
            lines.append(f"{keep} </dev/null")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Recorder:
    """A guest whose answers go into `folder`, a folder a state; `facts` are of every header."""

    host: guest.Remote
    folder: Path
    facts: Mapping[str, str]

    def keep(self, state: str, calls: Mapping[str, Call]) -> Replay:
        """Make the calls and fetch what was said, in the words of `recording.dump`."""
        self.host.put(f"{INSIDE}.sh", script(calls, INSIDE).encode())
        self.host.check("sh", f"{INSIDE}.sh", timeout=60 * len(calls))
        code, packed, _ = self.host.channel.exchange(("tar", "-C", INSIDE, "-c", "."))
        if code:
            raise ProgramFailed(f"the recordings cannot be fetched from the guest: tar ended with {code}")
        self.host.check("rm", "-r", INSIDE, f"{INSIDE}.sh")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            said = {name: _loaded(archive, name) for name in calls}
        for name, done in said.items():
            given = {"stdin": hashlib.sha256(calls[name].stdin).hexdigest()} if calls[name].stdin else {}
            text = recording.dump(done, **self.facts, **given)
            Files().write(str((self.folder / state / name).absolute()), text, 0o644, durable=False)
        return Replay(said.values())

    def until(self, over: str) -> None:
        self.host.check("sh", "-c", WAIT, "sh", over, timeout=200)

    def sh(self, lines: str) -> None:
        self.host.check("sh", "-c", lines, timeout=200)


def _loaded(archive: tarfile.TarFile, name: str) -> Done:
    member = archive.extractfile(f"./{name}")
    if member is None:
        raise ProgramFailed(f"the guest has no recording of {name}")
    return recording.load(member.read().decode("utf-8", "backslashreplace"))


def site() -> Site:
    """The guide's site, which is what the guest's SAN answers to."""
    return sitefile.load(str(session.SITE), owner=session.SITE.stat().st_uid)


def record(folder: Path, suite: str = image.DEFAULT, say: Say = process.quiet) -> int:
    """Every question in every state, a folder a state; returns how many recordings there are."""
    wanted = site()
    with guest.Guest(states.SAN, suite=suite, say=say) as host:
        facts = {"distribution": suite, "version": host.check("sh", "-c", VERSIONS)}
        recorder = Recorder(host, folder, facts)
        _forget(folder)
        say("none")
        recorder.keep("none", questions.questions(wanted, every=False) | {"files": questions.tree(questions.FILES)})
        say("multipath")
        known = multipath.known(recorder.keep("multipath", candidates.keywords()))
        recorder.keep("multipath", candidates.calls(known))
        say("set-up")
        wanted = _set_up(recorder, wanted, known)
        host.checkpoint("sane")
        for state in states.STATES:
            say(state.name)
            host.restore("sane")
            recorder.sh(state.prepare)
            recorder.until(state.over)
            recorder.keep(state.name, state.calls(wanted))
        say("steps")
        host.restore("sane")
        for stage in states.stages(wanted):
            recorder.sh(stage.prepare)
            recorder.keep("steps", stage.calls)
    return sum(path.is_file() for state in states.FOLDERS for path in (folder / state).iterdir())


def _forget(folder: Path) -> None:
    """What an earlier recorder left in our folders goes; what is no recording stays."""
    for state in states.FOLDERS:
        for path in (folder / state).glob("*"):
            if path.is_file() and path.read_bytes().startswith(recording.FIRST.encode()):
                path.unlink()


def _set_up(recorder: Recorder, wanted: Site, known: frozenset[str]) -> Site:
    """From nothing to whole maps; gives the site with the WWIDs that the SAN's LUNs really have there."""
    recorder.sh(states.loosened(wanted))
    said = recorder.keep("set-up", states.connecting(wanted))
    wanted = named(wanted, recording.tree(said(*questions.tree(questions.SYSFS).argv, ok=None).out))
    wished, _ = maps.wish(wanted, Host(known_keywords=known))
    recorder.host.put(MULTIPATH_DROP_IN, maps.drop_in(wished).encode())
    recorder.keep("set-up", states.naming(wanted))
    recorder.until(states.UP)
    return wanted


def named(wanted: Site, seen: sysfs.Reader) -> Site:
    """The site with the WWIDs that its LUNs have on this SAN: before kernel 5.11 LIO has no company but its own."""
    wwids = {path.lun: path.wwid for path in sysfs.paths(seen)}
    numbers = {lun.wwid: lun.number for lun in san.GUIDE.luns}
    return replace(wanted, luns=tuple(replace(lun, wwid=wwids[numbers[lun.wwid]]) for lun in wanted.luns))
