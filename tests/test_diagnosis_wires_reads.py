from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from test_diagnosis_wires import ETH1, ETH2, HEALTHY, HOST, LO, MAC_1, SITE, Said, _links_here
from trees import Tree

from mpio import sgio
from mpio.diagnosis import wires_seen
from mpio.diagnosis.wires_seen import Read
from mpio.files import Files
from mpio.host import Host
from mpio.machine import Machine
from mpio.observe import wires as edge
from mpio.observe import wires_ask, wires_reads
from mpio.sgio import Question, Reply

NIC_OF = wires_seen.nics(SITE, HOST, HEALTHY.links)
KIB = 1 << 10
Replies = Callable[[Mapping[str, str], Sequence[Question], float], dict[str, tuple[Reply, ...]]]


class Wire:
    """NICs whose counters grow with what is read; `by` is how many bytes which NIC receives for one of a NIC's."""

    def __init__(self, root: Path, by: Mapping[str, Mapping[str, float]], host: Host = HOST) -> None:
        self.tree, self.by, self.count = Tree(root), by, {"eth1": 5 << 20, "eth2": 7 << 20}
        nics = {s.sid: s.nic for s in host.sessions}
        self.nic_of = {p.dev: nics[p.sid] for p in host.paths}
        self.asked: list[tuple[str, ...]] = []
        self.limits: list[float] = []
        for path in host.paths:
            self.tree.file(f"/sys/block/{path.dev}/queue/logical_block_size", "512\n")
        for nic in self.count:
            self.tree.nic(nic)
        self.tell()

    def tell(self) -> None:
        for nic, count in self.count.items():
            self.tree.file(f"/sys/class/net/{nic}/statistics/rx_bytes", f"{count}\n")

    def replies(
        self, places: Mapping[str, str], asked: Sequence[Question], limit: float
    ) -> dict[str, tuple[Reply, ...]]:
        self.asked.append(tuple(places))
        self.limits.append(limit)
        for question in asked:
            assert question.command == bytes((0x28, 0, 0, 0, 0, 0, 0, 0, 128, 0))
            assert (question.room, question.timed) == (64 * KIB, True)
        for dev in places:
            for nic, share in self.by[self.nic_of[dev]].items():
                self.count[nic] += int(share * question.room * len(asked))
        self.tell()
        return {dev: tuple(Reply(seconds=0.001) for _ in asked) for dev in places}

    @property
    def machine(self) -> Machine:
        return Machine(Said(""), Files(str(self.tree.root)))


OWN = {"eth1": {"eth1": 1.0}, "eth2": {"eth2": 1.0}}
CROSSED = {"eth1": {"eth1": 1.0}, "eth2": {"eth1": 1.0, "eth2": 0.01}}


def made(wire: Wire, monkeypatch: pytest.MonkeyPatch, host: Host = HOST, replies: Replies | None = None) -> list[Read]:
    monkeypatch.setattr(sgio, "replies", replies or wire.replies)
    return list(wires_reads.made(wire.machine, host, NIC_OF, HEALTHY))


def test_each_nic_receives_what_is_read_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(tmp_path, OWN)
    of = {nic: len({s.sid for s in HOST.sessions if s.nic == nic}) * 256 * KIB for nic in ("eth1", "eth2")}
    assert made(wire, monkeypatch) == [
        Read("eth1", of["eth1"], (("eth1", of["eth1"]), ("eth2", 0))),
        Read("eth2", of["eth2"], (("eth1", 0), ("eth2", of["eth2"]))),
    ]
    assert [{wire.nic_of[dev] for dev in devs} for devs in wire.asked] == [{"eth1"}, {"eth2"}]
    assert wire.limits[0] <= wires_reads.LIMIT / 2
    assert wire.limits[1] <= wires_reads.LIMIT


def test_only_disks_that_run_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = ({"checker_state": "ghost"}, {"device_state": "offline"}, {"dm_state": "failed"}, {"dm": ""})
    for number, change in enumerate(idle):
        host = replace(HOST, paths=tuple(replace(p, **change) for p in HOST.paths))  # type: ignore[arg-type]
        wire = Wire(tmp_path / str(number), OWN)
        assert made(wire, monkeypatch, host) == []
        assert wire.asked == []
    out = replace(HOST, sessions=tuple(replace(s, state="FAILED") for s in HOST.sessions))
    assert made(Wire(tmp_path / "out", OWN), monkeypatch, out) == []


def test_what_proves_nothing_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"eth1": {"eth1": 0.0}, "eth2": {"eth2": 0.5}}
    assert made(Wire(tmp_path / "late", late), monkeypatch) == []
    wire = Wire(tmp_path / "refused", OWN)

    def refused(places: Mapping[str, str], asked: Sequence[Question], limit: float) -> dict[str, tuple[Reply, ...]]:
        return {dev: (Reply(),) * len(asked) for dev in wire.replies(places, asked, limit)}

    assert made(wire, monkeypatch, replies=refused) == []


def test_a_read_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(tmp_path, CROSSED)

    def deaf(places: Mapping[str, str], asked: Sequence[Question], limit: float) -> dict[str, tuple[Reply, ...]]:
        said = wire.replies(places, asked, limit)
        return {} if wire.nic_of[next(iter(places))] == "eth2" else said

    _, second = made(wire, monkeypatch, replies=deaf)
    assert (second.nic, second.size) == ("eth2", 0)
    assert dict(second.received)["eth1"] > 100 * dict(second.received)["eth2"] / 2 > 0


@pytest.mark.parametrize("crossed", [False, True])
def test_bytes_are_counted_only_where_nics_are_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, crossed: bool
) -> None:
    wire = Wire(tmp_path, CROSSED)
    claims = {**HEALTHY.claims, ("eth2", "10.10.9.14"): (MAC_1,)} if crossed else HEALTHY.claims
    monkeypatch.setattr(sgio, "replies", wire.replies)
    monkeypatch.setattr(wires_ask, "claims", lambda *_: claims)
    monkeypatch.setattr(wires_ask, "holes", lambda *_: ())
    machine = replace(wire.machine, run=Said(_links_here(LO, ETH1, ETH2)))
    seen = edge.look(machine, fakes.guide_site(), HOST)
    assert bool(seen.reads) is bool(wire.asked) is crossed
    if crossed:
        assert [(one.nic, dict(one.received)["eth1"] >= one.size) for one in seen.reads] == [
            ("eth1", True),
            ("eth2", True),
        ]
