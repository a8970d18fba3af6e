"""Looking at a host: nothing here changes it, starts a daemon or leaves a file."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mpio import memory
from mpio.host import Asked, Host
from mpio.machine import Machine
from mpio.observe import kernel

if TYPE_CHECKING:
    from mpio.site import Site


class Look(StrEnum):
    """How far a look goes. STATUS: the kernel and multipathd. VERIFY: all that the site has a say in. PLAN: the SAN
    is asked too.

    USERS: VERIFY, and who uses the LUNs. HERE: VERIFY without the SAN, and without multipath's files. RENDER: only what
    multipath knows.
    """

    STATUS = "status"
    VERIFY = "verify"
    PLAN = "plan"
    USERS = "users"
    HERE = "here"
    RENDER = "render"


def remembered(machine: Machine) -> memory.Memory:
    return memory.parse(machine.files.text(memory.PATH))


def host(machine: Machine, site: Site | None, look: Look, deaf: tuple[Asked, ...] = ()) -> Host:
    """One look, importing only what it needs. Raises MpioError where a program that must answer does not.

    `deaf` are portals whose discovery failed a moment ago: their answer stands.
    """
    if look is Look.RENDER:
        from mpio import run
        from mpio.tools import multipath

        if os.geteuid() == 0 and not run.missing(("multipath",)):
            from mpio.observe import configured

            seen = Host(known_keywords=multipath.known(machine.run))
            if site:
                configured.refuse_unknown(site, seen)
            return seen
        return Host(known_keywords=multipath.all_keywords(), blind=("which keywords the installed multipath knows",))
    blind: list[str] = []
    seen = kernel.look(machine, site, blind if look is Look.STATUS else None)
    if look is not Look.STATUS:
        from mpio.tools import systemctl

        units = (systemctl.ISCSID, *systemctl.LOGIN_UNITS, systemctl.MULTIPATHD)
        watching = (name for name in (systemctl.WATCH, systemctl.EVENT_PATH) if seen.memory.has("unit", name))
        seen = replace(seen, units=systemctl.units(machine.run, (*units, *watching)))
    if seen.maps or seen.paths:
        from mpio.observe import states

        seen = states.look(machine, seen, blind)
    if look is not Look.STATUS:
        seen = _whole(machine, site, replace(seen, asked=deaf), look, blind)
    return replace(seen, blind=tuple(blind), watched=watched(machine, site))


def watched(machine: Machine, site: Site | None) -> bool:
    """Does a watcher fail sessions at once here? It never does where the root disk is on them, unless told to."""
    if site is None or site.watch.fast_fail == "off":
        return False
    from mpio import lock

    if not lock.held(lock.WATCH):
        return False
    from mpio.fastfail import moment

    return site.watch.fast_fail_root or moment.of_root(machine.files) == frozenset()


def _whole(machine: Machine, site: Site | None, seen: Host, look: Look, blind: list[str]) -> Host:
    from concurrent.futures import ThreadPoolExecutor

    from mpio import inuse, iscsilock, rootfs
    from mpio.observe import configured, san, states
    from mpio.tools import dd, iscsidb

    unread = iscsidb.unread(machine.files)
    blind += [f"the record {path}: its portal is no numeric address" for path in unread]
    seen = replace(seen, unread=tuple((iscsidb.iface_of(machine.files, path), path) for path in unread))
    if seen.maps or seen.paths:
        if seen.root and seen.maps:
            from mpio import identity

            heard = identity.of_maps(machine, seen)
            seen = replace(seen, strangers=identity.strangers(seen, heard))
            # A rescan of a disk whose LUN was unmapped leaves it without a size: a read of that ends well, with
            # nothing. A disk that has not answered just now would hold dd, too, which nobody can end then.
            failed = [p for p in seen.paths if p.dm_state == "failed" and p.dev in heard and p.size != 0]
            failed = [p for p in failed if not heard[p.dev].gone and p.dev not in seen.strangers]
            seen = replace(seen, readable=frozenset(p.dev for p in failed if dd.reads(machine.run, p.dev)))
        # A plan may end sessions, whose disks somebody may have open past their maps.
        deep = look in (Look.USERS, Look.PLAN) or any(m.open_count for m in seen.maps)
        users, system = inuse.users(machine.files, seen, deep), rootfs.carried(machine.files, seen)
        seen = replace(seen, users=users, system=system)
        if look is Look.USERS and seen.root:
            seen = states.without_passers(machine, seen)
            users = (*users, *inuse.claims(machine.files, seen))
            seen = replace(seen, users=users, members=inuse.members(machine.files, seen))
    seen = replace(seen, stale_lock=iscsilock.stale(machine.files))
    seen = configured.without_udevd(machine, configured.files(machine, site, seen))
    seen = configured.routed(machine, site, configured.timed(machine, seen))
    if site is None:
        return seen
    seen = configured.secrets(machine, site, seen, blind)
    if look is Look.HERE:
        return seen
    seen = configured.programs(machine, site, seen, blind)
    # multipath is asked while the SAN answers; the SAN, which may take long, in this thread, to which Ctrl-C comes.
    with ThreadPoolExecutor(max_workers=1) as beside:
        effective = beside.submit(configured.effective, machine, site, seen)
        seen = san.look(machine, site, seen, look is Look.PLAN)
    return replace(seen, effective=effective.result())
