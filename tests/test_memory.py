from __future__ import annotations

import datetime
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpio import memory
from mpio.errors import UnreadableOutput
from mpio.memory import Key, Memory, Offline
from mpio.step import Note

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
TEXTS = st.none() | st.text(max_size=5)
TARGETS = st.frozensets(NAMES, max_size=3)
ZONES = st.timezones()
MOMENTS = st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2100, 1, 1), timezones=ZONES).map(  # noqa: DTZ001
    lambda moment: moment.isoformat()
)
OFFLINE = st.builds(
    Offline, NAMES, st.frozensets(NAMES, max_size=3), NAMES, MOMENTS, st.none() | MOMENTS, st.booleans()
)


def _made(one: tuple[str, str]) -> tuple[str, str]:
    return ("discovery", "10.10.8.90:3260") if one[0] == "discovery" else one


MEMORIES = st.builds(
    Memory,
    st.frozensets(st.tuples(st.sampled_from(memory.MADE), NAMES).map(_made), max_size=5),
    st.dictionaries(NAMES, st.builds(Key, TEXTS, TEXTS), max_size=3),
    st.dictionaries(NAMES, TARGETS, max_size=3),
    TARGETS,
    st.lists(OFFLINE, max_size=2).map(tuple),
)


@given(MEMORIES)
@settings(deadline=None)
def test_what_is_remembered_is_read_back(kept: Memory) -> None:
    assert memory.parse(memory.dump(kept)) == kept


@given(st.text() | st.recursive(st.none() | st.integers() | NAMES, lambda x: st.lists(x) | st.dictionaries(NAMES, x)))
@settings(deadline=None)
def test_anything_else_is_unreadable(said: object) -> None:
    text = said if isinstance(said, str) else json.dumps(said)
    with pytest.raises(UnreadableOutput):
        memory.parse(text)


VALUES: list[object] = [None, 7, [[]], {"x": 3}, 2.5]
WRONG = [(key, value) for key in ("format", "made", "keys", "shown") for value in VALUES]


@pytest.mark.parametrize(("key", "value"), [*WRONG, ("reached", None), ("reached", 7)])
def test_a_document_with_one_wrong_value_is_unreadable(key: str, value: object) -> None:
    document = json.loads(memory.dump(Memory())) | {key: value}
    with pytest.raises(UnreadableOutput):
        memory.parse(json.dumps(document))


OFF: dict[str, object] = {
    "name": "eth1",
    "pairs": ["a"],
    "who": "root",
    "since": "2026-11-21T18:00:00+00:00",
    "until": None,
    "logged_out": False,
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("name", v) for v in VALUES[1:]),
        *(("pairs", v) for v in (None, 7, "eth1", {"x": 3})),
        *(("since", v) for v in (*VALUES, "yesterday", "2026-11-21T18:00:00")),
        *(("until", v) for v in (*VALUES[1:], "", "2026-11-21")),
        *(("logged_out", v) for v in (*VALUES, 0)),
    ],
)
def test_an_offline_with_one_wrong_value_is_unreadable(key: str, value: object) -> None:
    document = json.loads(memory.dump(Memory()))
    assert memory.parse(json.dumps(document | {"offline": [OFF]})).offline[0].name == "eth1"
    with pytest.raises(UnreadableOutput):
        memory.parse(json.dumps(document | {"offline": [OFF | {key: value}]}))


def test_a_file_of_before_offline_is_read() -> None:
    document = json.loads(memory.dump(Memory(reached=frozenset({"t"}))))
    del document["offline"]
    assert memory.parse(json.dumps(document)) == Memory(reached=frozenset({"t"}))


def test_what_is_offline_is_over_at_its_time() -> None:
    until = Offline("eth1", frozenset({"a"}), "root", "2026-11-21T18:00:00+00:00", "2026-11-21T20:00:00+02:00")
    ever = Offline("eth2", frozenset({"b"}), "root", "2026-11-21T18:00:00+00:00")
    kept = Memory(offline=(until, ever))
    at = datetime.datetime(2026, 11, 21, 18, 0, tzinfo=datetime.UTC)
    assert memory.in_force(kept, at - datetime.timedelta(seconds=1)) == (until, ever)
    assert memory.in_force(kept, at) == (ever,)


def test_one_name_is_offline_once() -> None:
    first = Offline("eth1", frozenset({"a"}), "root", "2026-11-21T18:00:00+00:00")
    other = Offline("eth2", frozenset({"b"}), "root", "2026-11-21T18:00:00+00:00")
    again = Offline("eth1", frozenset({"a", "c"}), "moe", "2026-11-21T19:00:00+00:00")
    kept = memory.with_offline(memory.with_offline(Memory(), first, other), again)
    assert kept.offline == (other, again)


def test_no_file_is_an_empty_memory() -> None:
    assert memory.parse(None) == Memory()


def test_the_first_previous_value_of_a_key_stays() -> None:
    first = memory.noted(Memory(), [Note("key", "f k", "120", "10")])
    again = memory.noted(first, [Note("key", "f k", "10", "15")])
    assert again.keys == {"f k": Key("120", "15")}


def test_what_was_made_is_told_by_kind() -> None:
    kept = memory.noted(Memory(), [Note("iface", "b"), Note("iface", "a"), Note("wwid", "3600")])
    assert kept.names("iface") == ("a", "b")
    assert kept.has("wwid", "3600")
    assert not kept.has("record", "3600")


def test_what_is_gone_is_forgotten_but_not_what_was_replaced() -> None:
    kept = memory.noted(Memory(), [Note("iface", "a"), Note("iface", "b"), Note("key", "f k", None, "x")])
    after = memory.pruned(kept, {("iface", "b"), ("record", "c")})
    assert after.made == frozenset({("iface", "b")})
    assert after.keys == kept.keys


def test_what_was_seen_adds_up() -> None:
    one = memory.with_seen(Memory(), [("w", "t1")], ["t1"])
    two = memory.with_seen(one, [("w", "t2"), ("v", "t2")], ["t2"])
    assert two.shown == {"w": frozenset({"t1", "t2"}), "v": frozenset({"t2"})}
    assert two.reached == frozenset({"t1", "t2"})
