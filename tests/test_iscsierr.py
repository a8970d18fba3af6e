from __future__ import annotations

import pytest

from mpio.tools.iscsierr import RETRYABLE, Code, reason


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_clause_of_its_own(code: Code) -> None:
    clause = reason(code)
    assert clause[0].islower() or clause.startswith(("iSNS", "iscsi"))
    assert not clause.endswith(".")
    assert [c for c in Code if reason(c) == clause] == [code]


def test_a_code_of_the_future_is_told_too() -> None:
    assert reason(255) == "iscsiadm ended with 255"


def test_what_a_target_turned_down_is_not_tried_again() -> None:
    assert not RETRYABLE & {Code.FATAL_LOGIN, Code.LOGIN_AUTH_FAILED, Code.ACCESS, Code.INVAL}
