from __future__ import annotations

import pytest

from mpio.tools import present


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({}, False),
        ({"/sys/block": ("sda", "vda")}, False),
        ({"/sys/block": ("dm-0", "sda")}, True),
        ({"/sys/class/iscsi_session": ("session1",)}, True),
    ],
)
def test_storage(tree: dict[str, tuple[str, ...]], found: bool) -> None:
    assert present.storage(lambda path: tree.get(path, ())) is found
