from __future__ import annotations

import signal

import in_force
import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st
from recordings import EACH, known, staged

from mpio import dropin, presets
from mpio.errors import ProgramFailed, UnreadableOutput
from mpio.lab import candidates
from mpio.lab.candidates import HYDRA
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.step import Part
from mpio.tools import multipath, multipathconf, multipathwords
from mpio.tools.multipath import Warning as Complaint

NEXENTA = ("NEXENTA", "COMSTAR")


@EACH
def test_the_built_in_entries(release: str) -> None:
    table = staged(release, "built-in").table
    assert staged(release, "built-in").warnings == ()
    assert multipath.device_for(table, *NEXENTA)["no_path_retry"] == "30"
    assert multipath.device_for(table, "SUN     ", "COMSTAR         ")["prio"] == "alua"
    assert multipath.devices_for(table, "QEMU", "HARDDISK") == ()
    assert table["defaults", ""]["find_multipaths"] == "strict"


@EACH
def test_every_mistake_is_named_with_its_line(release: str) -> None:
    said = recordings.done(release, "multipath", "mistakes")
    found = multipath.parse_warnings(said.err)
    assert len(found) == len(said.err.splitlines())
    at = {(w.line, w.text) for w in found if w.path == MULTIPATH_DROP_IN}
    for line, words in (
        (2, "invalid keyword"),
        (4, "ignoring extra data starting with '6'"),
        (5, "missing closing quotes"),
        (6, "invalid keyword"),
        (11, "ignoring extra data starting with '"),
        (17, "missing value for option 'failback'"),
        (23, "missing '{'"),
        (24, "invalid keyword '{'"),
        (31, "invalid keyword"),
        (34, "unmatched '}'"),
    ):
        assert any(n == line and text.startswith(words) for n, text in at), (line, words)
    assert any('"abc"' in w.text for w in found if w.path in ("", MULTIPATH_DROP_IN))
    try:
        whole = staged(release, "mistakes")
    except ProgramFailed:
        assert said.code == 128 + signal.SIGSEGV  # 0.8.5 dies of it
    else:
        assert whole.warnings == found
        assert Complaint("", 0, "multipaths config section missing wwid") in whole.about(MULTIPATH_DROP_IN)


@EACH
@pytest.mark.parametrize("preset", [*presets.PRESETS])
def test_multipath_accepts_what_the_presets_say_and_does_it(release: str, preset: str) -> None:
    wish = candidates.wish(preset, known(release))
    found = staged(release, preset)
    assert found.warnings == ()
    inquiry = ("SUN", "COMSTAR") if preset == "sun-comstar" else NEXENTA

    def value(key: str, wwid: str = HYDRA) -> str | None:
        return in_force.value(found.table, wwid, inquiry, key)

    assert value("fast_io_fail_tmo") == "10"
    # before 0.9.0 `overrides` are for every transport: Fibre Channel keeps what it has
    ours_alone = dropin.place(wish) == "device" or "overrides.protocol" in wish.known
    assert value("dev_loss_tmo") == ("infinity" if ours_alone else None)
    assert value("no_path_retry") == "24"
    assert value("user_friendly_names") == "yes"
    assert (value("find_multipaths"), value("polling_interval")) == ("strict", "7")
    assert value("alias") == "hydra_apps-a01"
    assert value("path_selector") == "round-robin 0"
    for key, said in presets.PRESETS[preset].keywords.items():
        if key not in wish.keywords and f"{dropin.place(wish)}.{key}" in wish.known:
            assert value(key, "another") == said


@EACH
def test_a_users_overrides_beat_a_device_entry_and_not_a_lun(release: str) -> None:
    table = staged(release, "nexenta-comstar-beside").table
    assert in_force.value(table, "another", NEXENTA, "failback") == "manual"
    assert in_force.value(table, HYDRA, NEXENTA, "failback") == "immediate"
    assert in_force.value(table, "another", NEXENTA, "path_checker") == "tur"
    assert in_force.value(table, "another", NEXENTA, "rr_min_io") == "2000"


@EACH
def test_keywords_are_probed(release: str) -> None:
    """What multipath prints in its defaults it knows."""
    printed = staged(release, "built-in").table["defaults", ""].keys()
    for key in multipathwords.OVERRIDES_KEYWORDS & printed:
        assert {f"device.{key}", f"overrides.{key}"} <= known(release), key
    assert ("device.detect_pgpolicy" in known(release)) == ("detect_pgpolicy" in printed)
    assert "device.fast_io_fail_tmo" in known(release)
    # its time-outs are known with the section
    assert ("overrides.protocol" in known(release)) == ("protocol.fast_io_fail_tmo" in known(release))
    assert "device.purge_disconnected" not in known(release)  # since 0.14.0


def test_our_lists_of_keywords_are_multipaths_own() -> None:
    """Each but the youngest is known to some release that we record."""
    young = {key for key in multipath.all_keywords() if key.endswith(".purge_disconnected")}
    assert frozenset().union(*map(known, recordings.RELEASES)) == multipath.all_keywords() - young
    assert multipathwords.MULTIPATH_KEYWORDS.isdisjoint({"vendor", "product", "path_checker", "fast_io_fail_tmo"})


def test_a_file_outside_etc_is_no_part_of_a_configuration() -> None:
    run = recordings.Recorded(recordings.RELEASES[0], "built-in")
    for path in ("/tmp/x", "/etc/../tmp/x", "etc/x"):
        with pytest.raises(ValueError):
            multipath.staged(run, {path: ""})


@pytest.mark.parametrize("text", ["", "garbage", "defaults {\n", "defaults {\n}\nrest\n", "multipath-tools v0.9.4"])
def test_what_is_no_configuration(text: str) -> None:
    with pytest.raises(UnreadableOutput):
        multipath.effective(text)


def test_the_blacklist_that_0_9_4_prints_with_unmatched_braces() -> None:
    text = 'defaults {\n\tverbosity 2\n}\nblacklist {\n\tdevice {\n\t\tvendor "DELL"\n}\ndevices {\n}\n'
    assert multipath.effective(text)["defaults", ""] == {"verbosity": "2"}


@given(st.text())
def test_warnings_are_read_from_any_text(text: str) -> None:
    assert len(multipath.parse_warnings(text)) == sum(bool(line.strip()) for line in text.split("\n"))


@given(st.text() | st.text("[]^:alpha.*+?(){}|\\$-! A"), st.text(max_size=16))
def test_any_expression_matches_or_not(pattern: str, text: str) -> None:
    table = {("device", "x"): {"vendor": pattern, "product": ".*"}}
    assert len(multipath.devices_for(table, text, "P")) in {0, 1}


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("NEXENTA", "NEXENTA ", True),
        ("^NEX", "XNEX", False),
        ("(Sun Storage|ZFS Storage|COMSTAR)", "ZFS Storage 7420", True),
        ("^DF[[:digit:]]+$", "DF600", True),
        ("^[^[:alpha:]]", "1x", True),
        ("^[]x]$", "]", True),
        (r"^[\d]$", "d", True),  # a backslash in a POSIX bracket is itself
        (r"^[\d]$", "1", False),
        ("*", "anything", False),  # no valid expression
    ],
)
def test_posix_expressions(pattern: str, text: str, matches: bool) -> None:
    table = {("device", "x"): {"vendor": pattern, "product": ".*"}}
    assert bool(multipath.devices_for(table, text, "P")) is matches


def test_later_entries_are_layered_over_earlier_ones() -> None:
    text = (
        "devices {\ndevice {\nvendor A\nproduct .*\nfailback manual\nno_path_retry 3\n}\n"
        "device {\nvendor A\nproduct B\nfailback immediate\n}\n}\ndefaults {\nno_path_retry 9\nprio const\n}\n"
    )
    table = multipath.table(multipathconf.parse(text))
    assert [in_force.value(table, "w", ("A", "B"), k) for k in ("failback", "no_path_retry", "prio")] == [
        *("immediate", "3", "const"),
    ]
    assert in_force.value(table, "w", ("Z", "B"), "no_path_retry") == "9"
    assert in_force.value(table, "w", ("Z", "B"), "failback") is None


def test_wwids() -> None:
    text = "# Multipath wwids, Version : 1.0\n# NOTE: …\n/3600144f0f4/\n/1ATA_a/b/\n\nstray\n/\n//\n"
    assert multipath.parse_wwids(text) == {"3600144f0f4", "1ATA_a/b"}


def test_steps() -> None:
    step = multipath.register(HYDRA, "it is not in /etc/multipath/wwids")
    assert (step.part, step.argv) == (Part.MULTIPATH, ("multipath", "-a", HYDRA))
    assert step.notes[0].kind == "wwid"
    assert multipath.flush("hydra_db-a01", "the LUN goes").argv == ("multipath", "-f", "hydra_db-a01")
    assert multipath.forget(HYDRA, "the LUN is gone").argv == ("multipath", "-w", HYDRA)


def test_an_old_spelling_is_harmless() -> None:
    line = '1.5 | /etc/x line 21, "yes" is a deprecated value for flush_on_last_del and is treated as "always"'
    (said,) = multipath.parse_warnings(line)
    assert said.harmless
    assert str(said).startswith("/etc/x line 21: ")
