"""Run third-party code in isolation: attribute its errors to the plugin and restore global state.

Without this, a part that changes the default dtype or the working directory causes failures in other parts,
and one that calls `sys.exit(0)` makes a command look successful that has done nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from zoo.errors import PluginError, Problem, ZooError
from zoo.registry.quiet import redirections
from zoo.registry.sources import Source

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM") if hasattr(signal, name)
)

_Streams = tuple[list[tuple[TextIO | None, bool]], int]

_foreign: dict[Path, Source] = {}
"""Files and folders of third-party code that was loaded, with the plugin it belongs to."""


@dataclass(frozen=True)
class _GlobalState:
    """A piece of process-wide state.

    Attributes:
        name: the name in error messages.
        read: returns the current value.
        write: restores a value that was read.
        same: whether two values are equal.
        initial: the value at import, if known.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], None]
    same: Callable[[Any, Any], bool] = lambda before, after: bool(before == after)
    initial: Any = None


@contextmanager
def restoring_global_state() -> Iterator[list[str]]:
    """Restore global state that the block changes; the list then contains the names of what changed."""
    before = [(state, state.read()) for state in (*_PYTHON, *_torch())]
    had_torch, changed = "torch" in sys.modules, list[str]()
    try:
        yield changed
    finally:
        if not had_torch:
            # torch was imported in the block, so its state before the block is what it is at import.
            before += [(state, state.initial) for state in _torch() if state.initial is not None]
        for state, value in before:
            if not state.same(value, state.read()):
                state.write(value)
                changed.append(state.name)


@contextmanager
def guarded(doing: str, where: str, hint: str) -> Iterator[None]:
    """Attribute exceptions and side effects of third-party code in the block to its plugin.

    Args:
        doing: what the code does, such as `its forward`.
        where: the part and the plugin.
        hint: what the user can do about it.

    Raises:
        PluginError: the code raised an exception of any class, or changed global state. A KeyboardInterrupt
            and errors of the zoo are passed on unchanged.
    """
    try:
        with restoring_global_state() as changed:
            yield
    except (ZooError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginError(Problem(f"{doing} failed: {describe_error(error)}", where, hint)) from error
    if changed:
        raise PluginError(Problem(f"{doing} changes global state: {' and '.join(changed)}", where, hint))


def describe_error(error: BaseException) -> str:
    """The type and message of an exception and the line of third-party code that raised it, in one line."""
    what = " ".join(str(error).split())
    return f"{type(error).__name__}: {what}".rstrip(": ") + place(error)


def place(error: BaseException) -> str:
    """The innermost line of third-party code in a traceback, ` (mine.py, line 7)`; empty if there is none."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _owner(f.filename)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def remember(source: Source, file: str) -> None:
    """Register a file of third-party code, or the folder of a package, as belonging to a plugin."""
    if source.origin != "shipped" and file:
        path = Path(file).resolve()
        _foreign[path.parent if path.name == "__init__.py" else path] = source


def culprit(error: BaseException) -> Source | None:
    """The plugin whose code is innermost in the traceback of an error; None if there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    return next(filter(None, (_owner(frame.filename) for frame in reversed(frames))), None)


def _owner(filename: str) -> Source | None:
    path = Path(filename)
    return next((_foreign[parent] for parent in (path, *path.parents) if parent in _foreign), None)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - faster than Path.cwd(), and called at every call of a part
    except OSError:
        return None


def _return(folder: str | None) -> None:
    with suppress(OSError):
        os.chdir(folder or os.curdir)


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def _handle(handlers: list[Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in zip(SIGNALS, handlers, strict=True):
            if handler is not None:
                signal.signal(number, handler)


def _same_filters(before: list[Any], after: list[Any]) -> bool:
    """Whether all earlier filters remain and new ones are specific, as libraries add them on import."""
    added = [entry for entry in after if entry not in before]
    return before == after or (
        all(entry in after for entry in before) and not any(_is_broad(entry) for entry in added)
    )


def _is_broad(entry: Any) -> bool:
    action, message, category, module, _ = entry
    return action == "error" or (message is None and module is None and category is Warning)


def _filter(filters: list[Any]) -> None:
    warnings.resetwarnings()
    warnings.filters[:] = filters  # type: ignore[index]


def _streams() -> _Streams:
    """Each stream and whether it is closed, and the number of redirections by the zoo until now."""
    return [(stream, stream is None or stream.closed) for stream in (sys.stdout, sys.stderr)], redirections()


def _same_streams(before: _Streams, after: _Streams) -> bool:
    """Whether the streams are the same, or another thread has redirected them meanwhile."""
    return before[0] == after[0] or before[1] != after[1]


def _stream(streams: _Streams) -> None:
    """Restore the standard streams; one that was closed is reopened on its file descriptor."""
    restored: list[Any] = []
    for number, (stream, was_closed) in enumerate(streams[0], start=1):
        closed = stream is not None and stream.closed and not was_closed
        restored.append(
            os.fdopen(number, "w", errors="backslashreplace", closefd=False) if closed else stream
        )
    sys.stdout, sys.stderr = restored


_PYTHON = (
    _GlobalState("the working directory", _folder, _return),
    _GlobalState("the signal handlers", _handlers, _handle),
    _GlobalState("the warning filters", lambda: warnings.filters[:], _filter, _same_filters),
    _GlobalState("the standard streams", _streams, _stream, _same_streams),
)


def _torch() -> tuple[_GlobalState, ...]:
    """The global state of torch; empty before it is imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ()
    dtypes, grad = (torch.get_default_dtype, torch.set_default_dtype), torch.set_grad_enabled
    deterministic = (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms)
    return (
        _GlobalState("torch's default dtype", *dtypes, initial=torch.float32),
        _GlobalState("torch's gradient mode", torch.is_grad_enabled, grad, initial=True),
        _GlobalState("torch's deterministic mode", *deterministic, initial=False),
        _GlobalState("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
    )
