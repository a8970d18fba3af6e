from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpio import redact

SITE = """
format = 1
[san.chap]
username = "prague"
password_file = "/etc/mpio/chap"
[[watch.alert]]
on = ["failed"]
url = "mailto://joe:hunter2-mail@example.org?to=ops"
[[watch.alert]]
exec = [
  "/usr/local/sbin/page",
  "--token=abc]def-123",
  "sesame-open-1",
]
on = ["degraded"]
# url = "slack://TokenAAAA/TokenBBBB/TokenCCCC"
[[watch.alert]]
url_file = "/etc/mpio/alert-url"
"""


def test_what_a_site_file_names() -> None:
    named = redact.in_site(SITE)
    assert named.files == {"/etc/mpio/chap", "/etc/mpio/alert-url"}
    assert {"hunter2-mail", "abc]def-123", "sesame-open-1"} <= named.secrets
    assert "prague" not in named.secrets
    assert redact.in_site("format = ") == redact.Named()
    assert redact.in_site(f"format = \n{SITE}") == redact.Named(files=named.files)


def test_a_site_file_keeps_its_shape_and_loses_what_its_alerts_hold() -> None:
    shown = redact.site(SITE)
    for secret in ("hunter2", "abc]def", "sesame", "TokenA", "TokenC", "example.org"):
        assert secret not in shown
    assert 'url = "mailto://********"' in shown
    assert '# url = "slack://********"' in shown
    assert 'exec = ["/usr/local/sbin/page", "********"]\non = ["degraded"]' in shown
    assert 'url_file = "/etc/mpio/alert-url"' in shown
    assert 'password_file = "/etc/mpio/chap"' in shown


@pytest.mark.parametrize(
    "text",
    [
        'url = "mailto://joe:s3cret-word@x',
        'url = """\nmailto://joe:s3cret-word@x\n"""\non = []',
        "alert = [{url = 'json://s3cret-word@x', on = []}]",
        '"url"="x://s3cret-word"',
        'exec = ["/bin/x", "s3cret-word"',
        'exec = [\n  "/bin/x",\n  # why\n  "--a", "s3cret-word",',
        "exec = 's3cret-word'",
        'urls = ["slack://s3cret-word/x"]',
        "# or URI = slack://x/s3cret-word",
        'password = """\none\ns3cret-word\n"""',
        "alert = [{on = [], \"url\" = \"x://a/s3cret-word\"}, {url = '''x://s3cret-word'''}]",
        '"u\\u0072l" = "x://y/s3cret-word/z"',
    ],
)
def test_a_broken_site_file_tells_nothing_either(text: str) -> None:
    named = redact.in_site(text)
    assert "s3cret-word" not in redact.eraser(named.secrets)(redact.site(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("node.session.auth.password = two words \n", {"two words"}),
        ("# node.session.auth.password = password\n", set()),
        ("discovery.sendtargets.auth.password_in=x\nnode.session.auth.password = <empty>\n", {"x"}),
        ("node.session.auth.username = prague\n", set()),
    ],
)
def test_secrets_of_settings(text: str, found: set[str]) -> None:
    assert redact.in_settings(text) == found


SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=8, max_size=40)


@given(SECRETS, st.text("ab", max_size=3))
def test_a_secret_is_found_however_it_is_spelt(secret: str, before: str) -> None:
    erase = redact.eraser([secret])
    data = secret.encode()
    for spelt in (secret, json.dumps(secret), repr(secret), quote(secret, safe=""), data.hex(), data.hex().upper()):
        shown = erase(f"x {spelt} y")
        assert spelt.strip("\"'") not in shown
        assert shown.startswith("x ")
    coded = base64.b64encode(before.encode() + data + b"z" * 9).decode()
    inner = base64.b64encode(b"\0" * (len(before) % 3) + data).decode()[4:-6]
    if len(inner) > 4 and len(before) == len(before.encode()):
        assert inner not in erase(coded)


def test_a_secret_with_quotes_is_found_in_a_page_and_in_json() -> None:
    secret = """it's "ü" & more"""
    erase = redact.eraser([secret])
    for spelt in ("it&#39;s &#34;ü&#34; &amp; more", 'it\'s \\"ü\\" & more', 'it\'s \\"\\u00fc\\" & more'):
        assert erase(f"x {spelt} y") == "x ******** y"


def test_no_half_of_a_secret_stays() -> None:
    url = "mailto://joe:one@two-three@example.org/"
    assert redact.eraser(redact.of_url(url))(f"sent to {url}, by one@two-three.") == "sent to ********, by ********."
    assert redact.eraser([])("json://joe:one@two-three@example.org/") == "json://********@example.org/"
    assert "real" not in redact.eraser(["password"])("# node.session.auth.password = real\n")


def test_words_that_are_no_secret_stay() -> None:
    erase = redact.eraser(["pass", "geheim-geheim", "ab"])
    assert erase("bypass pass passes ab") == "bypass ******** passes ab"
    assert erase("mailto://joe:x@example.org/") == "mailto://********@example.org/"
    assert erase("password = geheim") == "password = ********"
    assert redact.eraser([])("iqn.2011-10.dom.prague:hydra") == "iqn.2011-10.dom.prague:hydra"


def test_what_a_url_s_keys_say_is_no_word_of_a_reason_however_short() -> None:
    url = "json://jo:p4%2B@api.example.org/x?key=k7&pin=12;q=a+b&=&none"
    erase = redact.eraser(redact.of_url(url), redact.words_of_url(url))
    assert erase("jo by p4+ (p4%2B): k7 is no key, pin 12, a b; k71, 120 and john stay") == (
        "******** by ******** (********): ******** is no key, pin ********, ********; k71, 120 and john stay"
    )
    assert redact.eraser(redact.of_url("json://host/x"), redact.words_of_url("json://host/x"))("host x") == "host x"


def test_a_password_is_known_as_its_service_says_it_too() -> None:
    erase = redact.eraser(redact.of_url("mailto://joe:p%40ss%3Aword@example.org"))
    assert erase("login with p@ss:word, p%40ss%3Aword failed") == "login with ********, ******** failed"
    assert redact.shown("slack://TokenAAAA/TokenBBBB") == "slack://********"
