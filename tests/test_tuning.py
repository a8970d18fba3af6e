"""`tune` sets, and neither makes nor takes away."""

from __future__ import annotations

from dataclasses import replace

import fakes
import pytest
from fakes import HOMER_1, PORTAL_8

from mpio import plan
from mpio.host import Effective, Host, Pair
from mpio.plan import tuning
from mpio.plan.iscsi import SECRET
from mpio.plan.shape import MULTIPATH_DROP_IN, SYSCTL_DROP_IN
from mpio.site import Chap, Site, Timeouts
from mpio.step import Command, Part, Step, Write
from mpio.tools import keyfile

SITE = fakes.guide_site()
HOST = fakes.guide_host()
PAIR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)


def of(site: Site, host: Host) -> list[str]:
    return [what(s) for s in tuning.steps(site, host, plan.steps(site, host))]


def what(step: Step) -> str:
    return " ".join(step.argv) if isinstance(step, Command) else step.path


def lacking(**changes: object) -> Host:
    return replace(HOST, **changes)  # type: ignore[arg-type]


def test_a_host_that_is_as_the_site_says_needs_none() -> None:
    assert of(SITE, HOST) == []


def test_timers_go_into_the_file_and_into_every_record() -> None:
    site = fakes.guide_site(timeouts=Timeouts(noop_interval=7))
    conf, *updates = of(site, HOST)
    assert conf == "/etc/iscsi/iscsid.conf"
    assert sorted(updates) == sorted(
        f"iscsiadm -m node -T {p.target} -p {p.portal} -I {p.iface} -o update"
        " -n node.conn[0].timeo.noop_out_interval -v 7"
        for p in (n.pair for n in HOST.nodes)
    )


def test_the_secret_of_a_record_is_a_setting() -> None:
    chap = {"node.session.auth.username": "prague", SECRET: "s3cret"}
    site, host = fakes.guide_site(chap=Chap("prague", "/etc/mpio/chap")), lacking(chap=chap)
    steps = tuning.steps(site, host, plan.steps(site, host))
    assert {s.path for s in steps if isinstance(s, Write) and s.secret} == {n.path for n in HOST.nodes}
    texts = [keyfile.values(s.text or "") for s in steps if isinstance(s, Write) and s.secret]
    assert all(t[SECRET] == "s3cret" for t in texts)


def test_the_live_recovery_time_and_the_settings_of_nics() -> None:
    first = replace(HOST.sessions[0], recovery_tmo=99)
    nic = replace(HOST.nics[0], rp_filter=0, rp_filter_own=0)
    host = lacking(sessions=(first, *HOST.sessions[1:]), nics=(nic, HOST.nics[1]))
    host = replace(host, files={**host.files, SYSCTL_DROP_IN: None})
    assert of(SITE, host) == [
        SYSCTL_DROP_IN,
        "/proc/sys/net/ipv4/conf/eth1/rp_filter",
        f"/sys/class/iscsi_session/session{first.sid}/recovery_tmo",
    ]


@pytest.mark.parametrize(
    "host",
    [
        lacking(ifaces=HOST.ifaces[1:]),
        lacking(nodes=()),
        lacking(sessions=HOST.sessions[1:]),
        fakes.carry_out(HOST, [Command(Part.SERVICES, "", ("systemctl", "disable", "iscsid.service"))]),
    ],
)
def test_nothing_is_made_logged_in_or_started(host: Host) -> None:
    assert plan.steps(SITE, host).steps
    assert of(SITE, host) == []


def test_no_wwid_is_registered_and_no_path_added() -> None:
    unregistered = lacking(registered=frozenset())
    assert "multipath -a" in " ".join(map(what, plan.steps(SITE, unregistered).steps))
    assert of(SITE, unregistered) == []
    # A setting is told to multipathd all the same.
    assert of(fakes.guide_site(polling_interval=7), unregistered) == [MULTIPATH_DROP_IN, "multipathd reconfigure"]
    bare = replace(HOST.paths[0], dm="", dm_state="")
    loose = lacking(paths=(bare, *HOST.paths[1:]))
    assert [what(s) for s in plan.steps(SITE, loose).steps] == [f"multipathd add path {bare.dev}"]
    assert of(SITE, loose) == []


SAME_SUBNET = (HOST.nics[0], replace(HOST.nics[1], addresses=("10.10.8.15/24",)))
ARP = fakes.guide_site(arp="set")


def with_routes() -> Host:
    host, made = fakes.settled(ARP, lacking(nics=SAME_SUBNET))
    assert made.steps == ()
    assert host.rules
    return host


def test_source_routes_are_neither_made_nor_changed_nor_taken_away() -> None:
    made = of(ARP, lacking(nics=SAME_SUBNET))
    assert [w for w in made if "arp" in w] == [
        f"/proc/sys/net/ipv4/conf/{nic}/arp_{key}" for nic in ("eth1", "eth2") for key in ("ignore", "announce")
    ]
    assert not [w for w in made if "mpio-routes" in w or w.startswith(("ip rule", "ip route", "systemctl"))]
    there = with_routes()
    assert of(SITE, replace(there, nics=HOST.nics))  # the ARP settings go back
    for site, nics in (
        (ARP, (there.nics[0], replace(there.nics[1], addresses=("10.10.8.99/24",)))),  # the unit is to be another
        (ARP, (there.nics[0], replace(there.nics[1], addresses=("10.10.9.14/24",)))),  # it is to go
    ):
        host = replace(there, nics=nics)
        assert any("mpio-routes" in what(s) for s in plan.steps(site, host).steps)
        assert of(site, host) == []


def test_source_routes_that_are_gone_are_brought_back_by_their_unit() -> None:
    there = replace(with_routes(), rules=())
    assert of(ARP, there) == ["systemctl daemon-reload", "systemctl restart mpio-routes.service"]
    disabled = replace(
        there, units=tuple(replace(u, enabled="disabled") if "routes" in u.name else u for u in there.units)
    )
    assert of(ARP, disabled) == []


def test_records_and_sessions_that_left_the_site_stay() -> None:
    site = fakes.guide_site(targets=("*:02:*",))
    words = {"--logout", "delete", "--login", "new"}
    assert any(words & set(s.argv) for s in plan.steps(site, HOST).steps if isinstance(s, Command))
    assert not any(words & set(line.split()) for line in of(site, HOST))


def test_the_map_of_a_lun_that_left_the_site_stays() -> None:
    host = lacking(effective=Effective({"": {"find_multipaths": "strict"}}, None))
    site = fakes.guide_site(luns=SITE.luns[1:])
    gone = SITE.luns[0].wwid
    assert f"multipath -w {gone}" in [what(s) for s in plan.steps(site, host).steps]
    assert of(site, host) == [MULTIPATH_DROP_IN, "multipathd reconfigure"]


def test_a_multipathd_that_does_not_run_is_told_nothing() -> None:
    units = tuple(replace(u, active="inactive") if u.name == "multipathd.service" else u for u in HOST.units)
    site = fakes.guide_site(polling_interval=7)
    assert of(site, HOST) == [MULTIPATH_DROP_IN, "multipathd reconfigure"]
    # Its drop-in is in another part then, since it must be there before the daemon starts.
    assert of(site, lacking(units=units)) == [MULTIPATH_DROP_IN]


def test_refused_is_what_these_settings_would_hurt() -> None:
    renamed = fakes.guide_site(luns=(replace(SITE.luns[0], alias="other"), *SITE.luns[1:]), initiator="iqn.2026-01.x:y")
    host = lacking(maps=tuple(replace(m, open_count=1) for m in HOST.maps))
    assert {f.code for f in plan.steps(renamed, host).refused} == {"MP307", "MP405"}
    assert [f.code for f in tuning.refused(renamed, host, frozenset())] == ["MP405"]
    assert tuning.refused(renamed, host, frozenset({"MP405"})) == ()
