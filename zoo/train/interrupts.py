"""Signals that ask training to end: handled between two steps, so that the run is saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that ask a training to end: Ctrl-C, schedulers and containers, logouts."""


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Defer the first signal that asks to end until the end of the block; a second one acts at once.

    Yields a function that returns whether there was one. At the end of the block the signal is raised again.

    Raises:
        KeyboardInterrupt: a signal was deferred, and did not end the program by itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            # No handler is set here: the code of a plugin may be running, and would be blamed for it.
            _act(number, before[number], frame)

    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    before = {n: handler for n in numbers if (handler := signal.getsignal(n)) not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, receive)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])
        raise KeyboardInterrupt


def _act(number: int, handler: signal._HANDLER, frame: FrameType | None) -> None:
    """Do what a handler does about a signal."""
    if callable(handler):
        handler(number, frame)
    else:
        signal.signal(number, handler)
        signal.raise_signal(number)
