from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio.step import Part, Write
from mpio.tools import sysctl

OURS = "/etc/sysctl.d/99-zz-mpio.conf"
KEY = "net/ipv4/conf/eth1/rp_filter"


def decided(key: str, **files: str) -> tuple[str, int, str | None] | None:
    """(file, line, value) of the winner among /etc/sysctl.d/NAME.conf."""
    texts = {f"/etc/sysctl.d/{name}.conf": text for name, text in files.items()}
    won = sysctl.winner([(path, texts[path]) for path in sysctl.in_force(texts)], key)
    return (won.path.rpartition("/")[2], won.line, won.value) if won else None


def test_renders_nics_with_dots_so_that_systemd_reads_them_back() -> None:
    text = sysctl.render({("eth0.100", "rp_filter"): 2, ("eth1", "arp_ignore"): 1})
    assert text == sysctl.HEADER + "-net.ipv4.conf.eth0/100.rp_filter = 2\n-net.ipv4.conf.eth1.arp_ignore = 1\n"
    assert [(s.key, s.value, s.may_fail) for s in sysctl.parse(OURS, text)] == [
        ("net/ipv4/conf/eth0.100/rp_filter", "2", True),
        ("net/ipv4/conf/eth1/arp_ignore", "1", True),
    ]


@pytest.mark.parametrize("nic", ["", "eth*", "e[t]h", "a=b", "a b", "a/b", "a\nb"])
def test_refuses_nics_that_sysctl_d_cannot_name(nic: str) -> None:
    with pytest.raises(ValueError):
        sysctl.render({(nic, "rp_filter"): 2})


def test_the_running_kernel_is_told_by_path() -> None:
    path = "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"
    assert sysctl.write_now("eth0.100", "rp_filter", 2, 1, "it is 1") == Write(
        Part.SYSCTL, "it is 1", path, "2\n", None, "1\n"
    )


def test_both_spellings_name_one_key() -> None:
    assert sysctl.normal("net.ipv4.conf.eth0/100.rp_filter") == "net/ipv4/conf/eth0.100/rp_filter"
    assert sysctl.normal("net/ipv4/conf/eth0.100/rp_filter") == "net/ipv4/conf/eth0.100/rp_filter"
    assert sysctl.normal("vm") == "vm"


def test_a_file_hides_its_namesake_in_a_lesser_directory() -> None:
    paths = [
        "/usr/lib/sysctl.d/50-default.conf",
        "/etc/sysctl.d/README",
        "/run/sysctl.d/50-default.conf",
        "/usr/local/lib/sysctl.d/10-x.conf",
        OURS,
        "/etc/sysctl.d/99-sysctl.conf",
    ]
    assert sysctl.in_force(paths) == (
        "/usr/local/lib/sysctl.d/10-x.conf",
        "/run/sysctl.d/50-default.conf",
        "/etc/sysctl.d/99-sysctl.conf",
        OURS,
    )


def test_the_later_file_wins_and_the_later_line() -> None:
    assert decided(KEY, a="net.ipv4.conf.eth1.rp_filter=1\n", b=f"# x\n{KEY} = 2\n{KEY} = 0\n") == ("b.conf", 3, "0")
    assert decided(KEY, a="net.ipv4.conf.eth2.rp_filter=1\n") is None


def test_an_explicit_line_beats_a_later_glob() -> None:
    assert decided(KEY, a=f"{KEY} = 2\n", b="net.ipv4.conf.*.rp_filter = 1\n") == ("a.conf", 1, "2")
    assert decided(KEY, a="net.ipv4.conf.*.rp_filter = 1\n", b="net.ipv4.conf.eth?.rp_filter = 0") == ("b.conf", 1, "0")


def test_an_excluded_key_is_out_of_reach_for_globs() -> None:
    assert decided(KEY, a="net.ipv4.conf.*.rp_filter = 1\n", b=f"-{KEY}\n") == ("b.conf", 1, None)
    assert decided(KEY, a="net.ipv4.conf.*.rp_filter = 1\n", b="-net.ipv4.conf.eth*.rp_filter\n") == ("a.conf", 1, "1")


def test_a_glob_said_again_with_its_value_keeps_its_place() -> None:
    """As systemd-sysctl 252 was seen to do."""
    again = "net.ipv4.conf.*.rp_filter = 1\nnet.ipv4.conf.e*.rp_filter = 2\nnet.ipv4.conf.*.rp_filter = 1\n"
    assert decided(KEY, a=again) == ("a.conf", 2, "2")


def test_lines_that_systemd_passes_over_decide_nothing() -> None:
    assert decided(KEY, a=f"; {KEY} = 1\n  # {KEY} = 1\n{KEY}\n = 3\n") is None


@given(st.text(), st.text())
def test_reading_is_total(text: str, key: str) -> None:
    sysctl.winner([(OURS, text)], sysctl.normal(key))


NICS = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[0-9]{1,4})?", fullmatch=True)


@given(st.dictionaries(st.tuples(NICS, st.sampled_from(["rp_filter", "arp_ignore"])), st.integers(0, 8)))
def test_what_is_rendered_decides_after_any_earlier_file(wanted: dict[tuple[str, str], int]) -> None:
    earlier = ("/etc/sysctl.d/99-sysctl.conf", "net.ipv4.conf.*.rp_filter = 1\nnet.ipv4.conf.*.arp_ignore = 9\n")
    for (nic, name), value in wanted.items():
        won = sysctl.winner([earlier, (OURS, sysctl.render(wanted))], sysctl.key_of(nic, name))
        assert won is not None
        assert (won.path, won.value) == (OURS, str(value))
