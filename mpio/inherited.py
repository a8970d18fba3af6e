"""What a process has from whoever started it: descriptors, signals and the umask, set right before anything is done."""

from __future__ import annotations

import contextlib
import os
import signal


def set_right() -> None:
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            # Else the next file that is opened becomes the output and gets what is printed: it takes the lowest number.
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    # Ignored, the kernel takes the exit codes of children away (wait(2)); blocked, nobody could end us but by SIGKILL.
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Files of ours have modes of their own; programs make theirs by this.
    with contextlib.suppress(OSError):  # a unit's filter may know better
        os.umask(os.umask(0o077) & 0o077 | 0o022)
