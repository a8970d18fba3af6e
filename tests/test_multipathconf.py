from __future__ import annotations

import time

import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st

from mpio.lab import candidates
from mpio.plan.shape import MULTIPATH_DROP_IN
from mpio.tools import multipath, multipathconf
from mpio.tools.multipathconf import Conf, Entry, Section, parse, render

KEYS = st.sampled_from(["failback", "no_path_retry", "alias", "wwid", "features", "vendor", "polling_interval"])
VALUES = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=40)
ENTRIES = st.lists(st.builds(Entry, KEYS, VALUES), max_size=5).map(tuple)


def _sections(parent: str) -> st.SearchStrategy[Section]:
    def of(name: str) -> st.SearchStrategy[Section]:
        inner = st.just(()) if name not in multipathconf.SECTIONS else st.lists(_sections(name), max_size=3).map(tuple)
        return st.builds(Section, st.just(name), ENTRIES, inner)

    return st.sampled_from(sorted(multipathconf.SECTIONS[parent])).flatmap(of)


WORDS = [
    *("{", "}", '"', '""', "defaults", "devices", "device", "multipaths", "multipath", "overrides", "protocol", "wwid"),
    *("alias", "a#b", "!c", "# d", " ", "\t", "é", "\x01", "\x1c", "\r", "\0", "\n", '"a b"', "blacklist", "x" * 600),
]
LINES = st.lists(st.sampled_from(WORDS), max_size=60).map("".join)


def one(text: str) -> Section:
    conf = parse(text)
    assert conf.remarks == ()
    (section,) = conf.sections
    return section


def entries(text: str) -> list[tuple[str, str]]:
    return [(e.key, e.value) for e in one(f"defaults {{\n{text}\n}}\n").entries]


def remarks(text: str) -> list[tuple[int, str]]:
    return [(r.line, r.text) for r in parse(text).remarks]


@given(st.lists(_sections(""), max_size=4).map(tuple), st.text(max_size=200))
def test_what_is_rendered_is_read_back(sections: tuple[Section, ...], header: str) -> None:
    conf = parse(render(sections, header))
    assert conf.sections == sections
    assert [r for r in conf.remarks if "duplicate" not in r.text] == []


@given(LINES | st.text())
def test_any_text_is_read(text: str) -> None:
    conf = parse(text, "f")
    assert all(1 <= r.line <= text.count("\n") + 1 and r.path == "f" for r in conf.remarks)


@given(LINES)
def test_what_was_read_can_be_written(text: str) -> None:
    sections = parse(text).sections
    try:
        written = render(sections)
    except ValueError:
        return
    assert parse(written).sections == sections


def test_reading_takes_linear_time() -> None:
    def seconds(text: str) -> float:
        start = time.process_time()
        parse(text)
        return time.process_time() - start

    for piece in ("defaults {\n", '"', '""', "}\n", "a", " ", "\r", "multipaths {\nmultipath {\n", "é"):
        assert seconds(piece * 200_000) < 15


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("alias foo", "foo"),
        ('alias "foo bar"', "foo bar"),
        ('  alias\t"a""b"  # said', 'a"b'),
        ('alias ""', ""),
        ('alias """"', '"'),
        ("alias a#b", "a"),
        ("alias a!b", "a"),
        ('alias "a#b ! c"', "a#b ! c"),
        ("alias {", "{"),
        ('alias "{}"', "{}"),
        ("alias foo\r", "foo"),
        ("alias föö", "f"),  # bytes that are not ASCII part words
        ('alias "föö"', "föö"),
    ],
)
def test_values(line: str, value: str) -> None:
    assert multipathconf.value(parse(f"defaults {{\n{line}\n}}\n"), "defaults", "alias") == value


def test_comments_and_blank_lines() -> None:
    assert entries("# failback x\n ! failback y\n\nfailback z # end") == [("failback", "z")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults {\nfailback a b\n}", [(2, "ignoring extra data starting with 'b'")]),
        ("defaults { failback a }\n}", [(1, "ignoring extra data starting with 'failback'")]),
        ("defaults {\n} x\n", [(2, "ignoring extra data starting with 'x'")]),
        ("defaults\n{\n}", [(1, "missing '{'"), (2, "invalid keyword '{'")]),
        ("defaults x {\n}", [(1, "expecting '{', found 'x'")]),
        ("overrides\n", [(1, "missing value for option 'overrides'")]),
        ('defaults {\nalias "a\n}', [(2, "missing closing quotes")]),
        ("defaults {\nalias\n}", [(2, "missing value for option 'alias'")]),
        ("}\n", [(1, "unmatched '}'")]),
        ("defaults {\nalias a\nalias b\n}", [(3, "duplicate keyword: alias")]),
        ("blacklist {\nwwid a\nwwid b\n}", []),
    ],
)
def test_remarks(text: str, said: list[tuple[int, str]]) -> None:
    assert remarks(text) == said


def test_a_section_on_one_line_loses_its_key_and_stays_open() -> None:
    conf = parse("defaults { failback immediate }\npolling_interval 7\n")
    assert [(e.key, e.value) for e in conf.sections[0].entries] == [("polling_interval", "7")]
    assert conf.remarks[-1].text == "missing '}' at the end: the defaults section of line 1 is open"


def test_a_missing_brace_swallows_the_sections_after_it() -> None:
    conf = parse('defaults {\nfailback manual\nblacklist {\ndevnode "^sda"\n}\nmultipaths {\n}\n')
    assert [s.name for s in conf.sections] == ["defaults", "multipaths"]
    assert [e.key for e in conf.sections[0].entries] == ["failback", "devnode"]
    assert [(r.line, r.text) for r in conf.remarks] == [(3, "invalid keyword in the defaults section: blacklist")]


def test_a_long_line_is_two() -> None:
    conf = parse("multipaths {\nmultipath {\nwwid a" + " " * 1100 + "alias z\n}\n}\n")
    assert {k: e.value for k, e in multipathconf.multipaths(conf)["a"].items()} == {"wwid": "a", "alias": "z"}


def test_lines_and_files_are_kept() -> None:
    main = parse("defaults {\n\nfailback manual\n}\n", "/etc/multipath.conf")
    drop_in = parse("# ours\ndefaults {\nfailback immediate\n}\n", "/etc/multipath/conf.d/90-mpio.conf")
    found = multipathconf.keywords(multipathconf.merge([main, drop_in]), "defaults")["failback"]
    assert (found.value, found.line, found.path) == ("immediate", 3, "/etc/multipath/conf.d/90-mpio.conf")
    assert main.sections[0].entries[0].line == 3


def test_later_files_win_and_repeated_sections_merge() -> None:
    first = parse(
        "devices {\ndevice {\nvendor A\nproduct B\nfailback manual\nno_path_retry 3\n}\ndevice {\nvendor C\n}\n}\n"
        "multipaths {\nmultipath {\nwwid w\nalias a\n}\n}\noverrides {\nno_path_retry 1\n}\n"
    )
    second = parse(
        "devices {\ndevice {\nvendor X\nproduct Y\n}\ndevice {\nvendor A\nproduct B\nfailback immediate\n}\n}\n"
        "multipaths {\nmultipath {\nwwid w\nfailback immediate\n}\nmultipath {\nalias lost\n}\n}\n"
        'overrides {\nprotocol {\ntype "scsi:iscsi"\nfast_io_fail_tmo 10\n}\n}\n'
        "blacklist {\ndevnode a\ndevice {\nvendor D\n}\n}\n"
    )
    conf = multipathconf.merge([first, second])
    devices = multipathconf.devices(conf)
    assert [(d.vendor, d.product) for d in devices] == [("X", "Y"), ("A", "B")]
    assert {k: e.value for k, e in devices[1].values.items()} == {
        "vendor": "A",
        "product": "B",
        "failback": "immediate",
        "no_path_retry": "3",
    }
    assert {k: e.value for k, e in multipathconf.multipaths(conf)["w"].items()} == {
        "wwid": "w",
        "alias": "a",
        "failback": "immediate",
    }
    assert multipathconf.protocols(conf)["scsi:iscsi"]["fast_io_fail_tmo"].value == "10"
    assert multipathconf.value(conf, "overrides", "no_path_retry") == "1"
    assert [e.value for e in multipathconf.blacklist(conf)] == ["a"]
    assert multipathconf.blacklisted_devices(conf) == (Section("device", (Entry("vendor", "D"),)),)


@pytest.mark.parametrize(
    "section",
    [
        Section("device"),
        Section("defaults", (Entry("failback", "a\nb"),)),
        Section("defaults", (Entry("failback", "a\rb"),)),
        Section("defaults", (Entry("failback", "x" * 1100),)),
        Section("defaults", (Entry("fail back", "a"),)),
        Section("defaults", (Entry("", "a"),)),
        Section("devices", (Entry("device", "a"),)),
        Section("defaults", (), (Section("device"),)),
    ],
)
def test_what_no_file_can_say(section: Section) -> None:
    with pytest.raises(ValueError):
        render([section])


def test_the_written_form() -> None:
    multipath = Section("multipath", (Entry("wwid", "3600"), Entry("path_selector", "service-time 0")))
    text = render([Section("multipaths", (), (multipath,))], "made by mpio\n\nno hands")
    assert text == (
        "# made by mpio\n#\n# no hands\nmultipaths {\n\tmultipath {\n"
        '\t\twwid 3600\n\t\tpath_selector "service-time 0"\n\t}\n}\n'
    )


@recordings.EACH
def test_multipath_complains_of_the_same_lines(release: str) -> None:
    """The grammatical complaints of `multipath -t`, and ours about the same text."""
    warnings = multipath.parse_warnings(recordings.done(release, "multipath", "mistakes").err)
    ours = parse(candidates.MISTAKES, MULTIPATH_DROP_IN).remarks
    kinds = ("ignoring extra", "missing value", "missing '{'", "invalid keyword '{'", "unmatched", "missing closing")
    for kind in (*kinds, "duplicate keyword"):
        theirs = {w.line for w in warnings if w.text.startswith(kind)}
        assert {r.line for r in ours if r.text.startswith(kind)} == theirs, kind
        assert theirs, kind


def test_an_empty_file() -> None:
    assert parse("") == Conf()
    assert render([]) == ""
