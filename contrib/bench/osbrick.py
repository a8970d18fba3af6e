"""Connects volumes as Nova does, with os-brick: runs in the guest, without mpio.

    osbrick.py VOLUMES     a JSON list of connections, as Cinder hands them out

One `connect_volume` after the other in one process, as root and without os-brick's privilege daemon, which spares it
that daemon's start. Its packages are in lib/ beside this file.
"""

import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "lib"))

import os_brick  # noqa: E402
from os_brick import privileged  # noqa: E402
from os_brick.initiator import connector  # noqa: E402
from oslo_concurrency import lockutils  # noqa: E402
from oslo_config import cfg  # noqa: E402


def main() -> int:
    volumes = json.loads(Path(sys.argv[1]).read_text())
    locks = HERE / "locks"
    locks.mkdir(exist_ok=True)
    lockutils.set_defaults(str(locks))
    cfg.CONF([], project="bench")
    os_brick.setup(cfg.CONF)
    for context in (privileged.default, privileged.brick_privsep_hide_output):
        context.set_client_mode(False)
    begin = time.monotonic()
    iscsi = connector.InitiatorConnector.factory("ISCSI", None, use_multipath=True)
    for volume in volumes:
        got = iscsi.connect_volume(volume)
        sys.stdout.write(f"{time.monotonic() - begin:.1f} {got}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
