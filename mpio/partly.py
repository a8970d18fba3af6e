"""What a look that may not see everything proves: never that a host is as its site says, nor that it is not."""

from __future__ import annotations

from mpio import topology
from mpio.errors import NotAllowed
from mpio.findings import Finding, finding
from mpio.host import Host
from mpio.plan import ground
from mpio.plan.shape import MULTIPATH_CONF, SYSCTL_DROP_IN
from mpio.site import Site
from mpio.step import Part, Step
from mpio.topology import Lun, LunState

SEEN = (Part.SYSCTL, Part.SERVICES)  # what needs no record, no secret and no word of multipath's


def luns(site: Site, host: Host) -> tuple[Lun, ...]:
    return topology.luns(site, host, None)


def failed(judged: tuple[Lun, ...]) -> bool:
    """A LUN of the site that is not there, or none of whose paths can be usable. That one has fewer paths proves
    nothing: they may be offline by hand, which is remembered where only root may look.
    """
    return any(lun.state is LunState.FAILED for lun in judged if lun.wanted)


def steps(site: Site, host: Host) -> tuple[Step, ...]:
    """The steps that are called for whatever could not be seen."""
    found: list[Step] = []
    if SYSCTL_DROP_IN in host.files:
        found += ground.network(site, host, frozenset()).steps
    if MULTIPATH_CONF in host.files:
        found += ground.services(host).steps
    return tuple(found)


def findings(host: Host) -> tuple[Finding, ...]:
    return tuple(finding("MP101", what) for what in host.blind)


def unseen(what: str, verb: str) -> NotAllowed:
    return NotAllowed(f"{what}; the rest only root may see", f"sudo mpio {verb}")
