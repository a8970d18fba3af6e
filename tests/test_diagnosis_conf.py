"""What is said of lines of multipath.conf and iscsid.conf, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import recordings
from fakes import APPS_A01, DB_A01, guide_host, guide_site
from hypothesis import given
from hypothesis import strategies as st
from trees import Tree

from mpio.diagnosis import conf, conf_fixes, conf_iscsid, conf_lines
from mpio.diagnosis.conf import Kind, Seen, kind_of, of_file
from mpio.files import Files
from mpio.findings import TABLE, Finding, finding
from mpio.host import Host
from mpio.host import Path as Disk
from mpio.lab import candidates
from mpio.machine import Machine
from mpio.observe import conf as edge
from mpio.plan.shape import ISCSID_CONF, MULTIPATH_CONF, MULTIPATH_DROP_IN
from mpio.program import Done
from mpio.replay import Replay
from mpio.step import Write
from mpio.tools import iscsidconf, multipath, multipathmend, multipathvalues, posix
from mpio.tools.multipathbuilt import Dialect

CONF = MULTIPATH_CONF
FILES = Path(__file__).with_name("conf")
GUIDE = (FILES / "guide-multipath.conf").read_text()
GUIDE_ISCSID = (FILES / "guide-iscsid.conf").read_text()
NEXENTA = "devices {\n device {\n  vendor NEXENTA\n  product COMSTAR\n%s }\n}\n"
LUN = "multipaths {\n multipath {\n  wwid %s\n%s }\n}\n"


@cache
def dialect(release: str) -> Dialect:
    return Dialect(recordings.known(release), recordings.staged(release, "built-in").table)


def told(text: str, known: Dialect | None = None) -> list[tuple[str, int]]:
    """The code and line of each finding above info."""
    return [(f.code, conf_lines.line_of(f)[1]) for f in of_file(CONF, text, known) if f.severity != "info"]


def infos(text: str, known: Dialect | None = None) -> list[tuple[str, int]]:
    return [(f.code, conf_lines.line_of(f)[1]) for f in of_file(CONF, text, known) if f.severity == "info"]


def of(found: object, code: str) -> list[Finding]:
    return [f for f in found if f.code == code]  # type: ignore[attr-defined]


def test_every_mistake_of_the_guide_is_found_with_its_line() -> None:
    """facts.md, section 0, as far as it is in this file."""
    found = {(f.code, conf_lines.line_of(f)[1]): f.detail for f in of_file(CONF, GUIDE)}
    obsolete = {2: "checker_timeout", 3: "uid_attribute", 12: "path_selector", 13: "udev", 30: "uid_attribute"}
    assert {line: True for line, word in obsolete.items() if word in found["MP503", line]} == dict.fromkeys(
        obsolete, True
    )
    assert found["MP510", 4] == '"12" is not used: NEXENTA/COMSTAR has "30" built in'
    assert "no_path_retry 30 of the built-in entry of NEXENTA/COMSTAR" in found["MP511", 32]
    assert {line for code, line in found if code == "MP505"} == {37, 38, 44, 45, 51, 52, 58, 59}
    assert {line for code, line in found if code == "MP507"} == {1, 15, 23, 34, 41, 48}
    assert "not closed before line 15: defaults (line 1)" in found["MP507", 1]
    assert found["MP512", 18].startswith("sda, sdaa, sdab and 24 more")
    assert {("MP508", 33), ("MP516", 9), ("MP521", 10), ("MP521", 31), ("MP514", 36)} <= set(found)
    assert len(found) == 27


def test_the_guide_s_iscsid_conf() -> None:
    (one,) = of_file(ISCSID_CONF, GUIDE_ISCSID)
    assert (one.code, one.subject) == ("MP518", f"{ISCSID_CONF} line 2: node.session.timeo.replacement_timeout")
    assert one.detail == "10 s here, fast_io_fail_tmo 5 in force on multipath's paths"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (GUIDE, Kind.MULTIPATH),
        (GUIDE_ISCSID, Kind.ISCSID),
        ("#node.startup = manual\n", Kind.ISCSID),
        ("blacklist\n{\n", Kind.MULTIPATH),
        ("", Kind.NEITHER),
        ("[defaults]\nx = 1\n", Kind.NEITHER),
    ],
)
def test_which_file_it_is(text: str, kind: Kind) -> None:
    assert kind_of(text) is kind


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("defaults {\n pathgrouping_policy multibus\n}\n", [("MP504", 2)]),
        ("defaults {\n alias x\n}\n", [("MP505", 2)]),
        ("no_path_retry 3\n", []),  # no section: no file of ours
        ("defaults {\n}\nno_path_retry 3\n", [("MP505", 3)]),
        ("defaults {\n no_path_retry often\n}\n", [("MP506", 2)]),
        ("defaults {\n failback -1\n}\n", [("MP506", 2)]),
        ('defaults {\n path_selector "service-time"\n}\n', [("MP506", 2)]),
        ('defaults {\n features "2 queue_if_no_path"\n no_path_retry 3\n}\n', [("MP506", 2), ("MP511", 2)]),
        (NEXENTA % "  prio alau\n", [("MP506", 5)]),
        ('devices {\n device {\n  vendor "*"\n  product x\n }\n}\n', [("MP506", 3)]),
        ('blacklist {\n devnode "*"\n}\n', [("MP525", 2)]),
        ("defaults {\n reservation_key key\n}\n", [("MP525", 2)]),
        ("defaults {\n partition_delimiter a/b\n}\n", [("MP525", 2)]),
        ("defaults { no_path_retry 3\n}\n", [("MP508", 1)]),
        ("defaults\n{\n no_path_retry 3\n}\n", [("MP508", 1)]),
        ("defaults {\n no_path_retry 3 6\n}\n", [("MP508", 2)]),
        ("defaults {\n}\n}\n", [("MP508", 3)]),
        ("defaults {\n no_path_retry 3\n", [("MP508", 1)]),
        ("defaults {\n verbosity 2\n verbosity 3\n}\n", [("MP509", 2)]),
        ("defaults {\n verbosity 2\n verbosity 2\n}\n", []),
        ("defaults {\n verbosity 2\n}\ndefaults {\n verbosity 3\n}\n", [("MP509", 2)]),
        ("defaults {\n no_path_retry 12\n}\n" + NEXENTA % "  failback manual\n", [("MP510", 2)]),
        ("defaults {\n no_path_retry 30\n}\n" + NEXENTA % "", []),
        ("defaults {\n no_path_retry 12\n}\n" + NEXENTA % "  no_path_retry 12\n", []),
        ("overrides {\n no_path_retry 5\n}\n" + NEXENTA % "  no_path_retry 12\n", [("MP520", 8)]),
        (NEXENTA % '  features "1 queue_if_no_path"\n  no_path_retry queue\n', [("MP515", 6)]),
        ('defaults {\n features "1 queue_if_no_path"\n}\n', [("MP515", 2)]),
        ("defaults {\n queue_without_daemon yes\n}\n", [("MP516", 2)]),
        ("defaults {\n fast_io_fail_tmo off\n}\n", [("MP517", 2)]),
        ("defaults {\n fast_io_fail_tmo 10\n dev_loss_tmo 5\n}\n", [("MP517", 2)]),
        ("defaults {\n fast_io_fail_tmo 10\n dev_loss_tmo infinity\n no_path_retry 1\n}\n", []),
        ("defaults {\n fast_io_fail_tmo 10\n no_path_retry 1\n}\n", [("MP517", 2)]),
        (LUN % ("a", "  alias x\n") + LUN % ("b", "  alias x\n"), [("MP523", 10)]),
        (LUN % ("a", "  alias x\n") + LUN % ("a", "  failback manual\n"), []),
        ("multipaths {\n multipath {\n  alias x\n }\n}\n", [("MP524", 2)]),
        ("devices {\n device {\n  vendor x\n }\n}\n", [("MP524", 2)]),
        ("blacklist {\n protocol scsi:iscsi\n}\n", [("MP513", 2)]),
        ('blacklist {\n devnode "^sd"\n}\n', [("MP513", 2)]),
        ('blacklist {\n devnode "^sd"\n}\nblacklist_exceptions {\n devnode "^sd"\n}\n', []),
        ('blacklist {\n devnode "!^(sd[a-z]|dasd[a-z])"\n devnode "^(ram|loop)[0-9]*"\n}\n', []),
        ('blacklist {\n wwid "^3600"\n}\n' + LUN % (APPS_A01, ""), [("MP513", 2)]),
        ("blacklist {\n device {\n  vendor NEX\n }\n}\n" + NEXENTA % "", [("MP513", 3)]),
        ("blacklist {\n device {\n  vendor DELL\n  product PERC\n }\n}\n" + NEXENTA % "", []),
    ],
)
def test_lines_of_multipath_conf(text: str, found: list[tuple[str, int]]) -> None:
    assert told(text) == found


def test_what_helps_and_is_no_mistake() -> None:
    assert infos("defaults {\n find_multipaths off\n}\n") == [("MP514", 2)]
    assert infos("defaults {\n find_multipaths off\n}\nblacklist {\n wwid x\n}\n") == []
    assert infos("defaults {\n find_multipaths strict\n}\n" + LUN % ("a", "")) == []
    assert infos("defaults {\n rr_min_io 100\n}\n") == [("MP521", 2)]
    assert infos('defaults {\n rr_min_io 100\n features "2 queue_mode bio"\n}\n') == []


def test_a_misspelt_keyword_is_told_with_the_nearest() -> None:
    (one,) = of_file(CONF, "defaults {\n pathgrouping_policy multibus\n}\n")
    assert one.detail == "meant may be path_grouping_policy"
    (other,) = of_file(CONF, "defaults {\n xyzzy 1\n}\n")
    assert other.detail == "nothing that is known resembles it"


def test_what_the_installed_multipath_knows_decides() -> None:
    text = NEXENTA % "  detect_pgpolicy no\n  flush_on_last_del always\n"
    assert told(text) == []
    assert told(text, dialect("trixie")) == []
    assert told(text, dialect("bookworm")) == [("MP504", 5), ("MP506", 6)]
    policy = NEXENTA % "  path_grouping_policy group_by_node_name\n"
    assert infos(policy, dialect("trixie")) == [("MP522", 5)]
    assert infos(policy, dialect("bookworm")) == []
    protocol = "overrides {\n protocol {\n  type scsi:iscsi\n  fast_io_fail_tmo 9\n }\n}\n"
    assert told(protocol, dialect("bookworm")) == []
    assert told(protocol, dialect("bullseye")) == [("MP504", 2)]


@recordings.EACH
def test_our_own_drop_ins_are_silent(release: str) -> None:
    for case in ("nexenta-comstar", "sun-comstar", "generic-alua", "none"):
        (text,) = candidates.files(case, recordings.known(release)).values()
        assert told(text, dialect(release)) == []


@recordings.EACH
def test_all_that_multipath_says_of_lines_is_said_by_kind(release: str) -> None:
    """Of the recorded mistakes: what is left of its complaints names no line."""
    warned = tuple(str(w) for w in multipath.parse_warnings(recordings.done(release, "multipath", "mistakes").err))
    seen = Seen({MULTIPATH_DROP_IN: candidates.MISTAKES}, dialect=dialect(release), warned=warned)
    assert len(warned) > 10
    rest = list(conf.without_echoes((finding("MP501", w) for w in warned), seen))
    assert [f.subject for f in rest if " line " in f.subject and "duplicate" not in f.subject] == []
    other = finding("MP502", CONF)
    assert list(conf.without_echoes([other], seen)) == [other]


def test_what_multipath_says_without_a_line_is_not_said_twice() -> None:
    text = NEXENTA % '  features "1 queue_if_no_path"\n' + "multipaths {\n multipath {\n  alias a\n }\n}\n"
    warned = (
        "NEXENTA/COMSTAR: ignoring feature 'queue_if_no_path' because no_path_retry is set to '30'",
        "multipaths config section missing wwid",
        f"{CONF} line 3: duplicate keyword: verbosity",
        "another word",
    )
    text += "defaults {\n verbosity 2\n verbosity 3\n}\n"
    seen = Seen({CONF: text}, warned=warned)
    rest = [f.subject for f in conf.without_echoes((finding("MP501", w) for w in warned), seen)]
    assert rest == [f"{CONF} line 3: duplicate keyword: verbosity", "another word"]
    seen = replace(seen, texts={CONF: "defaults {\n verbosity 2\n verbosity 3\n}\n"})
    rest = [f.subject for f in conf.without_echoes((finding("MP501", w) for w in warned), seen)]
    assert rest == [warned[0], warned[1], "another word"]


def test_a_file_that_swallows_has_one_cause() -> None:
    warned = (f"{CONF} line 15: invalid keyword in the defaults section: blacklist", f"{CONF}: missing '}}' at end")
    seen = Seen({CONF: GUIDE}, warned=warned)
    assert list(conf.without_echoes((finding("MP501", w) for w in warned), seen)) == []


# -- on a host


def seen_of(text: str, **changes: object) -> Seen:
    made = Seen({CONF: text, MULTIPATH_DROP_IN: ""}, iscsid="node.startup = manual\n", warned=(), installed=True)
    return replace(made, **changes)  # type: ignore[arg-type]


def codes(host: Host, seen: Seen) -> list[str]:
    return [f.code for f in conf.findings(guide_site(), host, None, seen)]


def test_no_evidence_no_finding() -> None:
    assert list(conf.findings(None, Host(), None, Seen())) == []


@recordings.EACH
def test_a_healthy_host_is_silent(release: str) -> None:
    """The stock files, and what mpio writes beside them."""
    stock = recordings.tree(release, "sane", "files").files[ISCSID_CONF]
    (ours,) = candidates.files("nexenta-comstar", recordings.known(release)).values()
    seen = Seen({MULTIPATH_DROP_IN: ours}, iscsid=stock, installed=True)
    assert list(conf.findings(guide_site(), guide_host(), None, seen)) == []


def test_the_arrays_of_the_host_are_those_that_count() -> None:
    text = "defaults {\n no_path_retry 12\n}\n"
    assert codes(guide_host(), seen_of(text)) == ["MP510"]
    assert codes(replace(guide_host(), paths=()), seen_of(text)) == []


def test_a_blacklist_that_hides_paths_names_them() -> None:
    disk = Disk("sdb", "3:0:0:10", 1, APPS_A01, vendor="NEXENTA", product="COMSTAR", dm="dm-0")
    host = Host(paths=(disk,))
    (one,) = conf.findings(None, host, None, seen_of('blacklist {\n devnode "^sdb$"\n}\n'))
    assert (one.code, one.detail) == ("MP513", "hides sdb")
    (other,) = conf.findings(None, host, None, seen_of('blacklist {\n devnode "^sda$"\n}\n'))
    assert other.code == "MP512"
    loose = Host(paths=(replace(disk, dm=""),))  # what has no map for it is MP430, with the same line
    for words in ('devnode "^sdb$"', 'protocol "scsi:iscsi"', "device {\n  vendor NEX\n }"):
        assert list(conf.findings(None, loose, None, seen_of(f"blacklist {{\n {words}\n}}\n"))) == []


@pytest.mark.parametrize("words", ['protocol ".*"', 'devnode "^sd[a-z0-9]+"'])
def test_a_blacklist_hides_nothing_where_nobody_uses_iscsi(words: str) -> None:
    seen = seen_of(f'blacklist {{\n {words}\n}}\nblacklist_exceptions {{\n protocol "scsi:fcp"\n}}\n')
    assert list(conf.findings(None, Host(), None, seen)) == []
    for used in (Host(sessions=guide_host().sessions), Host(nodes=guide_host().nodes)):
        assert [f.code for f in conf.findings(None, used, None, seen)] == ["MP513"]
    assert [f.code for f in conf.findings(guide_site(), Host(), None, seen)] == ["MP513"]


def test_files_that_are_read_one_after_the_other() -> None:
    first, later = "/etc/multipath/conf.d/10-a.conf", "/etc/multipath/conf.d/99-z.conf"
    texts = {
        first: "overrides {\n failback manual\n}\n",
        MULTIPATH_DROP_IN: "overrides {\n failback immediate\n no_path_retry 12\n}\n",
        later: "overrides {\n no_path_retry 3\n}\n",
    }
    found = [(f.code, f.subject) for f in conf.findings(None, Host(), None, Seen(texts))]
    assert found == [("MP526", f"{later} line 2: no_path_retry")]
    none = [f.code for f in conf.findings(None, Host(), None, Seen({first: texts[later], later: texts[first] * 2}))]
    assert none == []
    two = {CONF: "defaults {\n verbosity 2\n}\n", later: "defaults {\n verbosity 3\n}\n"}
    assert [f.code for f in conf.findings(None, Host(), None, Seen(two))] == ["MP519"]


def test_what_the_site_says_otherwise_is_meant() -> None:
    ours = "overrides {\n failback immediate\n}\n" + NEXENTA % "  no_path_retry 12\n"
    text = NEXENTA % "  no_path_retry queue\n  failback manual\n"
    assert codes(guide_host(), seen_of(text)) == ["MP515"]
    assert codes(guide_host(), seen_of("", texts={CONF: text, MULTIPATH_DROP_IN: ours})) == []
    twice = {CONF: LUN % (APPS_A01, "  alias x\n"), MULTIPATH_DROP_IN: LUN % (DB_A01, "  alias x\n")}
    assert codes(guide_host(), seen_of("", texts=twice)) == ["MP523"]


def test_what_beats_the_drop_in_from_another_section() -> None:
    ours = NEXENTA % "  no_path_retry 12\n" + LUN % (APPS_A01, "  alias x\n")
    for text, line in (
        ("overrides {\n no_path_retry 3\n}\n", 2),
        (LUN % (APPS_A01, "  no_path_retry 3\n"), 4),
        (LUN % (DB_A01, "  no_path_retry 3\n"), 0),
    ):
        seen = Seen({CONF: text, MULTIPATH_DROP_IN: ours}, warned=())
        found = [(f.code, conf_lines.line_of(f)[1]) for f in conf.findings(None, Host(), None, seen)]
        assert found == ([("MP526", line)] if line else [])


def test_what_only_a_host_shows() -> None:
    seen = seen_of("", readable=(ISCSID_CONF,), unread=("/etc/multipath/conf.d/site",))
    assert codes(guide_host(), seen) == ["MP537", "MP527"]


def test_the_time_out_that_counts_is_the_files_own() -> None:
    said = "node.session.timeo.replacement_timeout = 20\n"
    text = NEXENTA % "  fast_io_fail_tmo 20\n"
    assert codes(guide_host(), seen_of(text, iscsid=said)) == []
    assert codes(guide_host(), seen_of("", iscsid=said)) == ["MP518"]
    assert codes(guide_host(), seen_of("", iscsid=said, installed=False)) == []


def test_the_line_that_multipath_does_not_start_with() -> None:
    """Recorded by hand on 0.9.4: exit 1, and 139 for the second one."""
    said = '60589.566488 | /etc/multipath.conf line 2, parsing failed:  devnode "a{1"\n60589.6 | error parsing\n'
    line = edge.fatal_line(Done(("multipath", "-t"), 1, "", said))
    assert line == '/etc/multipath.conf line 2: parsing failed:  devnode "a{1"'
    slash = "60595.19 | /etc/multipath.conf line 2, a/b cannot contain a slash. Ignoring\n"
    assert "line 2" in edge.fatal_line(Done(("multipath", "-t"), 139, "", slash))
    assert edge.fatal_line(Done(("multipath", "-t"), 0, "", said)) == ""
    assert edge.fatal_line(Done(("multipath", "-t"), 1, "", "")) == f"{CONF}: multipath -t ended with 1"
    seen = seen_of('blacklist {\n devnode "a{1"\n}\n', fatal=line)
    assert [(f.code, f.subject) for f in conf.findings(None, Host(), None, seen)] == [("MP525", line)]


# -- iscsid.conf

P = "node.conn[0].timeo."
S = "node.session."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("node.session.timeo.replacment_timeout = 10\n", ["MP528"]),
        ("iface.hwaddress = 00:11:22:33:44:55\n", []),
        ("node.startup = automatic\nnode.startup = manual\n", ["MP529"]),
        ("node.startup = automatic\nnode.startup = automatic\n", []),
        ("iscsid.startup=/bin/a\niscsid.startup=/bin/b\n", ["MP529"]),
        ("node.startup = auto\n", ["MP530"]),
        (f"{S}timeo.replacement_timeout = ten\n", ["MP530"]),
        (f"{S}cmds_max = 100\n", ["MP530"]),
        (f"{S}queue_depth = 5000\n", ["MP530"]),
        ("node.startup=automatic\n", ["MP531"]),
        ("node.startup automatic\n", ["MP531"]),
        ("node.startup =\n", ["MP531"]),
        ("node.startup = automatic", ["MP531"]),
        (f"{P}noop_out_interval = 0\n{P}noop_out_timeout = 0\n", ["MP532"]),
        (f"{P}noop_out_interval = 0\n", ["MP532"]),
        (f"{P}login_timeout = 30\n", ["MP533"]),
        (f"{P}login_timeout = 5\n{S}initial_login_retry_max = 4\n", []),
        (f"{S}timeo.replacement_timeout = 5\n", []),
        (f"{S}timeo.replacement_timeout = 60\n", ["MP518"]),
        ("node.leading_login = Yes\nnode.startup = automatic\n", ["MP535"]),
        (f"{S}auth.username = prague\n", ["MP536"]),
        (f"{S}auth.username_in = homer\n{S}auth.password_in = secret\n", ["MP536"]),
        (f"{S}auth.authmethod = CHAP\n", ["MP536"]),
        (f"{S}auth.username = prague\n{S}auth.password = secretsecret\n{S}auth.authmethod = CHAP\n", []),
        (f"{S}scan = manual\n", ["MP538"]),
        (f"{S}scan = auto\n", []),
    ],
)
def test_lines_of_iscsid_conf(text: str, found: list[str]) -> None:
    assert [f.code for f in conf_iscsid.findings(ISCSID_CONF, text)] == found


def test_a_dead_session_that_waits_for_ever() -> None:
    text = f"{S}timeo.replacement_timeout = -1\n"
    assert [f.code for f in conf_iscsid.findings(ISCSID_CONF, text, None)] == ["MP534"]
    assert [f.code for f in conf_iscsid.findings(ISCSID_CONF, text)] == ["MP518"]


def test_records_that_do_not_log_in_are_told_of_a_file_alone() -> None:
    (one,) = of_file(ISCSID_CONF, "node.startup = manual\n")
    assert one.code == "MP539"


def test_no_secret_is_told() -> None:
    text = f"{S}auth.password = geheim-geheim\n{S}auth.password = anders-anders\n"
    said = " ".join(f"{f.subject} {f.detail} {f.summary}" for f in conf_iscsid.findings(ISCSID_CONF, text))
    assert "MP529" in [f.code for f in conf_iscsid.findings(ISCSID_CONF, text)]
    assert "geheim" not in said
    assert "anders" not in said


# -- the readers


def test_expressions_are_broken_where_regcomp_says_so() -> None:
    """Each was tried as `devnode` in a blacklist of multipath-tools 0.9.4 (glibc 2.36): these end the parse."""
    broken = ("a{1", "a{1,", "a\\", "(*a)", "a|*b", "{", "a{", "{1}", "a{x}", "[[:foo:]]", "a{2,1}", "a{99999}", "^*")
    more = ("(^*)", "[z-a]", "[]", "$*", "\\", "[a", "(a", "?", "*", "+a")
    whole = (
        "a**",
        ")",
        "a)",
        "()",
        "|a",
        "a||b",
        "(|a)",
        "a++",
        "a+*",
        "a{2}{3}",
        "[:alpha:]",
        "[]]",
        "a?*",
        "",
        "a{,3}",
    )
    assert [p for p in (*broken, *more) if not posix.broken(p)] == []
    assert [p for p in whole if posix.broken(p)] == []


def test_braces_are_put_where_they_were_meant() -> None:
    text = (
        "defaults {\n failback manual\ndevices {\n device {\n  vendor a\n device {\n  vendor b\n }\nmultipaths {\n}\n"
    )
    whole, numbers, gaps = multipathmend.mended(text)
    assert [(g.section, g.opened, g.before, g.following) for g in gaps] == [
        ("defaults", 1, 3, "devices"),
        ("device", 4, 6, "device"),
        ("devices", 3, 9, "multipaths"),
    ]
    assert whole.count("}") == 5
    assert len(numbers) == len(whole.split("\n"))
    assert multipathmend.mended(whole)[2] == ()
    found, _ = multipathmend.parse_mended(text, CONF)
    assert [(s.name, s.line) for s in found.sections] == [("defaults", 1), ("devices", 3), ("multipaths", 9)]
    assert [d.values["vendor"].line for d in found.sections[1].sections] == [5, 7]


words = st.lists(
    st.sampled_from(["defaults", "devices", "device", "multipath", "multipaths", "{", "}", "\n", "vendor", '"a"', "12"])
)


@given(words.map(" ".join))
def test_mended_is_whole(text: str) -> None:
    whole, _, _ = multipathmend.mended(text)
    assert multipathmend.mended(whole)[2] == ()


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    for path in (CONF, ISCSID_CONF):
        assert all(f.code in TABLE for f in of_file(path, text))
    list(iscsidconf.lines(text))
    posix.broken(text)
    assert all(isinstance(multipathvalues.complaint(key, text), str) for key in multipathvalues.RULES)


@given(st.text(alphabet='[]()*+?{}|^$\\a-z1,:=."'))
def test_a_whole_expression_is_whole_in_a_group(pattern: str) -> None:
    if not posix.broken(pattern):
        assert not posix.broken(f"({pattern})b")


def test_the_rows_are_whole() -> None:
    for code in (f"MP{number}" for number in (*range(501, 540),)):
        assert TABLE[code].evidence, code
        assert TABLE[code].reference, code


@recordings.EACH
def test_the_second_lun_s_name(release: str) -> None:
    text = LUN % (APPS_A01, "  alias x\n") + LUN % (DB_A01, "  alias x\n")
    (one,) = of(of_file(CONF, text, dialect(release)), "MP523")
    assert one.detail == f"x is also {APPS_A01} on line 4 of {CONF}"


# -- the edge


def test_a_look_reads_files_alone_where_there_is_nothing_but_our_drop_in(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    secret = "node.session.auth.username = prague\nnode.session.auth.password = geheim-geheim\n"
    tree.file(ISCSID_CONF, secret)
    tree.file(MULTIPATH_DROP_IN, "defaults {\n}\n")
    tree.file("/etc/multipath/conf.d/site", "defaults {\n}\n")
    tree.file("/etc/multipath/conf.d/README", "defaults {\n}\n")
    tree.file("/etc/multipath/conf.d/20-old.conf.bak", "defaults {\n}\n")
    tree.file("/etc/multipath/conf.d/notes", "nothing\n")
    (tmp_path / ISCSID_CONF[1:]).chmod(0o644)
    seen = edge.look(Machine(Replay([]), Files(str(tmp_path))), None, Host())
    assert seen == Seen(
        texts={MULTIPATH_DROP_IN: "defaults {\n}\n"},
        iscsid=secret,
        readable=(ISCSID_CONF,),
        unread=("/etc/multipath/conf.d/site",),
        installed=seen.installed,
    )
    (tmp_path / ISCSID_CONF[1:]).chmod(0o600)
    assert edge.look(Machine(Replay([]), Files(str(tmp_path))), None, Host()).readable == ()
    assert edge.look(Machine(Replay([]), Files(str(tmp_path / "empty"))), None, Host()).texts == {}


def test_what_multipath_complains_of_without_our_drop_in() -> None:
    said = f"1.0 | {CONF} line 2, invalid keyword in the defaults section: x\n1.0 | {MULTIPATH_DROP_IN} line 1, y\n"
    assert edge.complaints(Done(("multipath", "-t"), 0, "", said)) == (
        f"{CONF} line 2: invalid keyword in the defaults section: x",
    )


# -- mending


def test_a_file_with_a_secret_is_closed_and_never_shown() -> None:
    text = f"{S}auth.username = a\n{S}auth.password = geheim-geheim\n"
    (step,) = conf_fixes.FIXES["MP537"](None, Host(files={ISCSID_CONF: text}), None)
    assert isinstance(step, Write)
    assert (step.path, step.text, step.mode, step.secret) == (ISCSID_CONF, text, 0o600, True)
    assert conf_fixes.FIXES["MP537"](None, Host(files={ISCSID_CONF: "node.startup = manual\n"}), None) == ()
