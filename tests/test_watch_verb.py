"""`mpio watch` through its real entry: what it refuses before it looks at anything."""

from __future__ import annotations

import json

import pytest

from mpio import cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "json"], "a stream: --output takes jsonl"),
        (["--test-alert", "-o", "jsonl"], "no stream: --output takes json"),
        (["--test-alert", "--event"], "do not go together"),
        (["--install", "--listen", "127.0.0.1:9100"], "do not go together"),
        (["--listen", "everywhere"], ""),
        (["--listen", "192.0.2.1:70000"], ""),
    ],
)
def test_what_cannot_be_meant(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", *words]) == 2
    out, err = capfd.readouterr()
    whole = out + err
    assert said in whole
    assert "Traceback" not in whole
    if "-o" in words:
        assert json.loads(out)["error"]["hint"]


def test_an_address_that_is_taken_is_told_before_anything_else(capfd: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli.main(["watch", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"]) == 1
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 2), err
