"""Editing a site file: what is meant changes, and nothing else does."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import sitefile, sitetext
from mpio.errors import MpioError

HEAD = """\
# The host hydra.
format = 1

[[iface]]                 # one per NIC
name = "sw-iscsi-0"
nic  = "eth1"

[san]
portals = [
  "10.10.8.90", # the first ] of two
  "10.10.9.90",
]
"""
A, B, C = (f"3600144f0f484400000004e8685e7{n:04x}" for n in (1, 2, 3))
TWO = f"""{HEAD}
# Applications.
[[lun]]
wwid  = "{A}"
alias = 'a'   # as ever
# grown in May

[network]
rp_filter = 2

# Databases,
# all of them.
[[lun]]
wwid  = "{B}"
alias = "b"
failback = "immediate"

# Who is told.
[watch]
heal = true
"""


def parse(text: str) -> Any:
    return sitefile.parse(text, "site.toml")


def test_a_lun_is_added_behind_the_others() -> None:
    new = sitetext.with_lun(TWO, C, "c")
    added = f'failback = "immediate"\n\n[[lun]]\nwwid  = "{C}"\nalias = "c"\n\n# Who is told.\n'
    assert new == TWO.replace('failback = "immediate"\n\n# Who is told.\n', added)
    assert [lun.alias for lun in parse(new).luns] == ["a", "b", "c"]


def test_the_first_lun_stands_at_the_end() -> None:
    assert sitetext.with_lun(HEAD, A) == f'{HEAD}\n[[lun]]\nwwid = "{A}"\n'
    assert sitetext.with_lun(HEAD.rstrip("\n"), A, "a", 2) == f'{HEAD}\n[[lun]]\nwwid = "{A}"\nalias = "a"\npaths = 2'


def test_a_lun_goes_with_its_own_comments() -> None:
    new = sitetext.without_lun(TWO, A)
    assert "Applications" not in new
    assert "grown in May" not in new
    assert new == HEAD + "\n[network]" + TWO.partition("[network]")[2]
    assert (
        sitetext.without_lun(TWO, B) == TWO.partition("\n# Databases")[0] + "\n# Who is told.\n[watch]\nheal = true\n"
    )
    assert sitetext.without_lun(TWO, C) == TWO


def test_comments_that_stand_apart_stay() -> None:
    text = TWO.replace("[[lun]]", "# Apart.\n\n[[lun]]").replace("# grown in May\n", "\n# About nothing.\n")
    new = sitetext.without_lun(sitetext.without_lun(text, A), B)
    assert new.count("# Apart.") == 2
    assert "# About nothing." in new
    assert "# Who is told.\n[watch]" in new
    close = text.replace("\n# Who is told.", "# Who is told.")
    assert "# Who is told.\n[watch]" in sitetext.without_lun(close, B)


def test_paths() -> None:
    new = sitetext.with_paths(TWO, A, 2)
    assert new == TWO.replace("'a'   # as ever\n", "'a'   # as ever\npaths = 2\n")
    more = sitetext.with_paths(new.replace("paths = 2", "paths  =  2 # half"), A, 4)
    assert "paths  =  4 # half\n" in more
    assert sitetext.with_paths(new, A, None) == TWO
    assert sitetext.with_paths(TWO, A, None) == TWO
    assert sitetext.with_paths(TWO, C, 2) == TWO


def test_lines_end_as_they_did() -> None:
    text = TWO.replace("\n", "\r\n")
    for new in (sitetext.with_lun(text, C, "c"), sitetext.with_paths(text, B, 3), sitetext.without_lun(text, A)):
        assert "\n" not in new.replace("\r\n", "")
        assert new != text


INLINE = [
    "lun = []\n",
    'lun = [{ wwid = "%s", alias = "a" }] # all\n',
    'lun = [\n  {wwid = "%s"}, # first\n  {wwid = "%s", paths = 4},\n]\n',
    'lun = [\n  {wwid = "%s"},\n  {paths = 4, wwid = "%s"} # {last}\n]\n',
]


def bare(text: str) -> str:
    """tomlkit leaves a blank or a comma where something was taken out of a list."""
    return re.sub("[ ,]", "", text)


@pytest.mark.parametrize("lun", INLINE)
def test_luns_in_one_list(lun: str) -> None:
    text = lun % tuple((A, B)[: lun.count("%s")]) + HEAD
    new = sitetext.with_lun(text, C, "c")
    assert bare(sitetext.without_lun(new, C)) == bare(text)
    assert new.count("#") == text.count("#")
    for wwid in (A, B)[: lun.count("%s")]:
        less = sitetext.without_lun(new, wwid)
        assert [x.wwid for x in parse(less).luns] == [x.wwid for x in parse(new).luns if x.wwid != wwid]
        some = sitetext.with_paths(text, wwid, 2)
        assert {x.wwid: x.paths for x in parse(some).luns}[wwid] == 2
        if "paths" not in lun or wwid == A:
            assert bare(sitetext.with_paths(some, wwid, None)) == bare(text)
        else:
            assert sitetext.with_paths(some, wwid, 4) == text
            assert "paths" not in sitetext.with_paths(some, wwid, None)


def test_what_stands_in_a_list_stays() -> None:
    text = f"""lun = [ # all
  # ours
  {{ wwid = "{A}", alias = "a#1" }}, # first
  {{ alias = "paths = 3", wwid = "{B}", paths = 4 }} # {{last}}
  # behind
]
"""
    assert sitetext.with_paths(text, B, 2) == text.replace("paths = 4", "paths = 2")
    assert bare(sitetext.with_paths(text, A, 2)) == bare(text.replace('"a#1"', '"a#1", paths = 2'))
    assert [line.strip() for line in sitetext.without_lun(text, A).splitlines()] == [
        line.strip() for line in text.splitlines() if A not in line
    ]


SUB = f"""[[lun]]
wwid = "{A}"

[lun.own]
x = 1
"""
# a comma before the entry: tomlkit 0.15 writes a list that is none
COMMA = f"""lun = [
  {{wwid = "{A}"}}
  , {{wwid = "{B}"}}
  # behind
]
"""


def test_what_cannot_be_edited_is_said() -> None:
    for text in (SUB, COMMA):
        with pytest.raises(MpioError, match="cannot edit the site file") as caught:
            sitetext.with_lun(text, C, "c")
        assert caught.value.exit == 1
        assert caught.value.hint == (
            f"edit it by hand: add a [[lun]] with wwid = '{C}' and alias = 'c'; then run this again"
        )
    with pytest.raises(MpioError) as caught:
        sitetext.without_lun(SUB, A)
    assert caught.value.hint == f"edit it by hand: take the [[lun]] with wwid = '{A}' out; then run this again"
    assert sitetext.with_paths(SUB, A, 2) == SUB.replace('"\n\n', '"\npaths = 2\n\n')


@pytest.mark.parametrize(
    ("new", "own"),
    [("a\nc\n# b\n", ""), ("a\n# b\n", ""), ("# b\na\nc\n", "c\n"), ("a\nc\n", ""), ("a\n# b\nd\n", "# b\n")],
)
def test_a_lost_or_moved_line_is_seen(new: str, own: str) -> None:
    old = "a\n# b\nc\n"
    assert not sitetext.kept(old, new, own)
    assert sitetext.kept(old, "x\na\n# b\nx\nc\n", "")
    assert sitetext.kept(old, "a\nc\n", "# b\n")


# -- laws ----------------------------------------------------------------------------------------------------------

ADDED = f"{A[:-2]}ff"
comments = st.sampled_from(["# x", "  # [[lun]]", '# "', "#"])
gaps = st.lists(st.one_of(st.just(""), st.just("   "), comments), max_size=3)
others = st.sampled_from(
    [
        "[a]",
        '[b."c"]\nx = "[[lun]]"',
        "[[d]]\ny = [\n 1, # ]\n 2,\n]",
        '[e]\nz = """\n[[lun]]\nwwid = "1"\n"""',
        "[f]\nz = '''\n# '' [[\n''''",
        "[g]\nlun = 3",
        "[h]\nt = 2024-01-01 00:00:00\ns = {k = '}', l = [[1]]}",
        '[i] # [[lun]]\nq = "\\"[["',
    ]
)
headers = st.sampled_from(["[[lun]]", "[[ lun ]]  # here", '[["lun"]]'])
tails = st.sampled_from(["", 'alias = "a"', "paths = 3 # few", 'x = [\n "b",\n\n# c\n]', "  paths=7"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.one_of(others, st.none()), unique=True, max_size=6))
    lines = draw(gaps)
    for number, piece in enumerate(pieces):
        lun = f'{draw(headers)}\nwwid = "{A[:-2]}{number:02x}"\n{draw(tails)}'.rstrip("\n")
        lines += [piece or lun, *draw(gaps)]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text.replace("\n", end)


@given(texts(), st.sampled_from(["", "c"]), st.sampled_from([None, 3]))
def test_adding_and_removing_gives_the_text_back(text: str, alias: str, paths: int | None) -> None:
    new = sitetext.with_lun(text, ADDED, alias, paths)
    before, after = tomllib.loads(text), tomllib.loads(new)
    assert after["lun"][:-1] == before.get("lun", [])
    assert after["lun"][-1]["wwid"] == ADDED
    assert {k: v for k, v in after.items() if k != "lun"} == {k: v for k, v in before.items() if k != "lun"}
    assert sitetext.without_lun(new, ADDED) == text


@given(texts())
def test_removing_touches_nothing_else(text: str) -> None:
    tree = tomllib.loads(text)
    for lun in tree.get("lun", []):
        new = sitetext.without_lun(text, lun["wwid"])
        rest = [x for x in tree["lun"] if x is not lun]
        assert tomllib.loads(new) == {
            **{k: v for k, v in tree.items() if k != "lun"},
            **({"lun": rest} if rest else {}),
        }
        kept = iter(text.splitlines())
        assert all(line in kept for line in new.splitlines())  # every line is one of the old, in their order


@given(texts(), st.integers(1, 99))
def test_an_expectation_and_back(text: str, paths: int) -> None:
    for lun in tomllib.loads(text).get("lun", []):
        new = sitetext.with_paths(text, lun["wwid"], paths)
        assert sitetext.with_paths(new, lun["wwid"], lun.get("paths")) == text
