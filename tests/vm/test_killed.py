"""Whatever is killed, and wherever: the host stays sound, and the same verb once more brings it there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest

from mpio.lab.guest import Guest
from vm import hosts, killed
from vm.hosts import ALIASES, SITE_PATH, TARGETS, Prague
from vm.killed import Tally, Verb
from vm.readback import is_as_the_site_says
from vm.test_lun_begin import MORE, NEW

GONE = list(ALIASES)[-1]
CHAIN = 8  # kills in a row, each later than the last one, before a run that may come to its end
KILLS = {"bookworm": 36}  # for each verb; on the other releases:
FEWER = 6
LEFT = """
iscsiadm -m session; iscsiadm -m node; dmsetup ls; find {database}/ifaces {database}/nodes /var/lib/mpio -type f
ls /etc/multipath/conf.d /etc/sysctl.d /etc/systemd/system | grep -i mpio; grep -v '^#' /etc/multipath/wwids
systemctl is-enabled multipathd.service open-iscsi.service
"""


def bare(host: Prague) -> None:
    hosts.bare(host.guest)


def applied(host: Prague) -> None:
    hosts.applied(host.guest)


def shown(host: Prague) -> None:
    """The array shows one LUN more."""

    def make() -> Prague:
        hosts.applied(host.guest)
        shows(host)
        return host

    hosts.kept(host.guest, "shown", make)


def shows(host: Prague) -> None:
    host.san(MORE)
    for target in TARGETS:
        host.fault("unmap", target, "15")


def as_the_site_says(host: Prague) -> None:
    killed.is_healthy(host)
    is_as_the_site_says(host)


def is_added(host: Prague) -> None:
    killed.is_healthy(host)
    assert NEW.wwid in host.text(SITE_PATH)
    assert f"{NEW.wwid} hydra_new 4" in host.sh('multipathd show maps raw format "%w %n %N"')


def is_removed(host: Prague) -> None:
    killed.is_healthy(host)
    names = f"dmsetup info -c --noheadings -o uuid; cat {SITE_PATH} /var/lib/mpio/memory.json"
    assert GONE not in host.sh(f"{names}; grep -v '^#' /etc/multipath/wwids")


def left(host: Prague) -> str:
    return host.state(LEFT.format(database=host.database))


def is_gone(host: Prague) -> None:
    """Nothing is left that mpio has made."""
    gone = left(host)
    assert gone == left(hosts.bare(host.guest)), gone


def verb(name: str, argv: str, start: Callable[[Prague], None], end: Callable[[Prague], None], **more: object) -> Verb:
    return Verb(name, (*argv.split(), "--yes"), start, end, **more)  # type: ignore[arg-type]


BACK = ("online", "eth2", "--yes")
VERBS = {
    "apply": (verb("apply", "apply", bare, as_the_site_says),),
    "add": (verb("lun add", f"lun add {NEW.wwid} --alias hydra_new", shown, is_added),),
    "remove": (verb("lun remove", f"lun remove {GONE}", applied, is_removed),),
    "offline": (
        verb("offline", "offline eth2 --for 2h", applied, as_the_site_says, restart=BACK, offline="eth2"),
        verb("offline", "offline eth2 --logout", applied, as_the_site_says, restart=BACK, offline="eth2"),
    ),
    "drill": tuple(
        verb("drill", f"drill eth2 --how {how}", applied, as_the_site_says, guarded=True)
        for how in ("offline", "block", "link")
    ),
    "teardown": (verb("teardown", "teardown", applied, is_gone),),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", VERBS)
def test_a_verb_that_is_killed_anywhere_is_finished_by_the_next(
    guest: Guest, release: str, name: str, record_property: Callable[[str, object], None]
) -> None:
    host = hosts.bare(guest)
    kinds = VERBS[name]
    sizes = [killed.counted(host, one) for one in kinds]
    tally, share = Tally(name), killed.shares()
    number = 0
    while tally.kills.total() < KILLS.get(release, FEWER):
        kind = number % len(kinds)
        killed.walk(host, kinds[kind], sorted(islice(share, CHAIN)), tally, sizes[kind])
        number += 1
    record_property("figures", f"{release}: {tally}")


# What is killed where, in the life of one host: the call that has the worst outcome of all.
MOMENTS = (
    # iscsiadm holds its lock, and the record that it has just opened is empty
    (VERBS["apply"][0], "group", "openat:/nodes/:1+1"),
    # the LUN is in the site file, and nowhere else
    (VERBS["add"][0], "alone", "rename:site.toml:1+1"),
    # some of the paths are failed, and the rest about to be
    (VERBS["offline"][0], "group", "execve:multipathd fail path:3+1"),
    (VERBS["drill"][0], "alone", "execve:multipathd fail path:4+1"),
    # the map is gone, some of its disks are not
    (VERBS["remove"][0], "alone", "openat:/device/delete:2+1"),
    (VERBS["teardown"][0], "group", "unlink:/nodes/:2+1"),
)


def test_a_verb_that_is_killed_at_its_worst_moment_is_finished_by_the_next(guest: Guest) -> None:
    host = hosts.bare(guest)
    killed.ready(host)
    for kind, how, point in MOMENTS:
        if kind.name == "lun add":
            shows(host)
        story = [killed.once(host, kind, how, point)]
        if not kind.guarded:  # what a drill's guard has put back is whole already
            killed.converges(host, kind, story, every=False)
        if kind.name == "lun remove":
            killed.is_healthy(host)
    is_gone(host)
