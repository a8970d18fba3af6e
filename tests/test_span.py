from __future__ import annotations

import datetime

import pytest

from mpio import span


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        *(("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), (" 2H ", 7200)),
        *(("1d2h3m4s", 93784), ("90m", 5400), ("3650d", 3650 * 86400)),
    ],
)
def test_how_long(said: str, seconds: int) -> None:
    assert span.parse(said) == datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "said", ["", " ", "2", "h", "0s", "-2h", "2 h", "1m1h", "1.5h", "2h!", "3651d", "9" * 40 + "s", "\u0662h", "2hours"]
)
def test_what_is_no_time_to_wait_for(said: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        span.parse(said)
