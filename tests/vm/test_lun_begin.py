"""A LUN that comes: taken into use with all of its paths, refused where its number was another LUN's, adopted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mpio.lab import san
from vm.hosts import ALIASES, SITE, SITE_PATH, TARGETS, Prague
from vm.readback import is_as_the_site_says

NEW = san.Lun(14, "3600144f0f484400000004e8686aa0005")
OTHER = san.Lun(15, "3600144f0f484400000004e8686bb0006")
MORE = replace(san.GUIDE, luns=(*san.GUIDE.luns, NEW, OTHER))
COMMENTED = f"# Hydra's own.\n{SITE}   # the end\n"
ADDED = f'{COMMENTED}\n[[lun]]\nwwid = "{NEW.wwid}"\nalias = "hydra_new"\n'
HELD = f"sha256sum {SITE_PATH} /etc/multipath/conf.d/* /etc/multipath/wwids; dmsetup table | sort; dmsetup ls --tree"
# As multipathd itself says: `NAME WWID PATHS`, and who else has them.
MAPS = 'multipathd show maps raw format "%w %n %N"'


IMAGES = "/var/lib/mpio-lab"


def shows(host: Prague) -> None:
    """The array has two LUNs more; one of them is mapped."""
    host.put(SITE_PATH, COMMENTED)
    host.san(MORE)
    for target in TARGETS:
        host.fault("unmap", target, str(OTHER.number))


def gives_the_number_away(host: Prague, lun: san.Lun, to: san.Lun) -> None:
    for target in TARGETS:
        host.fault("unmap", target, str(lun.number))
        host.fault("map-at", target, str(to.number), str(lun.number))


def paths(host: Prague, wwid: str) -> str:
    return next((line.split()[2] for line in host.sh(MAPS).splitlines() if line.startswith(wwid)), "")


def test_a_lun_is_added_and_its_number_given_away(applied: Prague) -> None:
    shows(applied)
    added = applied.mpio("lun", "add", NEW.wwid[1:].upper(), "--alias", "hydra_new", "--yes", "-o", "json")
    assert (added.json["left"], added.json["findings"]) == ([], []), added
    assert applied.text(SITE_PATH) == ADDED
    assert f"{NEW.wwid} hydra_new 4" in applied.sh(MAPS)
    assert applied.sh("dmsetup status hydra_new").count(" A 0 0 1") == 4
    assert NEW.wwid in applied.sh("cat /etc/multipath/wwids")
    assert applied.mpio("plan", "-o", "json").json["steps"] == []

    # the checker is content with the other LUN behind the old map; mpio is not
    gives_the_number_away(applied, NEW, OTHER)
    applied.until('multipathd show maps raw format "%n %N" | grep -qx "hydra_new 4"')
    before = applied.sh(HELD)
    refused = applied.mpio("lun", "add", OTHER.wwid, "--alias", "hydra_other", "--yes", "-o", "json", exits=1)
    assert refused.json["error"]["code"] == "MP414", refused
    assert f"the map is of {NEW.wwid}" in refused.json["error"]["message"], refused
    assert f"says {OTHER.wwid}" in refused.json["error"]["message"], refused
    assert applied.sh(HELD) == before


@pytest.mark.nightly
def test_another_lun_under_the_number_is_seen_by_all(applied: Prague) -> None:
    shows(applied)
    applied.mpio("lun", "add", NEW.wwid, "--alias", "hydra_new", "--yes")
    applied.sh("mkfs.ext4 -q /dev/mapper/hydra_new && mkdir -p /srv/new && mount /dev/mapper/hydra_new /srv/new")
    applied.sh(f"printf other | dd of={IMAGES}/{OTHER.wwid}.img conv=notrunc status=none")
    gives_the_number_away(applied, NEW, OTHER)
    applied.until('multipathd show maps raw format "%n %N" | grep -qx "hydra_new 4"')
    # so it is as bad as the finding says
    assert applied.sh("dd if=/dev/mapper/hydra_new iflag=direct bs=4096 count=1 status=none | head -c 5") == "other"
    before = applied.sh(HELD)
    assert applied.mpio("verify", "-o", "json", exits=5).names("MP414", "hydra_new")
    applied.mpio("plan", "-o", "json", exits=None)
    said = applied.mpio("apply", "--yes", "-o", "json", exits=1).json["error"]
    assert said["code"] == "MP414", said
    assert "mount /srv/new" in said["message"], said
    news = applied.mpio("lun", "rescan", "--yes", "-o", "json", exits=1)
    assert news.names("MP414", "hydra_new"), news
    assert {c["says"] for c in news.json["changed"]} == {OTHER.wwid}, news
    assert applied.sh(HELD) == before

    # the way out that the finding names
    applied.sh("umount -l /srv/new")
    applied.until('! grep -q " /srv/new " /proc/mounts')
    applied.mpio("lun", "remove", "hydra_new", "--yes", "--force", "MP414", exits=None)
    applied.mpio("lun", "add", OTHER.wwid, "--alias", "hydra_other", "--yes", timeout=400)
    assert paths(applied, OTHER.wwid) == "4"


@pytest.mark.nightly
def test_what_cannot_be_added(applied: Prague) -> None:
    shows(applied)
    for argv, code, words in (
        (("600144",), 2, "no WWID"),
        ((NEW.wwid, "--alias", "hydra_db-a01"), 2, "is the alias of"),
        ((NEW.wwid, "--alias", "a/b"), 2, "no alias"),
        ((NEW.wwid,), 2, "terminal"),
        ((OTHER.wwid, "--yes"), 1, NEW.wwid),  # which is shown and not taken
    ):
        ran = applied.mpio("lun", "add", *argv, exits=code)
        assert words in ran.err, ran
        assert applied.text(SITE_PATH) == COMMENTED
    listed = {x["wwid"]: x for x in applied.mpio("lun", "list", "-o", "json").json["luns"]}
    assert {x["in_site"] for w, x in listed.items() if w in ALIASES} == {True}
    one = listed[NEW.wwid]
    assert (one["numbers"], one["in_site"], one["size"], len(one["paths"])) == ([NEW.number], False, NEW.size, 4), one
    assert one["serial"] == NEW.wwid[8:]
    assert len(applied.mpio("lun", "list").out.splitlines()) == len(ALIASES) + 2
    # OTHER's refusal has scanned: a disk of NEW is there, and somebody mounts it past multipath
    disk = applied.sh(f"grep -l {NEW.wwid[1:]} /sys/block/sd*/device/wwid | head -n1 | cut -d/ -f4").strip()
    if not applied.sh(f"ls /sys/block/{disk}/holders"):
        applied.sh(f"mkfs.ext4 -q /dev/{disk} && mkdir -p /srv/past && mount /dev/{disk} /srv/past")
        ran = applied.mpio("lun", "add", NEW.wwid, "--yes", "-o", "json", exits=1)
        assert ran.json["error"]["code"] == "MP408", ran
        assert "/srv/past" in ran.json["error"]["message"], ran
        applied.sh("umount /srv/past")
    assert applied.text(SITE_PATH) == COMMENTED
    is_as_the_site_says(applied)


@pytest.mark.nightly
def test_one_target_does_not_show_it_and_is_adopted(applied: Prague) -> None:
    shows(applied)
    applied.fault("unmap", TARGETS[1], str(NEW.number))
    added = applied.mpio("lun", "add", NEW.wwid, "--alias", "hydra_new", "--yes", "-o", "json")
    assert added.found == {("MP416", NEW.wwid)}, added
    assert TARGETS[1] in added.json["findings"][0]["detail"]
    assert paths(applied, NEW.wwid) == "2"

    applied.fault("map", TARGETS[1], str(NEW.number))
    news = applied.mpio("lun", "rescan", "hydra_new", "--yes", "-o", "json").json
    assert news["appeared"] == []  # its own targets show nothing new; all of them do
    news = applied.mpio("lun", "rescan", "--yes", "-o", "json").json
    assert [(n["wwid"], len(n["paths"])) for n in news["appeared"]] == [(NEW.wwid, 2)]
    applied.mpio("verify", "--wait", "60")
    assert paths(applied, NEW.wwid) == "4"

    applied.fault("unmap", TARGETS[1], str(NEW.number))
    news = applied.mpio("lun", "rescan", "--yes", "-o", "json")
    assert news.names("MP417", "hydra_new"), news
    applied.until('multipathd show maps raw format "%n %N" | grep -qx "hydra_new 2"')
    assert applied.mpio("verify", "-o", "json", exits=4).names("MP402", "hydra_new")
    adopted = applied.mpio("lun", "adopt", "--yes", "-o", "json").json
    assert [(a["alias"], a["before"], a["after"], len(a["dead"])) for a in adopted["adopted"]] == [
        ("hydra_new", 4, 2, 2)
    ], adopted
    assert applied.text(SITE_PATH) == ADDED
    applied.mpio("verify", "--wait", "60")
    assert applied.mpio("plan", "-o", "json").json["steps"] == []
    assert applied.mpio("lun", "adopt", "-o", "json").json["adopted"] == []


@pytest.mark.nightly
def test_killed_anywhere_it_goes_on(applied: Prague) -> None:
    """Killed at each stage, by what is there at that moment, and finished by the same verb or by `apply`."""
    shows(applied)
    applied.keep("shows")
    for met, finish in (
        (
            f"grep -l {NEW.wwid[1:]} /sys/block/sd*/device/wwid | grep -q .",
            ("lun", "add", NEW.wwid, "--alias", "hydra_new"),
        ),
        (f"grep -q {NEW.wwid} {SITE_PATH}", ("apply",)),
        (f"grep -q {NEW.wwid} /etc/multipath/conf.d/90-mpio.conf", ("apply",)),
        (f"grep -q {NEW.wwid} /etc/multipath/wwids", ("lun", "add", NEW.wwid, "--alias", "hydra_new")),
    ):
        applied.guest.restore("shows")
        applied.sh(f"systemd-run -q --unit adding mpio lun add {NEW.wwid} --alias hydra_new --yes")
        applied.until(met, 120)
        applied.guest.sh("systemctl kill -s KILL adding; systemctl reset-failed adding")
        applied.until("! systemctl is-active -q adding")
        applied.mpio(*finish, "--yes", timeout=400)
        assert applied.text(SITE_PATH) == ADDED, met
        assert f"{NEW.wwid} hydra_new 4" in applied.sh(MAPS), met
        assert applied.mpio("plan", "-o", "json").json["steps"] == [], met
    assert len(ALIASES) + 1 == len(applied.sh(MAPS).splitlines())
