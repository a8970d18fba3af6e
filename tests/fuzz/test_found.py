"""What fuzzing has found beside single readers: the next step fell over, or took longer than anybody waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from of_host import Shown
from whole_host import READERS, named_by_host

from mpio import recording, redact, serve, sitetoml
from mpio.commands import verify
from mpio.host import Host, Map, Portal
from mpio.metrics import samples
from mpio.tools import multipath, multipathconf, sysfs
from mpio.topology import luns


def seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def test_a_session_that_is_down_and_was_made_by_name_is_shown() -> None:
    """sysfs has no address then but the name, which no record of mpio's holds: views and reports asked its version."""
    read = Shown(recording.tree(named_by_host()))
    assert Portal("san.example.org", 3260) in {s.pair.portal for s in sysfs.sessions(read, {})}
    (host,) = READERS
    assert host(f"sane sysfs\n{named_by_host()}".encode())


def test_names_that_are_no_text_are_exported() -> None:
    seen = Host(maps=(Map("a\udcff", "3600\ud800", "dm-0", None, suspended=False, slaves=()),))
    assert "a\\\\udcff" in serve.text(samples(seen, luns(None, seen, None), 1.0))


def test_a_site_file_that_looks_for_trouble_is_refused_at_once() -> None:
    for text in ("a." * 20_000 + "a = 1", "[" * 100_000, "a = " + "[" * 1500, "a = 1\n" * 200_000):
        with pytest.raises(ValueError, match=r"long|larger|nested|TOML|Expected|Invalid|overwrite"):
            sitetoml.loads(text)
        assert seconds(lambda text=text: verify.names_in(text)) < 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 500_000,
        "password = x" + " " * 1_000_000 + "y",
        "exec = [" + "\n" * 1_000_000,
        "x://" * 250_000,
        "url" + " " * 1_000_000,
    ],
)
def test_secrets_are_removed_in_time(text: str) -> None:
    assert seconds(lambda: (redact.site(text), redact.eraser(["verysecret"])(text), redact.in_settings(text))) < 5


def test_secrets_are_removed_as_before() -> None:
    said = 'url = "slack://TokenA/TokenB"\n[x]\nother = "mailto://me:pw@host"\n'
    said += 'exec = ["/bin/page",\n\n "--key"]\nformat = 1\n'
    left = redact.site(said)
    assert not [word for word in ("Token", "pw", "--key") if word in left]
    assert "/bin/page" in left
    assert "format = 1" in left
    assert redact.eraser(())("see http+x://user:pw@host/p") == "see http+x://********@host/p"
    assert redact.in_settings("password = two words \t\n") == {"two words"}


def test_many_sections_of_one_name_are_merged_in_time() -> None:
    section = "\tdevice {{\n\t\tvendor A\n\t\tproduct B\n\t\tk{} 1\n\t}}\n"
    text = "devices {\n" + "".join(section.format(number) for number in range(8_000)) + "}\n"
    assert seconds(lambda: multipath.effective(text)) < 10
    (device,) = multipathconf.devices(multipathconf.parse(text))
    assert len(device.values) == 8_002
    blocks = "blacklist {\n\tdevnode a\n}\n" * 20_000 + "defaults {\n\tprio alua\n}\n"
    assert seconds(lambda: multipath.effective(blocks)) < 10


def test_complaints_without_end_are_read_in_time() -> None:
    assert seconds(lambda: multipath.parse_warnings("1" * 1_000_000)) < 2
