"""Five areas are looked at side by side: none of them ends the look of the others."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import fakes
import pytest

from mpio import diagnosis
from mpio.diagnosis.disks import Disks
from mpio.errors import NotAllowed, ProgramFailed
from mpio.files import Files
from mpio.machine import Machine
from mpio.observe import boots, conf, disks, evidence, logins, wires


def test_an_area_that_cannot_look_silences_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    none = diagnosis.Seen()
    for area, found in ((boots, none.boots), (conf, none.conf), (logins, none.logins)):
        monkeypatch.setattr(area, "look", Mock(return_value=found))
    lost = Disks(settled=not Disks().settled)
    monkeypatch.setattr(disks, "look", Mock(return_value=lost))
    monkeypatch.setattr(wires, "look", Mock(side_effect=ProgramFailed("`ip neigh` ended with 255", "")))
    machine = Machine(Mock(), Files(str(tmp_path)))
    seen, blind = evidence.look(machine, None, fakes.guide_host())
    assert (seen.disks, seen.wires) == (lost, none.wires)
    assert [(f.code, f.subject, f.detail) for f in blind] == [
        ("MP141", "more of the network", "`ip neigh` ended with 255")
    ]
    monkeypatch.setattr(wires, "look", Mock(side_effect=NotAllowed("no", "")))
    with pytest.raises(NotAllowed):  # what ends the whole verb still does
        evidence.look(machine, None, fakes.guide_host())
