"""No core file of root's: mpio and iscsiadm hold CHAP secrets in memory, and a core file keeps what it holds."""

from __future__ import annotations

import resource

_DUMPABLE = 4  # PR_SET_DUMPABLE of <linux/prctl.h>


def none() -> None:
    """From now on neither this process nor what it starts leaves one, whoever ends it and however.

    The limit is one byte, not none: with 0 the kernel still hands a core to a pattern that is a pipe, with 1 it gives
    neither file nor pipe anything (fs/coredump.c; core(5) has only that a pipe has no limit). Inherited, which what
    prctl(2) says is not: that is left for a process whose limit is 0 and may not be raised.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except (ValueError, OSError):
        import ctypes  # ten times what the limit costs

        ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)
