"""A report and a bundle of a real host: the numbers are those of `status`, nothing changes, no secret gets out."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile

import htmltree
import pytest

from mpio import recording
from mpio.replay import Replay
from mpio.tools import iscsiadm, multipathd
from vm import hosts
from vm.hosts import SITE_PATH, TARGETS, Prague
from vm.test_chap import DISCOVERY, SESSIONS, WORDS, site
from vm.test_portals import logged_out

PAGE, BUNDLE = "/root/page.html", "/root/mpio.tar.gz"
MAIL = "hunter2-of-the-mail"
ALERT = f'[[watch.alert]]\non = ["failed"]\nurl = "mailto://joe:{MAIL}@example.org"\n'


def members(host: Prague) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(host.guest.get(BUNDLE))) as tar:
        files = {one.name.removeprefix("mpio-support/"): tar.extractfile(one) for one in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file}


def spelt(secret: str) -> set[bytes]:
    data = secret.encode()
    coded = {base64.b64encode(b"\0" * n + data)[4:-4] for n in (1, 2)}
    return {data, data.hex().encode(), data.hex().upper().encode(), base64.b64encode(data).rstrip(b"="), *coded}


def holders(inside: dict[str, bytes], secrets: list[str]) -> set[tuple[str, str]]:
    """Every member that has a secret in it, packed ones unpacked."""
    plain = {n: gzip.decompress(d) if d.startswith(b"\x1f\x8b") else d for n, d in inside.items()}
    return {(n, s) for n, data in plain.items() for s in secrets if any(one in data for one in spelt(s))}


def state(host: Prague) -> str:
    return host.state(hosts.FILES, hosts.KERNEL, hosts.UNITS, "ls -A /run/lock /run/lock/iscsi /run/mpio")


def test_the_page_has_the_numbers_of_status_and_looking_changes_nothing(applied: Prague) -> None:
    applied.sh(f"iscsiadm -m node -T {TARGETS[0]} -I sw-iscsi-1 --logout")
    before = state(applied)
    made = applied.mpio("report", PAGE, "-o", "json").json
    assert (made["paths"], made["sessions"]) == (
        {"usable": 12, "counted": 16},
        {"logged_in": 3, "counted": 4},
    ), made
    status = applied.mpio("status", "-o", "json").json
    page = applied.text(PAGE)
    htmltree.as_status_says(page, status)
    assert "MP402" in {e.data("code") for e in htmltree.read(page).having("code", tag="section")}
    bundle = applied.mpio("support", BUNDLE, "-o", "json").json
    assert state(applied) == before
    inside = members(applied)
    assert bundle["bytes"] < 1_000_000, bundle
    htmltree.as_status_says(inside["report.html"].decode(), status)
    assert json.loads(inside["verify.json"])["exit"] == 4
    # what it recorded is what tests replay
    kept = [recording.load(data.decode()) for name, data in inside.items() if name.startswith("recordings/")]
    again = Replay(kept)
    assert len(iscsiadm.sessions(again)) == 3
    assert {len(m.paths) for m in multipathd.maps(again)} == {3}
    assert {"journal/units.txt", "journal/kernel.txt", f"host{SITE_PATH}", "host/etc/multipath/wwids"} <= set(inside)
    assert b"iscsid" in inside["journal/units.txt"]
    assert b"Attached SCSI disk" in inside["journal/kernel.txt"]


@pytest.mark.nightly
def test_a_bundle_of_a_host_with_chap_holds_no_secret(applied: Prague) -> None:
    applied.fault("discovery-chap", *DISCOVERY)
    for target in TARGETS:
        applied.fault("chap", target, *SESSIONS)
    logged_out(applied, TARGETS[0])
    site(applied, SESSIONS, DISCOVERY)
    applied.put(SITE_PATH, applied.text(SITE_PATH) + ALERT)
    applied.mpio("apply", "--yes")
    stale = "node.session.auth.password = a-stale-secret-of-iscsid"
    applied.sh(f"echo '{stale}' >> /etc/iscsi/iscsid.conf; logger -t iscsid 'login as {SESSIONS[1]} failed'")
    applied.sh(f"systemd-run -q --wait --unit mpio-test echo said {DISCOVERY[1]} {MAIL}")
    before = state(applied)
    said = applied.mpio("support", BUNDLE, "-v")
    assert state(applied) == before
    inside = members(applied)
    secrets = [*WORDS, MAIL, "a-stale-secret-of-iscsid"]
    assert holders(inside, secrets) == set(), said
    assert not any(secret in said.out + said.err for secret in secrets)
    assert b"said ********" in inside["journal/units.txt"]
    records = [data for name, data in inside.items() if "/nodes/" in name or "/send_targets/" in name]
    assert sum(b"password = ********" in data for data in records) >= 6
    assert b"node.session.auth.username = prague" in b"".join(records)
    assert b"mailto://********" in inside[f"host{SITE_PATH}"]
    # the search can fail
    assert holders({"x": gzip.compress(b"y" + base64.b64encode(b"zz" + WORDS[0].encode()))}, secrets)


@pytest.mark.nightly
def test_a_host_in_every_kind_of_trouble_gets_both(applied: Prague) -> None:
    """All targets gone, multipathd stopped, the site file broken: still a page and a bundle, soon."""
    for target in TARGETS:
        applied.fault("target-off", target)
    applied.until("! grep -q LOGGED_IN /sys/class/iscsi_session/*/state", 120)
    page = applied.mpio("report", PAGE, "-o", "json", timeout=120).json
    assert (page["state"], page["paths"]["usable"], page["sessions"]["logged_in"]) == ("failed", 0, 0), page
    applied.sh("systemctl stop multipathd.socket multipathd.service")
    applied.put(SITE_PATH, "format = ")
    before = state(applied)
    bundle = applied.mpio("support", BUNDLE, "-o", "json", timeout=120).json
    assert any(what.startswith("the site file: ") for what in bundle["failed"]), bundle
    assert state(applied) == before
    assert applied.guest.sh("systemctl is-active multipathd").out == "inactive\n"
    assert {"status.json", "report.html", "journal/kernel.txt"} <= set(members(applied))
