"""What the `lun` verbs say, as the values that JSON is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mpio import view

if TYPE_CHECKING:
    from mpio.host import Host, Path
    from mpio.luns.inventory import Rest
    from mpio.plan.luns import Adoption, News
    from mpio.site import Site
    from mpio.topology import Lun


def listed(site: Site | None, host: Host, judged: Iterable[Lun], rest: Rest) -> view.Json:
    """The LUNs as `status` has them, with what else `lun list` knows of each."""
    return {"site": (site.path or None) if site else None, "luns": [_one(site, host, x, rest) for x in judged]}


def _one(site: Site | None, host: Host, one: Lun, rest: Rest) -> view.Json:
    users = [u for u in host.users if u.dev in (one.dm, *(p.dev for p in one.paths))]
    opened = next((m.open_count for m in host.maps if m.dm == one.dm), 0)
    return {
        **view.lun(host, one),
        "numbers": sorted({p.lun for p in one.paths}),
        "serial": rest.serials.get(one.wwid),
        "in_site": one.wanted if site else None,
        "registered": None if rest.registered is None else one.wwid in rest.registered,
        "open_count": opened if one.dm and host.root else None,
        "users": [{"dev": u.dev, "kind": u.kind, "name": u.name, "space": u.space} for u in users],
    }


def news(host: Host, found: News) -> view.Json:
    """What a rescan brought, by LUN."""

    def of(luns: Mapping[str, tuple[Path, ...]]) -> list[view.Json]:
        return [{"wwid": wwid, "paths": [view.path(host, p) for p in paths]} for wwid, paths in luns.items()]

    changed = [
        {"dev": p.dev, "wwid": p.wwid, "says": host.strangers[p.dev]} for p in host.paths if p.dev in host.strangers
    ]
    return {
        "appeared": of(found.appeared),
        "vanished": of(found.vanished),
        "resized": of(found.resized),
        "changed": changed,
    }


def adoption(one: Adoption) -> view.Json:
    return {
        "wwid": one.lun.wwid,
        "alias": one.lun.alias or None,
        "before": one.lun.expected,
        "after": one.after,
        "targets": sorted(one.targets),
        "dead": [p.dev for p in one.dead],
        "into_site": one.new is not None,
    }
