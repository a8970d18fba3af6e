"""A reader in a guest: what those who use the LUNs see while something is done to their paths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from vm.hosts import ALIASES, Prague

MAPS = tuple(f"/dev/mapper/{name}" for name in ALIASES.values())
# Reads every device past the page cache until it is told to stop, and says how long the longest read took.
READER = """
import json, mmap, os, sys, threading, time
said = {}
def read(name):
    fd, buffer = os.open(name, os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
    one = said[name] = {"reads": 0, "errors": [], "longest": 0.0}
    while not os.path.exists("/run/reader-stop"):
        begin = time.monotonic()
        try:
            os.preadv(fd, [buffer], one["reads"] % 1024 * 4096)
        except OSError as error:
            one["errors"].append(str(error))
        one["reads"] += 1
        one["longest"] = max(one["longest"], time.monotonic() - begin)
        time.sleep(0.01)
threads = [threading.Thread(target=read, args=(name,)) for name in sys.argv[1:]]
for thread in threads: thread.start()
open("/run/reader-on", "w").close()
for thread in threads: thread.join()
with open("/run/reader-new", "w") as file: json.dump(said, file)
os.rename("/run/reader-new", "/run/reader-said")
"""


def begins(host: Prague, devices: Sequence[str] = MAPS) -> None:
    host.put("/root/reader.py", READER)
    host.sh("rm -f /run/reader-*; systemctl reset-failed reader 2>/dev/null || true")
    host.sh(f"systemd-run -q --unit reader python3 /root/reader.py {' '.join(devices)}")
    host.until("test -e /run/reader-on")


def ends(host: Prague, devices: Sequence[str] = MAPS) -> dict[str, Any]:
    """What it saw of each device; no read may have failed."""
    host.sh("touch /run/reader-stop")
    host.until("test -e /run/reader-said")
    said: dict[str, Any] = json.loads(host.text("/run/reader-said"))
    assert said.keys() == set(devices)
    assert {name: one["errors"] for name, one in said.items()} == {name: [] for name in said}, said
    assert all(one["reads"] > 10 for one in said.values()), said
    return said
