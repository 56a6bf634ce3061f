"""Signals that end a command: those of schedulers, containers and logouts are handled like Ctrl-C.

They raise an exception, so that a training is saved and no file is left half-written. The exit code is 128
plus the number of the signal: 143 after SIGTERM, 129 after SIGHUP, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import threading
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
    """Let SIGTERM and SIGHUP raise `Stopped`; a signal that is ignored, as under nohup, stays ignored."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def exit_code(error: BaseException) -> int:
    """The exit code of a command that was interrupted."""
    cause = error.__cause__ or error  # click wraps the exception
    return 128 + (cause.number if isinstance(cause, Stopped) else signal.SIGINT)


def leave_signals() -> None:
    """Ignore signals from now on, since the command has ended and all is written.

    If a part or a library has left a thread, for which Python waits, signals end the process.
    """
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    if any(not thread.daemon for thread in others):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
    else:
        _ignore("SIGINT", "SIGTERM", "SIGHUP")


def _ignore(*names: str) -> None:
    for name in names:
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> None:
    # Schedulers may send several; another one must not interrupt what is done after the first. It may be
    # pending already, and Python prints an error if its handler has become SIG_IGN meanwhile.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _do_nothing)
    if number == getattr(signal, "SIGHUP", None):
        _forget_terminal()
    raise Stopped(number)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Handle a signal that says nothing new."""


def _forget_terminal() -> None:
    """Discard further output to a terminal that has been closed."""
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"\r")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
