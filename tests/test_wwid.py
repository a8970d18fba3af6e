from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio.tools.wwid import wwid

NAA = "600144f0f484400000004e8685e70001"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (f"3{NAA}", f"3{NAA}"),
        (f"3{NAA.upper()}", f"3{NAA}"),
        (f"naa.{NAA}", f"3{NAA}"),
        (f"NAA.{NAA.upper()}\n", f"3{NAA}"),
        ("35000c500a1b2c3d4", "35000c500a1b2c3d4"),
        ("naa.5000C500A1B2C3D4", "35000c500a1b2c3d4"),
        ("20017380000ABCDEF", "20017380000abcdef"),
        ("eui.0017380000abcdef", "20017380000abcdef"),
        ("eui.0017380000ABCDEF0017380000ABCDEF", "20017380000abcdef0017380000abcdef"),
        ("1ATA_Samsung_SSD_S1", "1ATA_Samsung_SSD_S1"),
        ("t10.ATA     Samsung SSD     S1   ", "1ATA_Samsung_SSD_S1"),
        ("T10.Mixed-Case", "1Mixed-Case"),
    ],
)
def test_what_people_write(written: str, meant: str) -> None:
    assert wwid(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("", "3", "mpatha", "hydra_apps-a01", "3600144f0", f"3{NAA}0", f"3{NAA[:-1]}g", f"4{NAA}", "eui.12", "naa."),
        *("1", "t10.", "1two words", '1a"b', "1é", "1" * 128, "8iqn.2011-09.dom.homer", f"0x{NAA}", "sda"),
    ],
)
def test_what_multipath_never_writes(written: str) -> None:
    with pytest.raises(ValueError, match=r"WWID|T10"):
        wwid(written)


def test_the_name_on_the_san_is_not_the_wwid_and_the_error_says_what_is() -> None:
    with pytest.raises(ValueError, match=f"3{NAA}"):
        wwid(NAA.upper())


@given(st.text() | st.from_regex(r"(naa|eui|t10)\.[0-9A-Fa-f ]{0,40}") | st.from_regex(r"[123][0-9A-Fa-f]{16,32}"))
def test_a_result_is_its_own_result_and_one_word(written: str) -> None:
    try:
        once = wwid(written)
    except ValueError:
        return
    assert wwid(once) == once
    assert once.split() == [once]
    assert once.isascii()
