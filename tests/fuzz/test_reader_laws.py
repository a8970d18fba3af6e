"""Every reader is total: whatever strangers, files or crashes make of a text, it is a value or the documented error."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import FOUND
from fuzzed import Reader
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mutate import HOSTILE, mutated
from readers import EVERY, READERS

EACH = pytest.mark.parametrize("reader", EVERY, ids=lambda reader: reader.name)
TRIED = 60  # by `make test`, and twenty times as many by the long form
MANY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def many(reader: Reader, nightly: bool) -> settings:
    few = TRIED // 4 if reader.slow else TRIED
    return settings(MANY, max_examples=few * (20 if nightly else 1))


@EACH
def test_what_was_recorded_is_read(reader: Reader) -> None:
    read = [reader(data) for data in reader.corpus()]
    assert read, "fuzzing of this reader begins with nothing"
    assert any(read)


@EACH
def test_a_recorded_text_with_damage_is_a_value_or_unreadable(reader: Reader, pytestconfig: pytest.Config) -> None:
    corpus = reader.corpus()

    @many(reader, pytestconfig.getoption("--nightly"))
    @given(st.integers(0, len(corpus) - 1), st.integers(0, 1 << 32), st.integers(1, 5))
    def holds(which: int, seed: int, count: int) -> None:
        reader(mutated(corpus[which], seed, count))

    holds()


@EACH
def test_any_bytes_are_a_value_or_unreadable(reader: Reader, pytestconfig: pytest.Config) -> None:
    @many(reader, pytestconfig.getoption("--nightly"))
    @given(st.binary(max_size=300) | st.lists(st.sampled_from(HOSTILE), max_size=9).map(b"".join))
    def holds(data: bytes) -> None:
        reader(data)

    holds()


@EACH
def test_nothing_and_the_deepest_nesting_are_a_value_or_unreadable(reader: Reader) -> None:
    deep = [b"[" * 100_000, b'{"a":' * 100_000, b"(" * 100_000, b"a {\n" * 20_000, b"[" * 900 + b"]" * 900]
    for data in (b"", b"\n", b"\0", b"9" * 5000, b'{"maps": ' + b"9" * 5000 + b"}", *([] if reader.slow else deep)):
        reader(data)


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_once_broke_a_reader_does_so_no_more(path: Path) -> None:
    READERS[path.parent.name](path.read_bytes())


# -- no shorter list -----------------------------------------------------------------------------------------------

BLOCKS = ("iscsiadm-records", "multipath-t")
WHOLE = (*BLOCKS, "multipathd-maps", "ip-addresses", "memory", "kept", "alerts", "drill-note")


@pytest.mark.parametrize("name", WHOLE)
def test_half_an_answer_is_not_taken_for_all_of_it(name: str) -> None:
    """Of formats that say where they end."""
    reader = READERS[name]
    some = [one.rstrip() for one in sorted(reader.corpus(), key=len) if len(one) > 100 and reader(one)][:3]

    @settings(MANY, max_examples=25)
    @given(st.sampled_from(some), st.floats(0.1, 1))
    def holds(text: bytes, share: float) -> None:
        half = text[: min(int(len(text) * share), len(text) - 2)]
        if name in BLOCKS:  # a cut between two of them cannot be told
            assume(half[-1:] != b"\n" and text[len(half) : len(half) + 1] != b"\n")
        assert not reader(half)

    holds()
