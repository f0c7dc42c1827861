"""``kill`` ends a command as Ctrl-C does: worker processes end, half-written files go."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

TERMINATED = 128 + signal.SIGTERM


@contextmanager
def terminable() -> Iterator[list[int]]:
    """Make of SIGTERM an interrupt within the block; the list given holds those that came.

    Not under torchrun: a rank may wait for one that is gone in a call that no exception ends, and
    torchrun would wait with it.
    """
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        if callable(signal.getsignal(signal.SIGINT)):  # a pool's own, which loses none
            signal.raise_signal(signal.SIGINT)
        else:  # Ctrl-C is ignored, as a shell's '&' has it
            raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not usual or current_thread() is not main_thread() or "TORCHELASTIC_RUN_ID" in os.environ:
        yield came
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
