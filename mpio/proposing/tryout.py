"""Trying the SAN without leaving anything: asked and logged in through a database that ends with the call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from mpio import observe, settle
from mpio.errors import MpioError
from mpio.findings import Finding, finding
from mpio.host import Host, Iface, Pair, Portal, Session
from mpio.machine import Machine
from mpio.observe import kernel
from mpio.observe import portals as ask
from mpio.plan.shape import Share
from mpio.proposing import trials
from mpio.site import Site
from mpio.step import Command
from mpio.tools import iscsitrial, multipath, systemctl, udevadm

RULES = udevadm.left_alone(iscsitrial.PREFIX)
IDLE = 15.0  # udev, LVM and whoever else looks at new disks is done with them soon


@dataclass(frozen=True, slots=True)
class Seen:
    """What a trial saw: the host while its sessions were there, and what is wrong with them."""

    host: Host
    found: tuple[Finding, ...]


@contextlib.contextmanager
def iscsid(machine: Machine, start: Command | None) -> Iterator[None]:
    """iscsid running for as long as this lasts; `start` is the step that starts it where it does not run.

    It stays where a session does, of this look or of somebody who logged in meanwhile: nobody else would bring it back.
    """
    if start is None:
        yield
        return
    try:
        machine.run(*start.argv, timeout=120)
        yield
    finally:
        if not kernel.look(machine, None, None).sessions:
            machine.run(*systemctl.stop(systemctl.ISCSID), ok=None, timeout=120)


def asked(machine: Machine, site: Site, seen: Host, portals: Iterable[Portal]) -> Host:
    """The portals asked through the site's ifaces, as if open-iscsi had them."""
    nics = {i.name: i.nic for i in site.ifaces}
    private = replace(machine, run=iscsitrial.through(machine.run, nics))
    return ask.look(private, site, replace(seen, ifaces=tuple(Iface(*pair) for pair in nics.items())), portals)


def logged_in(machine: Machine, nics: Mapping[str, str], due: Mapping[Pair, int], say: Callable[[str], None]) -> Seen:
    """Log in, look, log out. Raises MpioError where sessions had to stay; whatever breaks in, they are ended first."""
    stays: tuple[Finding, ...] = ()
    unwritten = machine.files.text(multipath.WWIDS) is None
    try:
        said: Mapping[Pair, int] = {}
        if due:
            for path, text in RULES.items():
                machine.files.write(path, text, 0o644, durable=False)
            machine.run(*udevadm.reload_rules(), ok=None)
            say(f"logging in {len(due)} sessions to look at the LUNs")
            said = iscsitrial.parse_login_errors(
                machine.run(*iscsitrial.login(nics, due), ok=None, timeout=iscsitrial.LIMIT).err
            )
            machine.run(*udevadm.settle(int(settle.STILL_BUSY)), ok=None, timeout=None)
        host = kernel.look(machine, None, None)
    finally:
        stays = ended(machine).refused
        # multipathd makes its list as soon as it meets a disk, before it knows that this one is none of its.
        if unwritten and not multipath.parse_wwids(machine.files.text(multipath.WWIDS) or ""):
            machine.files.remove(multipath.WWIDS)
    if stays:
        one = stays[0]
        raise MpioError(f"sessions of this look had to stay: {one.summary}: {one.detail}", "free it, then run again")
    return Seen(host, tuple(trials.told(nics, due, host, said)))


def ended(machine: Machine) -> Share:
    """End the sessions that a trial made, this one's or a killed one's; what stands against it is told."""
    share = Share()

    def idle() -> bool:
        nonlocal share
        share = trials.ended(observe.host(machine, None, observe.Look.USERS))
        return not share.refused

    if _sessions(machine):
        settle.until(idle, IDLE)
        said = ""
        for step in share.steps:
            if isinstance(step, Command):
                said = machine.run(*step.argv, ok=None, timeout=120).err.strip()
        machine.run(*udevadm.settle(int(settle.STILL)), ok=None, timeout=None)
        if not share.refused and not settle.until(lambda: not _sessions(machine), IDLE):
            stay = (finding("MP107", f"the logout of session {s.sid}", said) for s in _sessions(machine))
            share = replace(share, refused=tuple(stay))
    there = [path for path in RULES if machine.files.text(path) is not None]
    if there and not share.refused:
        for path in there:
            machine.files.remove(path)
        machine.run(*udevadm.reload_rules(), ok=None)
    return share


def _sessions(machine: Machine) -> tuple[Session, ...]:
    return trials.ours(kernel.look(machine, None, None))
