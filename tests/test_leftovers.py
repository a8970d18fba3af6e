"""What is given back, or taken away because the site no longer names it."""

from __future__ import annotations

from dataclasses import replace

import fakes
from fakes import HOMER_1, PORTAL_8

from mpio import plan
from mpio.host import Effective, Iface, Pair
from mpio.memory import Key
from mpio.plan import ending, ground
from mpio.plan.iscsi import CHAP_KEYS, SECRET
from mpio.plan.shape import MULTIPATH_CONF
from mpio.step import Command, Write
from mpio.tools import keyfile

SITE = fakes.guide_site()
HOST = fakes.guide_host()
NEAR = Pair("sw-iscsi-0", PORTAL_8, HOMER_1)
NODE = next(n for n in HOST.nodes if n.pair == NEAR)
STRICT = replace(HOST, effective=Effective({"": {"find_multipaths": "strict"}}, None))


def commands(host: object) -> list[str]:
    return [" ".join(s.argv) for s in host if isinstance(s, Command)]  # type: ignore[attr-defined]


def test_chap_that_left_the_site_leaves_the_records_of_mpio() -> None:
    secret = replace(NODE, settings={**NODE.settings, SECRET: "********"})
    text = "node.name = x\nnode.session.auth.username = prague\nnode.session.auth.password = s3cret\n# END RECORD\n"
    host = replace(
        HOST,
        nodes=tuple(secret if n is NODE else n for n in HOST.nodes),
        files={**HOST.files, NODE.path: text},
    )
    (step,) = (s for s in plan.steps(SITE, host).steps if isinstance(s, Write) and s.path == NODE.path)
    assert step.secret
    assert not keyfile.values(step.text or "").keys() & set(CHAP_KEYS)
    foreign = replace(host, memory=replace(host.memory, made=frozenset()))
    assert all(not (isinstance(s, Write) and s.path == NODE.path) for s in plan.steps(SITE, foreign).steps)


def test_a_discovery_record_that_was_made_for_chap_goes_with_it() -> None:
    path = "/etc/iscsi/send_targets/10.10.8.90,3260/st_config"
    memory = replace(HOST.memory, made=HOST.memory.made | {("discovery", str(PORTAL_8))})
    host = replace(HOST, memory=memory, discovery_records={PORTAL_8: path}, files={**HOST.files, path: "x = y\n"})
    assert [c for c in commands(plan.steps(SITE, host).steps) if "discoverydb" in c] == [
        f"iscsiadm -m discoverydb -t sendtargets -p {PORTAL_8} -o delete"
    ]
    theirs = replace(host, memory=HOST.memory)
    assert not [c for c in commands(plan.steps(SITE, theirs).steps) if "discoverydb" in c]


def test_a_wwid_that_left_the_site_is_forgotten_once_its_map_is_closed() -> None:
    gone, *kept = SITE.luns
    site = fakes.guide_site(luns=tuple(kept))
    name = next(m.name for m in HOST.maps if m.wwid == gone.wwid)
    told = commands(plan.steps(site, STRICT).steps)
    assert told.index(f"multipath -f {name}") < told.index(f"multipath -w {gone.wwid}")
    busy = tuple(replace(m, open_count=1) if m.wwid == gone.wwid else m for m in HOST.maps)
    assert not [c for c in commands(plan.steps(site, replace(STRICT, maps=busy)).steps) if c.startswith("multipath -")]


def test_settings_of_a_record_that_was_there_before_are_put_back() -> None:
    theirs = replace(HOST.memory, made=HOST.memory.made - {("record", str(NEAR))})
    manual = replace(NODE, settings={**NODE.settings, "node.startup": "manual"})
    before = replace(HOST, memory=theirs, nodes=tuple(manual if n is NODE else n for n in HOST.nodes))
    (step,) = (s for s in plan.steps(SITE, before).steps if isinstance(s, Command) and "node.startup" in s.argv)
    (note,) = step.notes
    assert (note.name, note.before, note.ours) == (f"{NODE.path} node.startup", "manual", "automatic")
    after = replace(HOST, memory=replace(theirs, keys={**theirs.keys, note.name: Key("manual", "automatic")}))
    assert any(c.endswith("-o update -n node.startup -v manual") for c in commands(ending.teardown(after).steps))
    changed = tuple(replace(n, settings={**n.settings, "node.startup": "onboot"}) for n in after.nodes)
    assert not any("node.startup" in c for c in commands(ending.teardown(replace(after, nodes=changed)).steps))


def test_a_multipath_conf_that_its_user_has_filled_stays() -> None:
    memory = replace(HOST.memory, made=HOST.memory.made | {("file", MULTIPATH_CONF)})
    for text, goes in ((ground.MINIMAL_CONF, True), (ground.MINIMAL_CONF + "defaults {\n}\n", False)):
        host = replace(HOST, memory=memory, files={**HOST.files, MULTIPATH_CONF: text})
        steps = ending.teardown(host).steps
        assert any(isinstance(s, Write) and s.path == MULTIPATH_CONF for s in steps) is goes


def test_an_iface_stays_for_a_record_whose_portal_is_a_name() -> None:
    idle = replace(HOST, ifaces=(*HOST.ifaces, Iface("extra", "eth2")), sessions=())
    idle = replace(idle, memory=replace(HOST.memory, made=HOST.memory.made | {("iface", "extra")}))
    named = replace(idle, unread=(("extra", "/etc/iscsi/nodes/x/homer.dom,3260,1/extra"),))
    gone = "iscsiadm -m iface -I extra -o delete"
    for host, goes in ((idle, True), (named, False)):
        assert (gone in commands(plan.steps(SITE, host).steps)) is goes
        assert (gone in commands(ending.teardown(host).steps)) is goes


def test_an_iface_is_not_rebound_over_a_record_whose_portal_is_a_name() -> None:
    moved = (replace(HOST.ifaces[0], nic="eth2"), HOST.ifaces[1])
    idle = replace(HOST, ifaces=moved, sessions=())
    assert "iscsiadm -m iface -I sw-iscsi-0 -o delete" in commands(plan.steps(SITE, idle).steps)
    named = replace(idle, unread=(("sw-iscsi-0", "/etc/iscsi/nodes/x/homer.dom,3260,1/sw-iscsi-0"),))
    made = plan.steps(SITE, named)
    assert not [c for c in commands(made.steps) if c.startswith("iscsiadm -m iface")]
    assert [f.code for f in made.refused] == ["MP309"]
