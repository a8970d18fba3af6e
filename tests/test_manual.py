"""The manual pages as groff prints them: well formed, and with all that they are to describe."""

from __future__ import annotations

import re
import subprocess
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import manual
import pytest
import reference

from mpio import sitefile
from mpio.errors import SiteError
from mpio.tools import multipathwords

TOP = Path(__file__).parent.parent
PAGES = ("mpio.8", "mpio-site.5")
SMALLEST = """\
format = 1
[[iface]]
name = "sw-iscsi-0"
nic = "eth1"
[[iface]]
name = "sw-iscsi-1"
nic = "eth2"
[san]
portals = ["10.10.8.90"]
"""


@cache
def printed(page: str) -> str:
    """The page as plain text, so wide that no line of prose is broken where a test looks for it."""
    argv = ["groff", "-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=900n", str(TOP / "docs/man" / page)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def section(page: str, title: str) -> str:
    """The text below a heading, up to the next of its rank."""
    level = re.search(rf"(?m)^( *){re.escape(title)}$", printed(page))
    assert level, f"{page} has no {title}"
    end = re.compile(rf"^ {{0,{len(level[1])}}}\S", re.M).search(printed(page), level.end())
    return printed(page)[level.end() : end.start() if end else None]


@pytest.mark.parametrize("page", PAGES)
def test_groff_has_nothing_to_say(page: str) -> None:
    text = (TOP / "docs/man" / page).read_text(encoding="utf-8")
    assert text.isascii()
    assert printed(page)


@pytest.mark.parametrize("page", PAGES)
def test_no_word_of_prose_is_wider_than_a_screen(page: str) -> None:
    argv = ["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=80n", str(TOP / "docs/man" / page)]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in lines if len(line) > 88] == []


def test_the_sections_that_a_reader_looks_for() -> None:
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES"):
        assert section("mpio.8", title).strip()
    assert "mpio-site(5)" in section("mpio.8", "SEE ALSO")
    assert "mpio(8)" in section("mpio-site.5", "SEE ALSO")
    assert section("mpio.8", "NAME").strip().startswith("mpio - ")
    assert section("mpio-site.5", "NAME").strip().startswith("mpio-site - ")


def test_every_verb_with_its_options() -> None:
    commands, options = section("mpio.8", "COMMANDS"), section("mpio.8", "OPTIONS")
    blocks = re.split(r"(?m)^ {7}(?=mpio )", commands)[1:]
    _, verbs, shared = reference.command_tree()
    assert [block.partition(" [")[0] for block in blocks] == [name for name, _ in verbs]
    for block, (_, command) in zip(blocks, verbs, strict=True):
        assert reference.said(command).replace("`", "") in " ".join(block.split())
        for param in command.params:
            term = " ".join(filter(None, reference.spelt(param)))
            where = options if param.name in shared else block
            assert re.search(rf"(?m)^ +{re.escape(term)}( |$)", where), term
            assert reference.said(param) in " ".join(where.split())


def test_every_exit_code() -> None:
    assert re.findall(r"(?m)^ {7}(\d+) ", section("mpio.8", "EXIT STATUS")) == [code for code, _ in reference.EXITS]


def test_the_examples_can_be_called() -> None:
    _, verbs, _ = reference.command_tree()
    known = dict(verbs)
    lines = re.findall(r"(?m)^ +(mpio [^>\n]*)", section("mpio.8", "EXAMPLES"))
    assert len(lines) >= len(manual.EXAMPLES)
    for line in lines:
        words = line.split()
        command = known[" ".join(words[:2])]
        options = {spelt for param in command.params for spelt in param.opts}
        assert {word for word in words if word.startswith("-")} <= options, line


def keys(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every key of the site file: the header of its table, its name, what the schema says of it."""
    for key, value in schema["properties"].items():
        below = f"{name.strip('[]')}.{key}".lstrip(".")
        if "properties" in value:
            yield from keys(value, f"[{below}]")
        elif "properties" in value.get("items", {}):
            yield from keys(value["items"], f"[[{below}]]")
        else:
            yield name, key, value


def test_every_key_of_the_site_file() -> None:
    listed = list(keys(sitefile.schema()))
    assert {("", "format"), ("[san]", "portals"), ("[[lun]]", "wwid"), ("[[watch.alert]]", "exec")} <= {
        k[:2] for k in listed
    }
    top = section("mpio-site.5", "TABLES AND KEYS")
    for table, key, value in listed:
        where = section("mpio-site.5", table) if table else top.partition("[initiator]")[0]
        if value.get("type") == "object":  # a table whose keys are open-iscsi's
            assert value["description"] in section("mpio-site.5", f"[{key}]")
        elif isinstance(value.get("type"), list):  # a keyword of multipath
            assert re.search(rf"\b{key}\b", where), (table, key)
        else:
            said = re.search(rf"(?m)^ +{key} \((.*)\)\n(.*)$", where)
            assert said, (table, key)
            assert said[2].split() == value["description"].replace("…", "...").split()
            assert f"default {manual.toml(value.get('default'))}" in said[1] or "default" not in value
            assert all(manual.toml(word) in said[1] for word in value.get("enum", ()))


def test_every_keyword_of_multipath() -> None:
    for table, known in (
        ("[multipath]", multipathwords.DEVICE_KEYWORDS - {"fast_io_fail_tmo", "dev_loss_tmo"}),
        ("[[lun]]", multipathwords.MULTIPATH_KEYWORDS),
    ):
        assert known <= set(re.findall(r"\w+", section("mpio-site.5", table)))


@pytest.mark.parametrize("what", manual.REFUSED)
def test_what_is_said_to_be_refused_is_refused(what: str) -> None:
    sitefile.parse(SMALLEST, "/s")
    wrong = manual.REFUSED[what]
    table = wrong.partition("\n")[0]
    text = SMALLEST.partition("[san]")[0] + wrong if table == "[san]" else f"{SMALLEST}{wrong}\n"
    with pytest.raises(SiteError) as refused:
        sitefile.parse(text, "/s")
    assert all(line.startswith(table.strip("[]").partition(".")[0]) for line in refused.value.mistakes)
    assert f"• {what}" in section("mpio-site.5", "WHAT IS REFUSED")


def test_the_example_is_a_site_as_it_is_printed() -> None:
    example = (TOP / "docs/site-example.toml").read_text(encoding="utf-8")
    shown = textwrap.dedent(section("mpio-site.5", "EXAMPLE"))
    assert sitefile.parse(shown, "/s") == sitefile.parse(example, "/s")
    for text in (shown, example):
        assert sitefile.parse(text.replace("#! ", ""), "/s").chap
    plain = example.replace("…", "...")
    assert [x for x in shown.splitlines() if "=" in x] == [x for x in plain.splitlines() if "=" in x]
