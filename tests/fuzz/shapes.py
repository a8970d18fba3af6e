"""Large texts that have made parsers slow before: each shape gives about as many bytes as it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

Shape = Callable[[int], bytes]

RUNS = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"(",
        b'"',
        b"'",
        b"\\",
        b"#",
        b"=",
        b":",
        b",",
        b"/",
        b".",
        b"-",
        b" ",
        b"\t",
        b"\n",
        b"\r",
    ),
    *(
        b"\0",
        b"a",
        b"1",
        b"\xff",
        b"\xe2\x80\xa8",
        b"[[",
        b"{\n",
        b"a {\n",
        b"a {\n\ta 1\n}\n",
        b'{"a":',
        b'"a" ',
        b'\\"',
        b'"\n',
    ),
    *(
        b" \n",
        b"\r\n",
        b"a-",
        b"a.",
        b"a ",
        b"1 ",
        b"a\n",
        b"1\n",
        b"a=",
        b"a = 1\n",
        b"a = ",
        b"a: ",
        b"x://",
        b"x://a@",
        b"://",
    ),
    *(
        b"password=",
        b"password ",
        b"password = a\n",
        b"url = ",
        b'url = """',
        b"exec = [",
        b"exec =\n\n",
        b"a.a.a = 1\n",
    ),
    *(
        b"[[lun]]\n",
        b"[a]\n",
        b"# BEGIN RECORD\n",
        b"==> /x <==\n",
        b" line 1",
        b" on line 1 of /",
        b"/x line 1, ",
        b"Target: a\n",
    ),
    *(
        b"Id=a\n\n",
        b"0 1 multipath ",
        b"A 0 ",
        b"-1 ",
        b'\n"a" : "',
        b"\n   ",
        b"a\tb\tc\n",
        b"1 1 1:1 / / a - b c ",
        b"\\u0000",
    ),
)
# what stands before a run: much of it is only reached behind the begin of something
BEGINS = (
    *(
        b'url = "',
        b"exec = [",
        b"password = x",
        b'{"maps":[',
        b"a = ",
        b'a = """',
        b"/x line ",
        b'"a" : ',
        b"devices {\n",
        b"x://",
    ),
    *(
        b"Target: ",
        b"[1",
        b"1.2 | /",
        b"iscsiadm: Could not login to [iface: ",
        b"lun = [",
        b"InitiatorName",
        b"Package: open-iscsi\n",
    ),
)
FILLS = (b" ", b"\t", b"\n", b"\r", b"a", b"1", b'"', b"[", b"{", b"\\", b"a ", b" a", b"a,", b"\n ")


def run(one: bytes, size: int) -> bytes:
    return (one * (size // len(one) + 1))[:size]


def behind(begin: bytes, one: bytes, end: bytes, size: int) -> bytes:
    return begin + run(one, size) + end


def numbered(line: str, around: tuple[str, str], size: int) -> bytes:
    """As many different keys as fit."""
    count = size // (len(line.format(1_000_000)) or 1)
    return (around[0] + "".join(line.format(number) for number in range(count)) + around[1]).encode()


NUMBERED = (
    ("k{} = v\n", ("", "")),
    ('"k{}" : 1,\n', ("{", '"z":1}')),
    ("[k{}]\n", ("", "")),
    ("\tdevice {{\n\t\tvendor A\n\t\tproduct B\n\t\tk{} 1\n\t}}\n", ("devices {\n", "}\n")),
    ("\tmultipath {{\n\t\twwid A\n\t\tk{} 1\n\t}}\n", ("multipaths {\n", "}\n")),
    ("k{} {{\n}}\n", ("", "")),
    ("# BEGIN RECORD\nk{} = 1\n# END RECORD\n", ("", "")),
    ('[[lun]]\nwwid = "3600144f0f484400000004e86{:08x}"\n', ('format = 1\n[[iface]]\nname="a"\nnic="b"\n', "")),
    ("a{}=1\n", ("", "")),
    ("10.{}.1.1:3260,1 iqn.x\n", ("", "")),
)


def every(corpus: tuple[bytes, ...]) -> Iterator[tuple[str, Shape]]:
    """The shapes for a reader of this corpus, each with a name that tells it again."""
    for one in RUNS:
        yield f"run {one!r}", partial(run, one)
    for line, around in NUMBERED:
        yield f"numbered {line!r}", partial(numbered, line, around)
    for begin in BEGINS:
        for one in FILLS:
            yield f"behind {begin!r} {one!r}", partial(behind, begin, one, b"")
    for number, item in enumerate(corpus[:3]):
        yield f"corpus {number} again and again", partial(run, item if item.endswith(b"\n") else item + b"\n")
        for cut in (0, len(item) // 2, len(item) - 2):
            for one in FILLS:
                yield (
                    f"corpus {number} cut at {cut}, then {one!r}",
                    partial(behind, item[: max(cut, 0)], one, item[max(cut, 0) :]),
                )
    for longest in sorted({line for item in corpus[:6] for line in item.split(b"\n")}, key=len)[-12:]:
        yield f"line {longest[:40]!r}", partial(run, longest + b"\n")
