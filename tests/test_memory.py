from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpio import memory
from mpio.errors import UnreadableOutput
from mpio.memory import Key, Memory
from mpio.step import Note

NAMES = st.text(max_size=8)
TEXTS = st.none() | st.text(max_size=5)
TARGETS = st.frozensets(NAMES, max_size=3)
MEMORIES = st.builds(
    Memory,
    st.frozensets(st.tuples(st.sampled_from(memory.MADE), NAMES), max_size=5),
    st.dictionaries(NAMES, st.builds(Key, TEXTS, TEXTS), max_size=3),
    st.dictionaries(NAMES, TARGETS, max_size=3),
    TARGETS,
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


# `reached` takes names as they come
VALUES: list[object] = [None, 7, [[]], {"x": 3}, 2.5]
WRONG = [(key, value) for key in ("format", "made", "keys", "shown") for value in VALUES]


@pytest.mark.parametrize(("key", "value"), [*WRONG, ("reached", None), ("reached", 7)])
def test_a_document_with_one_wrong_value_is_unreadable(key: str, value: object) -> None:
    document = json.loads(memory.dump(Memory())) | {key: value}
    with pytest.raises(UnreadableOutput):
        memory.parse(json.dumps(document))


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
