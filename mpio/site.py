"""The wanted state of one initiator host: values only. `mpio.sitefile` reads them from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpio.portal import Portal


@dataclass(frozen=True, slots=True)
class SiteIface:
    """An iSCSI iface and the NIC that it is bound to."""

    name: str
    nic: str


@dataclass(frozen=True, slots=True)
class Chap:
    """CHAP names, and the files that hold the passwords: never a password."""

    username: str
    password_file: str
    username_in: str | None = None
    password_in_file: str | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Whole seconds; `login_retries` a count."""

    replacement: int = 10
    noop_interval: int = 5
    noop_timeout: int = 5
    login: int = 5
    login_retries: int = 4


@dataclass(frozen=True, slots=True)
class SiteLun:
    """`keywords` of a multipath section as multipath.conf's text, wwid and alias left out; `paths` None: as planned."""

    wwid: str
    alias: str | None = None
    keywords: Mapping[str, str] = field(default_factory=dict, hash=False)
    paths: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Whom to tell: one of `url`, `url_file` and `exec`. `on` are severities or event names. `repeat` and `timeout`
    seconds: between two messages about what stays as it is, and for one delivery.
    """

    on: tuple[str, ...] = ("degraded", "failed", "recovered")
    url: str | None = None
    url_file: str | None = None
    exec: tuple[str, ...] = ()
    repeat: int = 14400
    timeout: int = 30


@dataclass(frozen=True, slots=True)
class Watch:
    """What `watch` does. No wanted state of the host. `probe_interval` seconds."""

    fast_fail: str = "off"
    fast_fail_root: bool = False
    heal: bool = True
    probe_interval: float = 1.0
    probe_misses: int = 3
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One site file. `targets` are globs, none: all. `exclude` with port 0 is every port of that address.

    `rp_filter`, `mtu`, `find_multipaths` and `polling_interval` None: the host's own is kept. `multipath` are keywords
    of a device section and `session_keys` those of node records, as the text that their files want.
    """

    ifaces: tuple[SiteIface, ...]
    portals: tuple[Portal, ...]
    initiator: str | None = None
    targets: tuple[str, ...] = ()
    layout: str = "mesh"
    exclude: tuple[Portal, ...] = ()
    chap: Chap | None = None
    discovery_chap: Chap | None = None
    rp_filter: int | None = 2
    mtu: int | None = None
    arp: str = "keep"
    timeouts: Timeouts = Timeouts()
    session_keys: Mapping[str, str] = field(default_factory=dict, hash=False)
    preset: str = "nexenta-comstar"
    multipath: Mapping[str, str] = field(default_factory=dict, hash=False)
    find_multipaths: str | None = None
    polling_interval: int | None = None
    luns: tuple[SiteLun, ...] = ()
    watch: Watch = Watch()
    path: str = ""
