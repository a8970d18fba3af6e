"""Files for the installed `multipath -t` to read: nothing, every mistake, our drop-in for each preset."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mpio import dropin, presets
from mpio.lab.questions import Call, call
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.tools import multipath, multipathconf

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
        return {MULTIPATH_DROP_IN: MISTAKES}
    drop_in = multipathconf.render(dropin.sections(wish(case.removesuffix("-beside"), known)), "written by a test")
    return (
        {multipath.CONF: USERS, MULTIPATH_DROP_IN: drop_in}
        if case.endswith("-beside")
        else {MULTIPATH_DROP_IN: drop_in}
    )


STAGED = ("built-in", "mistakes", *presets.PRESETS, "nexenta-comstar-beside")


def calls(known: frozenset[str]) -> dict[str, Call]:
    """The calls by the name of their recording; `known` is what the answer to `keywords` says."""
    return {case: call(partial(multipath.staged, files=files(case, known))) for case in STAGED}


def keywords() -> dict[str, Call]:
    return {"known": call(multipath.known)}
