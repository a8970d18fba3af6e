"""The look without a daemon: what it takes for granted, what it keeps, and whom it leaves the telling to."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
import watched

from mpio import lock
from mpio.alerts import damping
from mpio.alerts.incidents import Incidents
from mpio.errors import UnreadableOutput
from mpio.files import Files
from mpio.host import Host, Map
from mpio.machine import Machine
from mpio.memory import Offline
from mpio.run import Runner
from mpio.site import Alert, Site, Watch
from mpio.watch import brief, changes, history, kept
from mpio.watch.event import Event
from mpio.watch.seen import Seen
from mpio.watch.sight import Sight, judged

HOST = fakes.guide_host()
WHOLE = watched.seen()
EVERYTHING = ("info", "degraded", "failed", "recovered")


def since(now: Seen, left: kept.Kept | None) -> list[tuple[str, str]]:
    before = judged(replace(now, host=kept.before(now.host, left)))
    return watched.words(changes.between(before, now))


def left(by: Seen) -> kept.Kept:
    return kept.of(by.host)


def failed(dev: str) -> Seen:
    return watched.with_paths(WHOLE, lambda p: replace(p, dm_state="failed") if p.dev == dev else p)


# -- what is new ---------------------------------------------------------------------------------------------------


def test_without_an_earlier_look_the_host_is_taken_to_have_been_whole() -> None:
    one = HOST.paths[0]
    name = next(lun.alias for lun in WHOLE.luns if lun.wwid == one.wwid)
    assert since(failed(one.dev), None) == [("path_failed", f"{one.dev} of {name}"), ("lun_degraded", name)]
    assert since(WHOLE, None) == []


def test_what_was_told_is_not_told_again_and_its_end_is() -> None:
    broken = failed(HOST.paths[0].dev)
    assert since(broken, left(broken)) == []
    assert [name for name, _ in since(WHOLE, left(broken))] == ["path_restored", "lun_recovered"]


def test_a_link_and_all_behind_it() -> None:
    lost = watched.without_nic(WHOLE, "eth1")
    said = [name for name, _ in since(lost, None)]
    assert said == ["link_down"] + ["session_failed"] * 2 + ["path_failed"] * 8 + ["lun_degraded"] * 4
    back = [name for name, _ in since(WHOLE, left(lost))]
    assert back == ["link_up"] + ["session_restored"] * 2 + ["path_restored"] * 8 + ["lun_recovered"] * 4


def test_a_session_that_came_back_under_another_number_is_the_same() -> None:
    lost = watched.without_nic(WHOLE, "eth1")
    numbers = {s.sid: s.sid + 10 for s in HOST.sessions if s.nic == "eth1"}
    renamed = watched.seen(
        replace(
            HOST,
            sessions=tuple(replace(s, sid=numbers.get(s.sid, s.sid)) for s in HOST.sessions),
            paths=tuple(replace(p, sid=numbers[p.sid], dev=f"{p.dev}x") if p.sid in numbers else p for p in HOST.paths),
        )
    )
    back = [name for name, _ in since(renamed, left(lost))]
    assert back == ["link_up"] + ["session_restored"] * 2 + ["path_restored"] * 8 + ["lun_recovered"] * 4


def test_what_is_gone_since_is_told() -> None:
    gone = watched.with_paths(WHOLE, lambda p: None if p.dev == HOST.paths[0].dev else p)
    assert [name for name, _ in since(gone, left(WHOLE))] == ["path_removed", "lun_degraded"]
    out = watched.with_sessions(WHOLE, lambda s: None if s.sid == HOST.sessions[0].sid else s)
    assert since(out, left(WHOLE))[0] == ("session_removed", str(HOST.sessions[0].pair))


def test_what_is_offline_by_hand_is_no_loss() -> None:
    pairs = frozenset(str(s.pair) for s in HOST.sessions if s.nic == "eth1")
    away = (Offline("eth1", pairs, "root", "2026-11-21T22:00:00+00:00"),)
    sids = {s.sid for s in HOST.sessions if s.nic == "eth1"}
    paths = tuple(replace(p, dm_state="failed") if p.sid in sids else p for p in HOST.paths)
    resting = watched.seen(replace(HOST, paths=paths, offline=away))
    assert since(resting, None) == []


def test_a_lun_that_grew() -> None:
    small = replace(left(WHOLE), maps=tuple(replace(m, size=1) for m in HOST.maps))
    assert [name for name, _ in since(WHOLE, small)] == ["lun_resized"] * 4


# -- what is kept --------------------------------------------------------------------------------------------------


def test_what_is_kept_is_read_as_it_was_written() -> None:
    told = Incidents(Alert(on=EVERYTHING))
    lost = watched.without_nic(WHOLE, "eth1")
    told.take(changes.between(WHOLE, lost), lost, 100.0)
    told.tick(200.0)
    assert told.open
    one = kept.of(replace(lost.host, maps=(*HOST.maps, Map("m", "3" + "0" * 32, "dm-9", queueing=60))))
    both = kept.Alerts({"one": kept.Told(tuple(told.open), told.flapped)})
    assert kept.parse(kept.Kept, kept.dump(one)) == one
    assert kept.parse(kept.Alerts, kept.dump(both)) == both
    again = Incidents(told.alert)
    recalled = kept.parse(kept.Alerts, kept.dump(both)).alerts["one"]
    again.recall(recalled.open, recalled.flapped)
    again.take(changes.between(lost, WHOLE), WHOLE, 300.0)
    (message,) = again.tick(300.0 + damping.HOLD)
    assert (message.severity, message.duration) == ("recovered", 200.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        kept.dump(kept.Kept()).replace('"maps"', '"cards"'),
        kept.dump(left(WHOLE)).replace('"state": "LOGGED_IN"', '"state": 7', 1),
        kept.dump(left(WHOLE)).replace('"port": 3260', '"port": null', 1),
    ],
)
def test_what_another_mpio_kept_counts_for_nothing(text: str) -> None:
    with pytest.raises(UnreadableOutput):
        kept.parse(kept.Kept, text)


# -- one run -------------------------------------------------------------------------------------------------------


class Places:
    """The files of /run in a folder of the test, and what every look sees."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.sees = WHOLE
        for module, name in ((brief, "LOCK"), (lock, "WATCH")):
            monkeypatch.setattr(module, name, str(folder / name.lower()))
        for name in ("SOAK", "AGAIN"):
            monkeypatch.setattr(brief, name, 0.0)
        monkeypatch.setattr(Sight, "look", lambda *_: self.sees)
        monkeypatch.setattr(Sight, "with_causes", lambda *looks: looks[-1])
        for name, seconds in (("GATHER", 0.0), ("SPREAD", 0.0), ("HOLD", 0.0)):
            monkeypatch.setattr(damping, name, seconds)
        self.events: list[Event] = []
        self.said: list[str] = []
        self.machine = Machine(Runner(), Files(str(folder)))

    @property
    def flag(self) -> Path:
        return self.folder / brief.FLAG.lstrip("/")

    def once(self, site: Site | None) -> int:
        return brief.once(self.machine, site, self.events.extend, self.said.append)

    @property
    def told(self) -> list[str]:
        names = [e.name.value for e in self.events]
        self.events.clear()
        return names


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return Places(tmp_path, monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Whose alert writes what it is told, a line each."""
    program = tmp_path / "page"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'pages')!r}, 'a').write(sys.stdin.read() + '\\n')\n"
    )
    program.chmod(0o755)
    return replace(watched.SITE, watch=Watch(alerts=(Alert(exec=(str(program),)),)))


def pages(folder: Path) -> list[tuple[str, str]]:
    text = (folder / "pages").read_text() if (folder / "pages").exists() else ""
    return [(p["severity"], p["root"]) for p in map(json.loads, filter(None, text.splitlines()))]


def test_one_failure_is_one_alert_and_its_end_another(places: Places, site: Site, tmp_path: Path) -> None:
    one = HOST.paths[0]
    name = next(lun.alias for lun in WHOLE.luns if lun.wwid == one.wwid)
    places.sees = replace(failed(one.dev), site=site)
    assert places.once(site) == 0
    times = [e.time for e in places.events]
    assert places.told == ["path_failed", "lun_degraded"]
    assert pages(tmp_path) == [("degraded", f"LUN {name}")]
    # who is told in whatever way is told the same time
    entries, _ = history.parse((tmp_path / history.CURRENT[1:]).read_text())
    assert [e["time"] for e in entries if "event" in e] == times
    assert json.loads((tmp_path / "pages").read_text())["time"] == times[0]
    assert not places.flag.exists()
    assert places.once(site) == 0  # another flag, and nothing new
    assert places.told == []
    places.sees = replace(WHOLE, site=site)
    assert places.once(site) == 0
    assert places.told == ["path_restored", "lun_recovered"]
    assert pages(tmp_path) == [("degraded", f"LUN {name}"), ("recovered", f"LUN {name}")]


def test_a_flag_that_comes_while_it_works_is_another_look(
    places: Places, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Seen] = []

    def look(*_: object) -> Seen:
        looks.append(WHOLE)
        if len(looks) < 3:
            places.flag.touch()
        return WHOLE

    monkeypatch.setattr(Sight, "look", look)
    assert places.once(site) == 0
    assert len(looks) == 3
    assert not places.flag.exists()


def test_where_a_watcher_acts_it_tells(places: Places, site: Site) -> None:
    places.sees = failed(HOST.paths[0].dev)
    with lock.hold("watch", lock.WATCH):
        assert places.once(site) == 0
    assert (places.told, places.said) == ([], ["a watcher is at work, which tells by itself"])
    assert not places.flag.exists()
    assert places.once(site) == 0  # it has let go of its lock, whose file stays
    assert places.told == ["path_failed", "lun_degraded"]


def test_what_flaps_for_ever_does_not_keep_one_look_for_ever(
    places: Places, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag that is left then starts the next."""
    monkeypatch.setattr(brief, "LONGEST", 0.3)

    def look(*_: object) -> Seen:
        places.flag.touch()
        return WHOLE

    monkeypatch.setattr(Sight, "look", look)
    assert places.once(site) == 0
    assert places.flag.exists()
    assert (places.folder / brief.KEPT[1:]).exists()


def test_what_is_told_at_the_end_is_not_told_by_the_next(
    places: Places, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends while a message is gathered, as one that is stopped does: that one goes out, and is known to be out."""
    monkeypatch.setattr(brief, "LONGEST", 0.3)
    monkeypatch.setattr(brief, "LEAVE", 10.0)
    monkeypatch.setattr(damping, "SPREAD", 60.0)
    places.sees = replace(failed(HOST.paths[0].dev), site=site)
    assert places.once(site) == 0
    monkeypatch.setattr(damping, "SPREAD", 0.0)
    assert places.once(site) == 0
    assert len(pages(tmp_path)) == 1


def test_a_watcher_that_begins_takes_over(places: Places, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Seen] = []
    with contextlib.ExitStack() as watcher:

        def look(*_: object) -> Seen:
            looks.append(WHOLE)
            watcher.enter_context(lock.hold("watch", lock.WATCH))
            places.flag.touch()
            return WHOLE

        monkeypatch.setattr(Sight, "look", look)
        assert places.once(site) == 0
    assert len(looks) == 1
    assert not places.flag.exists()


def test_where_another_looks_it_is_left_to_it(places: Places, site: Site) -> None:
    with lock.hold("watch --event", brief.LOCK):
        assert places.once(site) == 0
    assert places.told == []
    assert places.flag.exists()  # which the other one sees before it ends


def test_what_could_not_be_delivered_is_told_by_the_next_look(
    places: Places, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brief, "LONGEST", 0.3)
    page = tmp_path / "page"
    program = page.read_text()
    page.write_text("#!/bin/false\n")
    places.sees = replace(failed(HOST.paths[0].dev), site=site)
    assert places.once(site) == 1
    assert places.told[:2] == ["path_failed", "lun_degraded"]
    page.write_text(program)
    assert places.once(site) == 0
    assert places.told == ["path_failed", "lun_degraded"]
    assert len(pages(tmp_path)) == 1


def test_a_host_without_a_site_and_without_disks(places: Places) -> None:
    places.sees = judged(Seen(Host()))
    assert places.once(None) == 0
    assert places.told == []
