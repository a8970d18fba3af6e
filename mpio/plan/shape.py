"""What planning gives."""

from __future__ import annotations

from dataclasses import dataclass

from mpio.findings import Finding
from mpio.step import Step
from mpio.topology import Pairs

ISCSID_CONF = "/etc/iscsi/iscsid.conf"
INITIATOR_NAME = "/etc/iscsi/initiatorname.iscsi"
MULTIPATH_CONF = "/etc/multipath.conf"
MULTIPATH_DROP_IN = "/etc/multipath/conf.d/90-mpio.conf"
SYSCTL_DROP_IN = "/etc/sysctl.d/99-zz-mpio.conf"
ROUTES_UNIT = "/etc/systemd/system/mpio-routes.service"


@dataclass(frozen=True, slots=True)
class Share:
    """One part's share of a plan: its steps, and what it refuses to do with the reason."""

    steps: tuple[Step, ...] = ()
    refused: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps from a host to a site, whole. Not `complete` where targets are still to be asked for."""

    steps: tuple[Step, ...]
    complete: bool
    pairs: Pairs
    refused: tuple[Finding, ...] = ()
