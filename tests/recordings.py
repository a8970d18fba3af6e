"""Recordings of `multipath -t` in tests/recorded/DISTRIBUTION/multipath/, and how they are made.

    python tests/recordings.py DISTRIBUTION [ROOT]

records every case below with the multipath of this machine, or of the Debian tree in ROOT; as root, nothing is changed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mpio import dropin, presets, recording
from mpio.program import Done, Run
from mpio.tools import multipath, multipathconf

TOP = Path(__file__).parent / "recorded"
DROP_IN = f"{multipath.CONF_D}/90-mpio.conf"
HYDRA = "3600144f0f484400000004e8685e70001"

MISTAKES = """\
defaults {
  foo bar
  max_polling_interval abc
  max_polling_interval 60 6
  find_multipaths "yes
  alias x
}
devices {
  device {
    vendor "A"
    product "B" } trailing
    no_path_retry -3
    path_selector "service-time"
    path_selector "nonsense 0"
    prio nonsense
    getuid_callout "/lib/udev/scsi_id"
    failback
  }
  device {
    vendor "X"
  }
}
multipaths
{
  multipath {
    alias nowwid
  }
  multipath {
    wwid q
    alias b/c
    path_checker tur
  }
}
}
overrides {
  protocol {
    type "bogus"
  }
  blacklist {
    device {
      vendor DELL
    }
"""
# the guide's multipath.conf as a user still has it, beside our drop-in
USERS = """\
defaults {
  no_path_retry 12
  user_friendly_names yes
}
blacklist {
  device {
    vendor DELL
  }
}
devices {
  device {
    vendor NEXENTA
    product COMSTAR
    path_checker directio
    rr_min_io 2000
  }
}
overrides {
  failback manual
}
"""


def load(distribution: str, case: str) -> Done:
    return recording.load(_path(distribution, case).read_text(encoding="utf-8"))


class Recorded:
    """A `Run` with one answer, for exactly the argv and the input that it was recorded with."""

    def __init__(self, distribution: str, case: str) -> None:
        self._text = _path(distribution, case).read_text(encoding="utf-8")

    def __call__(
        self, *argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b""
    ) -> Done:
        done = recording.load(self._text)
        assert done.argv == argv, "record again: tests/recordings.py"
        assert f"\nstdin: {_digest(stdin)}\n" in self._text, "another input: record again with tests/recordings.py"
        return done


def wish(preset: str, known: frozenset[str]) -> dropin.Wish:
    return dropin.Wish(
        preset,
        10,
        known,
        keywords={"no_path_retry": 24, "user_friendly_names": True},
        find_multipaths="strict",
        polling_interval=7,
        luns=(dropin.Lun(HYDRA, "hydra_apps-a01", {"path_selector": "round-robin 0", "failback": "immediate"}),),
    )


def files(case: str, known: frozenset[str]) -> Mapping[str, str]:
    """The files of a case; `known` are the keywords that its multipath knows."""
    if case == "built-in":
        return {}
    if case == "mistakes":
        return {DROP_IN: MISTAKES}
    drop_in = multipathconf.render(dropin.sections(wish(case.removesuffix("-beside"), known)), "written by a test")
    return {multipath.CONF: USERS, DROP_IN: drop_in} if case.endswith("-beside") else {DROP_IN: drop_in}


STAGED = ("built-in", "mistakes", *presets.PRESETS, "nexenta-comstar-beside")


def _path(distribution: str, case: str) -> Path:
    return TOP / distribution / "multipath" / case


def _digest(stdin: bytes) -> str:
    return hashlib.sha256(stdin).hexdigest()


def _runs(distribution: str, root: str) -> Iterator[tuple[str, Run]]:
    mounts = f"mount --bind {root} {root} && mount --bind /dev {root}/dev && mount -t proc proc {root}/proc"
    enter = f'{mounts} && exec chroot {root} "$@"'
    prefix = ["unshare", "--mount", "--", "sh", "-c", enter, "enter"] if root else []
    helped = subprocess.run([*prefix, "multipath", "-h"], capture_output=True, text=True, check=False)
    version = helped.stderr.split("\n", 1)[0]

    def recorder(case: str) -> Run:
        def run(*argv: str, ok: tuple[int, ...] | None = (0,), timeout: float | None = 30, stdin: bytes = b"") -> Done:
            ended = subprocess.run([*prefix, *argv], capture_output=True, input=stdin, timeout=timeout, check=True)
            done = Done(argv, ended.returncode, ended.stdout.decode(), ended.stderr.decode())
            text = recording.dump(done, version=version, distribution=distribution, stdin=_digest(stdin))
            _path(distribution, case).parent.mkdir(parents=True, exist_ok=True)
            _path(distribution, case).write_text(text, encoding="utf-8")
            return done

        return run

    for case in ("known", *STAGED):
        yield case, recorder(case)


def main(distribution: str, root: str = "") -> None:
    known: frozenset[str] = frozenset()
    for case, run in _runs(distribution, root):
        if case == "known":
            known = multipath.known(run)
        else:
            multipath.staged(run, files(case, known))


if __name__ == "__main__":
    main(*sys.argv[1:])
