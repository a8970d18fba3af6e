"""What one look of the watcher has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mpio.host import Answer, Host, Portal, Session
from mpio.topology import Lun, LunState, Pairs

if TYPE_CHECKING:
    from mpio.site import Site


@dataclass(frozen=True, slots=True)
class Seen:
    """`host.probes` are the pairs (iface, portal) that a probe has settled: answered, or dead after the site's
    `probe_misses`; one that is only missed so far is still what it was. `rtt` seconds, of the last connect or session
    socket. `unmapped` are disks whose target says that it has no such LUN, `fresh` what portals said when something was
    lost and its cause was asked for. What a look may not show while it was true before: `stood`, how LUNs of unknown
    state (by WWID) stood last, and `out`, (sid, H:C:T:L, disk) of lost paths that are in no map now.
    """

    host: Host
    site: Site | None = None
    pairs: Pairs | None = None
    luns: tuple[Lun, ...] = ()
    rtt: Mapping[tuple[str, Portal], float] = field(default_factory=dict, hash=False)
    unmapped: frozenset[str] = frozenset()
    fresh: Mapping[tuple[str, Portal], Answer] = field(default_factory=dict, hash=False)

    stood: Mapping[str, LunState] = field(default_factory=dict, hash=False)
    out: frozenset[tuple[int, str, str]] = frozenset()

    def session(self, sid: int) -> Session | None:
        return next((s for s in self.host.sessions if s.sid == sid), None)

    @property
    def dark(self) -> frozenset[str]:
        """The NICs that have no carrier, are down, or are not there."""
        names = {i.nic for i in self.host.ifaces} | {s.nic for s in self.host.sessions}
        return frozenset(names - {"", *(n.name for n in self.host.nics if n.carrier)})
