"""Signals that stop training are deferred to the end of a step, so that the run is saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that stop training: Ctrl-C, from schedulers and containers, and at logout."""


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Defer the signals of `ENDING` to the end of the block; a second Ctrl-C takes effect at once.

    Schedulers may send several signals, so that a second SIGTERM says nothing new.

    Yields a function that returns whether a signal was received. At the end of the block, the original
    handlers are restored and the deferred signal is raised again.

    Raises:
        KeyboardInterrupt: a signal was deferred, and its handler did not end the program.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if received.count(signal.SIGINT) > 1:
            # No handler is changed here: plugins are checked for changing handlers, and this runs in the
            # middle of a step.
            _handle(number, before[number], frame)

    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    # Ignored signals stay ignored, so that `nohup` works.
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


def _handle(number: int, handler: signal._HANDLER, frame: FrameType | None) -> None:
    """Handle a signal with a given handler."""
    if callable(handler):
        handler(number, frame)
    else:
        signal.signal(number, handler)
        signal.raise_signal(number)
