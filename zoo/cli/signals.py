"""Signals that end a command: what schedulers, containers and logouts send is heard like Ctrl-C.

An exception unwinds the command, so that a training is saved and nothing is left half written. The exit code
is 128 and the number of the signal: 143 after SIGTERM, 129 after SIGHUP, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import signal
from types import FrameType


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end.

    Attributes:
        number: which.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def hear_signals() -> None:
    """Let SIGTERM and SIGHUP end the command in order; one that is ignored, as under nohup, stays so."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def exit_code(error: BaseException) -> int:
    """What a command ends with that an interrupt has ended."""
    cause = error.__cause__ or error  # click raises an exception of its own from ours
    return 128 + (cause.number if isinstance(cause, Stopped) else signal.SIGINT)


def _stop(number: int, frame: FrameType | None) -> None:
    if number == getattr(signal, "SIGHUP", None):
        _forget_terminal()
    raise Stopped(number)


def _forget_terminal() -> None:
    """Let what is said from now on go nowhere, where it would go to a terminal that has gone."""
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"\r")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
