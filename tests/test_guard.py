from __future__ import annotations

from dataclasses import replace

import fakes
import pytest

from mpio import guard
from mpio.errors import Exit, Refused
from mpio.findings import finding
from mpio.host import Host, Session, User


def opened(host: Host, count: int = 1) -> Host:
    return replace(host, maps=(replace(host.maps[0], open_count=count), *host.maps[1:]))


def mounted(host: Host, dev: str) -> Host:
    return replace(host, users=(User(dev, "mount", "/srv"),))


def sessions(host: Host, *sids: int) -> list[Session]:
    return [s for s in host.sessions if s.sid in sids]


def test_a_map_is_in_use_by_its_count_or_by_a_named_user() -> None:
    host = fakes.guide_host()
    assert not guard.in_use(host, host.maps[0])
    assert guard.in_use(opened(host), opened(host).maps[0])
    assert guard.in_use(mounted(host, "dm-0"), host.maps[0])
    assert not guard.in_use(mounted(host, "dm-1"), host.maps[0])


def test_a_map_in_use_may_lose_all_but_one_path() -> None:
    host = opened(fakes.guide_host())
    assert guard.against_logout(host, sessions(host, 1, 2, 3)) == ()
    assert guard.against_logout(host, host.sessions) == (finding("MP408", "hydra_apps-a01", "1 opener(s)"),)


def test_the_user_is_named() -> None:
    host = mounted(fakes.guide_host(), "dm-0")
    (found,) = guard.against_logout(host, host.sessions)
    assert found.detail == "mount /srv on dm-0"


def test_a_path_that_does_not_work_does_not_count_as_kept() -> None:
    host = opened(fakes.guide_host())
    host = replace(host, paths=tuple(replace(p, dm_state="failed") if p.sid == 4 else p for p in host.paths))
    assert [f.code for f in guard.against_logout(host, sessions(host, 1, 2, 3))] == ["MP408"]


def test_closed_maps_are_nobodys_business_here() -> None:
    host = fakes.guide_host()
    assert guard.against_logout(host, host.sessions) == ()


def test_a_disk_used_past_multipath_has_no_other_path() -> None:
    host = fakes.guide_host()
    bare = replace(host.paths[0], dm="", dm_state="")
    host = mounted(replace(host, paths=(bare, *host.paths[1:])), bare.dev)
    assert [(f.code, f.subject) for f in guard.against_logout(host, sessions(host, bare.sid))] == [("MP408", bare.dev)]
    assert guard.against_logout(host, sessions(host, 4)) == ()


def test_a_disk_held_open_past_its_map_has_no_other_path() -> None:
    host = fakes.guide_host()
    held = replace(host, users=(User(host.paths[0].dev, "process", "dd (812)"),))
    (found,) = guard.against_logout(held, sessions(held, host.paths[0].sid))
    assert (found.code, found.subject, found.detail) == (
        "MP408",
        host.paths[0].dev,
        f"process dd (812) on {host.paths[0].dev}",
    )
    assert guard.against_logout(held, sessions(held, host.paths[0].sid + 1)) == ()


def test_force_lets_one_code_pass() -> None:
    host = opened(fakes.guide_host())
    assert guard.against_logout(host, host.sessions, frozenset({"MP408"})) == ()
    assert guard.against_logout(host, host.sessions, frozenset({"MP409"})) != ()


def test_maps_that_would_keep_no_usable_path() -> None:
    host = fakes.guide_host()
    assert guard.last_paths(host, sessions(host, 1, 2, 3)) == ()
    assert guard.last_paths(host, host.sessions) == host.maps
    assert guard.last_paths(host, ()) == ()


def test_only_refusals_refuse() -> None:
    guard.refuse((finding("MP402", "x"), finding("MP310", "y")))
    with pytest.raises(Refused) as caught:
        guard.refuse((finding("MP402", "x"), finding("MP409", "y"), finding("MP408", "z", "mount /srv on dm-0")))
    assert caught.value.exit is Exit.COULD_NOT
    assert caught.value.code == "MP409"
    assert caught.value.message.splitlines() == [
        "MP409: refused: y would lose its last usable path",
        "MP408: refused: z is in use: mount /srv on dm-0",
    ]
    assert caught.value.hint.endswith("--force MP409")


def test_what_no_force_lets_pass_is_forbidden() -> None:
    guard.forbid(())
    with pytest.raises(Refused) as caught:
        guard.forbid((finding("MP314", "sw-iscsi-0", "session 1"),))
    assert (caught.value.code, caught.value.exit) == ("MP314", Exit.COULD_NOT)
    assert caught.value.message == "MP314: sessions use the iface sw-iscsi-0: session 1"
    assert "--force" not in caught.value.hint
    with pytest.raises(Refused) as caught:
        guard.forbid((finding("MP104", "multipathd.service"), finding("MP409", "a")))
    assert caught.value.code == "MP409"
