from __future__ import annotations

import io
import random
import tarfile

from mpio import bundle
from mpio.bundle import Member
from mpio.report.page import Facts

FACTS = Facts("prague", "2026-11-21 19:00:00+01:00", (("mpio", "0.1.0"),))


def names(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        assert {one.mode for one in tar.getmembers()} == {0o600}
        files = {one.name: tar.extractfile(one) for one in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file}


def test_an_archive_is_the_same_for_the_same_members() -> None:
    members = [Member("b", "2"), Member("host/etc/a", "ü\udcff\n")]
    first = bundle.packed(members, 1_700_000_000)
    assert first == bundle.packed(reversed(members), 1_700_000_000)
    assert names(first) == {"mpio-support/b": b"2", "mpio-support/host/etc/a": "ü\\udcff\n".encode()}


def test_no_member_leaves_its_folder() -> None:
    found = names(bundle.packed([Member("/etc/../../x\n\x1b", "")], 0))
    assert set(found) == {"mpio-support/etc/x__"}


def test_what_is_too_large_is_cut_and_said() -> None:
    lines = "".join(f"line {n}\n" for n in range(400_000))
    kept, cuts = bundle.fitted([Member("log", lines, newest_last=True), Member("conf", lines), Member("small", "x")])
    log, conf, small = kept
    assert log.text.endswith("line 399999\n")
    assert log.text.startswith("line ")
    assert conf.text.startswith("line 0\n")
    assert small.text == "x"
    assert max(len(m.text) for m in kept) <= bundle.MEMBER
    assert [c.partition(":")[0] for c in cuts] == ["log", "conf"]
    assert "log: cut to 2000000 of" in bundle.readme(FACTS, kept, cuts, ["the journal: no answer"])


def test_the_whole_stays_below_20_mb_whatever_comes() -> None:
    noise = random.Random(1)
    members = [Member(f"m{n}", noise.randbytes(1_900_000).hex()[: bundle.MEMBER + n]) for n in range(14)]
    members += [Member(f"tiny-{n}", "x" * (n % 700)) for n in range(3000)]
    kept, cuts = bundle.fitted(members)
    assert len(bundle.packed(kept, 0)) < 20_000_000
    assert sum(-(-len(m.text) // 512) * 512 + 512 for m in kept) <= bundle.WHOLE
    assert len(kept) + sum("left out" in c for c in cuts) == len(members)
    assert kept[0].name == "m0"


def test_the_kernel_says_no_secrets_of_its_command_line() -> None:
    said = (
        "Command line: root=/dev/sda rd.iscsi.password=x\n"
        "sd 2:0:0:10: [sda] Attached SCSI disk\n"
        "audit: type=1400\n"
        "connection1:0: ping timeout of 5 secs expired\n"
        "eth1: Link is Down\n"
    )
    assert bundle.of_kernel(said).splitlines() == said.splitlines()[1:2] + said.splitlines()[3:]
