"""The manual pages, in man(7): mpio(8) from the command tree, mpio-site(5) from the site file's schema."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reference
from roff import after, bold, example, inner, item, literal, page, paragraphs, prose, section, see, slanted

import mpio

TOP = Path(__file__).parent.parent
WIDTH = 76  # of an example: man indents it and nobody reads it wider than 80


def edition() -> tuple[str, str]:
    """The date that the changelog gives to this version, empty before there is one; and the version."""
    text = (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
    dated = re.search(rf"^## \[{re.escape(mpio.__version__)}\] - (\d{{4}}-\d\d-\d\d)$", text, re.M)
    return dated[1] if dated else "", f"mpio {mpio.__version__}"


# -- mpio(8) -------------------------------------------------------------------------------------------------------

ABOUT = """\
`mpio` sets up iSCSI multipath on a Linux host from one file, and proves that it is there. The site file,
`mpio-site`(5), names the NICs, the portals, the time-outs and the LUNs. `mpio plan` shows the steps from the host to
that file, each with its reason; `mpio apply` carries them out with open-iscsi and multipath-tools, in rounds, until
nothing is left to do; `mpio verify` says whether the host is as the file says.

Looking changes nothing: what only looks starts no daemon and writes no file. What changes the host shows first what
it will do and asks; `--yes` answers. Without a terminal to ask on it takes `--yes`. It needs root.

Results go to standard output, everything else to standard error. With `-o json` the result is one JSON document, also
for an error. What there is to say about a host has a code such as MP203; `mpio explain` tells what it means and what
to do.

X stands for a NIC, an iface, a portal (with or without its port), a target, or a session as `sid:`N."""

ENVIRONMENT = {
    "MPIO_SITE": "The site file where `--site` names none.",
    "NO_COLOR": "With any value: no colours, unless `--color always` asks for them.",
    "SUDO_UID": "Set by sudo: a site file owned by that user is trusted as the caller's own.",
    "XDG_CACHE_HOME": "The lab keeps its images in `mpio/lab` there, or in `~/.cache`.",
}

EXAMPLES = {
    "What would stop or hurt, and what would be done; nothing is touched:": "mpio preflight\nmpio plan",
    "Carry it out, and check it at every boot or every minute:": "mpio apply --yes\nmpio verify --nagios",
    "Only the kernel's settings and the ifaces:": "mpio apply --only sysctl,ifaces",
    "Wait up to a minute for all paths, after a switch came back:": "mpio verify --wait 60",
    "The same site as a shell script, for a host without mpio:": "mpio plan --script > runbook.sh",
    "Log out the sessions through one NIC, and log them in again:": "mpio logout eth1\nmpio login eth1",
    "What a finding means:": "mpio explain MP203",
}


def files() -> dict[str, str]:
    from mpio import lock
    from mpio.commands import call
    from mpio.files import PRIVATE
    from mpio.plan import shape, timer, watching
    from mpio.tools import multipath, systemctl
    from mpio.watch import history

    by_udev = "Written whole by `watch --install --no-daemon`: "
    return {
        call.SITE: "The site file.",
        shape.MULTIPATH_DROP_IN: "Written whole: a device entry for the array, a section for each LUN.",
        shape.SYSCTL_DROP_IN: "Written whole: settings of the NICs.",
        shape.ROUTES_UNIT: 'Written whole with `arp = "set"`: rules and routes of NICs that share a subnet.',
        timer.TIMER: "Written whole by `offline --for`: when what is offline comes back. `online` removes it.",
        timer.SERVICE: "What that timer starts.",
        watching.place(systemctl.WATCH): "Written whole by `watch --install`: the watcher.",
        watching.place(systemctl.EVENT_PATH): f"{by_udev}starts a look when udev has seen something.",
        watching.place(systemctl.EVENT): f"{by_udev}that look.",
        watching.place(watching.ALERTS): f"{by_udev}what udev is to see.",
        watching.place(watching.NAMES): "Written whole by `watch --install`: the names of paths in /dev/disk/by-mpio.",
        watching.place(watching.NAMER): "What gives these names.",
        shape.ISCSID_CONF: "Time-outs and login retries are set in it; all other keys and comments stay.",
        shape.INITIATOR_NAME: "The initiator name is set in it, if the site file gives one.",
        multipath.WWIDS: "The WWIDs of the site's LUNs are added to it, through multipath.",
        shape.MULTIPATH_CONF: "Never edited; made only where there is none and multipathd does not start without.",
        PRIVATE: "What mpio made, the values that it replaced, what is offline by hand.",
        history.FOLDER: "What the watcher has seen.",
        lock.LOCK: "Held by the verb that changes the host.",
    }


def mpio_8() -> str:
    root, verbs, shared = reference.command_tree()
    common = [p for p in verbs[0][1].params if p.name in shared]
    alone = [p for p in root.params if p.name == "version"]
    return page(
        "mpio",
        8,
        "System Administration",
        edition(),
        section("NAME", prose("mpio - iSCSI multipath from one site file: set up, prove, watch")),
        section(
            "SYNOPSIS",
            f"{bold('mpio')} {slanted('VERB')} [{slanted('OPTION')}]... [{slanted('ARGUMENT')}]...",
            ".br",
            f"{bold('mpio')} [{slanted('VERB')}] {bold('--help')}",
            ".br",
            f"{bold('mpio --version')}",
        ),
        section("DESCRIPTION", paragraphs(ABOUT)),
        section("COMMANDS", *(_verb(name, command, shared) for name, command in verbs)),
        section("OPTIONS", prose("Every verb takes these:"), *map(_option, common), HELP, ALONE, *map(_option, alone)),
        section("EXIT STATUS", *(item(bold(code), prose(means)) for code, means in reference.EXITS), after(EXITS)),
        section("ENVIRONMENT", *(item(bold(name), prose(says)) for name, says in ENVIRONMENT.items())),
        section("FILES", *(item(slanted(path), prose(says)) for path, says in files().items())),
        section("EXAMPLES", *(f"{after(says)}\n.PP\n{example(argv)}" for says, argv in EXAMPLES.items())),
        section("SEE ALSO", see("mpio-site(5)", *PROGRAMS)),
    )


PROGRAMS = ("iscsiadm(8)", "iscsid(8)", "multipath(8)", "multipathd(8)", "multipath.conf(5)", "sysctl.d(5)")
ALONE = f".PP\n{prose('And without a verb:')}"
HELP = item(bold("--help"), prose("Show the options of the verb and end."))
EXITS = """\
The highest of 5, 4 and 3 wins. `plan` says 0 for no steps and 3 for some; `status`, `export` and `explain` say 0
whenever they could look. `verify --nagios` says 0, 1, 2 or 3 as Nagios plug-ins do."""


def _verb(name: str, command: Any, shared: frozenset[str]) -> str:
    own = [p for p in command.params if p.name not in shared]
    words = [slanted(reference.spelt(p)[1]) for p in own if p.param_type_name == "argument"]
    term = " ".join((bold(name), f"[{slanted('OPTION')}]...", *words))
    return item(term, prose(reference.said(command)), inner(_option(p) for p in own))


def _option(param: Any) -> str:
    words, value = reference.spelt(param)
    spelt = ", ".join(bold(word) for word in words.split(", ")) if words else ""
    return item(" ".join(filter(None, (spelt, slanted(value)))), prose(reference.said(param)))


# -- mpio-site(5) --------------------------------------------------------------------------------------------------

SITE = """\
The site file says in TOML what is wanted of one initiator host: which NICs lead to the SAN, where its portals are,
how long an outage may hold I/O back, and what the LUNs are called. `mpio`(8) reads it; `mpio init` writes it where
there is none, and `mpio lun add`, `lun remove` and `lun adopt` change its tables of LUNs and leave all else, comments
too, as it is. No other verb writes it.

It is `/etc/mpio/site.toml` unless `--site` or `MPIO_SITE` names another. Others than its owner must not be able to
write it. Passwords are not in it: it names files of one line each, of mode 0600 and owned by root.

`format`, one `[[iface]]` and `[san]` with its portals are required; everything else has a default, or is left as the
host has it."""

# What is refused, and a site that is refused for it: a few lines below the smallest one.
REFUSED = {
    "a key that is not described here": "[timeouts]\nreplacements = 10",
    "a value of another type, or out of its range": "[timeouts]\nreplacement = 0",
    "a host name as a portal": '[san]\nportals = ["homer.dom"]',
    "an iface with the name of a NIC, or called default, iser or iface.example": (
        '[[iface]]\nname = "iser"\nnic = "eth3"'
    ),
    "the same iface name, NIC, portal, alias or WWID twice": '[[iface]]\nname = "sw-iscsi-1"\nnic = "eth1"',
    "an alias that multipath gives itself (mpatha), control, or one with two dots in a row": (
        '[[lun]]\nwwid = "3600144f0f484400000004e8685e70001"\nalias = "mpatha"'
    ),
    "a WWID that multipath would not write": '[[lun]]\nwwid = "600144f0"',
    "a key of [multipath] that is no keyword of a device section, one of [[lun]] that is none of a multipath section": (
        '[multipath]\nalias = "a"'
    ),
    "fast_io_fail_tmo and dev_loss_tmo, for which timeouts.replacement stands": "[multipath]\nfast_io_fail_tmo = 5",
    "a key of [session] that another table says, or that mpio sets itself": '[session]\n"node.startup" = "manual"',
    "username_in without password_in_file, or the other way round": (
        '[san.chap]\nusername = "prague"\npassword_file = "/etc/mpio/chap"\nusername_in = "homer"'
    ),
    "an alert with none, or more than one, of url, url_file and exec": '[[watch.alert]]\non = ["failed"]',
}

ALL_AT_ONCE = """\
Every mistake is named at once, each by the path of its key, with exit code 2, and nothing is touched. A password file
that others may read or write is refused as well. Refused are"""

KEYWORDS = """\
Any keyword of the {section} section of `multipath.conf`(5) {how}. Its value is {kind}; true is written yes, false no.
A keyword that the installed multipath does not know is a mistake as well. The keywords are"""


def site_5() -> str:
    from mpio import sitefile

    schema = sitefile.schema()
    tables = [text for name, table in _tables("", schema) for text in _table(name, table)]
    return page(
        "mpio-site",
        5,
        "File Formats",
        edition(),
        section("NAME", prose("mpio-site - the wanted state of a host's iSCSI multipath, for mpio")),
        section("DESCRIPTION", paragraphs(SITE)),
        section("TABLES AND KEYS", *tables),
        section("WHAT IS REFUSED", prose(ALL_AT_ONCE), *(f".IP \\(bu 2\n{prose(what)}" for what in REFUSED)),
        section("EXAMPLE", example(shown((TOP / "docs/site-example.toml").read_text(encoding="utf-8")))),
        section("SEE ALSO", see("mpio(8)", "multipath.conf(5)", "iscsiadm(8)")),
    )


def shown(toml: str) -> str:
    """A site file without its first line, which is for editors, and with comments as wide as a page."""
    lines: list[str] = []
    for line in toml.split("\n")[1:]:
        mark = re.match("#!? ?", line)
        if mark and len(line) > WIDTH and not line.startswith("#!"):
            lines += textwrap.wrap(line[2:], WIDTH, initial_indent="# ", subsequent_indent="# ")
        else:
            lines.append(line)
    return "\n".join(lines).removeprefix("#").strip("\n")


def _tables(name: str, table: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table with its header in TOML, the top one first."""
    yield name, table
    for key, value in table.get("properties", {}).items():
        below = f"{name.strip('[]')}.{key}".lstrip(".")
        if value.get("type") == "object":
            yield from _tables(f"[{below}]", value)
        elif "properties" in value.get("items", {}):
            yield from _tables(f"[[{below}]]", value["items"] | {"description": value["description"]})


def is_table(value: dict[str, Any]) -> bool:
    return value.get("type") == "object" or "properties" in value.get("items", {})


def is_keyword(value: dict[str, Any]) -> bool:
    """One of multipath.conf's: they are many, they share a type, and their own manual describes them."""
    return isinstance(value.get("type"), list)


def _table(name: str, table: dict[str, Any]) -> Iterator[str]:
    keys = {k: v for k, v in table.get("properties", {}).items() if not is_table(v)}
    yield f".SS {literal(name)}\n{prose(table['description'])}" if name else prose("Before any table:")
    required = table.get("required", ())
    yield from (_key(k, v, k in required) for k, v in keys.items() if not is_keyword(v))
    words = [k for k, v in keys.items() if is_keyword(v)]
    if words:
        section, how = (
            ("multipath", "is set for this LUN") if name == "[[lun]]" else ("device", "overrides the preset's")
        )
        yield after(KEYWORDS.format(section=section, how=how, kind=kind_of(keys[words[0]])))
        yield f"{', '.join(bold(word) for word in words)}."
    for pattern in table.get("patternProperties", {}).values():
        yield after(f"A value is {kind_of(pattern)}; true is written Yes, false No.")


def _key(name: str, value: dict[str, Any], required: bool) -> str:
    default = f"default {toml(value['default'])}" if "default" in value else ""
    about = "; ".join(filter(None, (kind_of(value), "required" if required else default)))
    return item(f"{bold(name)} ({literal(about)})", prose(value["description"]))


def kind_of(value: dict[str, Any]) -> str:
    """The type and range of a value, in words."""
    if "const" in value:
        return toml(value["const"])
    if "enum" in value:
        *most, last = [toml(word) for word in value["enum"]]
        return f"{', '.join(most)} or {last}"
    if value["type"] == "array":
        many = value["items"]
        return f"list of {kind_of(many)}" if "enum" in many else "list of strings"
    low, high = value.get("minimum"), value.get("maximum")
    spoken = {"integer": "whole number", "number": "number", "string": "string", "boolean": "true or false"}
    if isinstance(value["type"], list):
        return "true, false, a whole number from 1 or a string"
    span = f", {low} to {high}" if low is not None else ""
    return spoken[value["type"]] + span


def toml(value: object) -> str:
    """Lists, strings, booleans and numbers are written in TOML as in JSON."""
    return json.dumps(value)
