"""Foreign code under guard: it answers for what it raises, and what it changes for all code is put back.

Otherwise a part that sets another default dtype or leaves for another folder gets a later part blamed, and
one that ends the program makes a command end well that has done nothing.
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
from zoo.registry.sources import Source

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM") if hasattr(signal, name)
)

_foreign: dict[Path, Source] = {}
"""Files and folders of foreign code that was loaded, with the plugin it belongs to."""


@dataclass(frozen=True)
class _Shared:
    """Something that all code of a process shares.

    Attributes:
        what: what it is called.
        read: how it stands.
        write: puts it back to what was read.
        same: whether two readings are alike.
        fresh: what is read where nothing has changed it, if that is known.
    """

    what: str
    read: Callable[[], Any]
    write: Callable[[Any], None]
    same: Callable[[Any, Any], bool] = lambda before, after: bool(before == after)
    fresh: Any = None


@contextmanager
def put_back() -> Iterator[list[str]]:
    """Put back what the block changes for all code; the list then names it."""
    before = [(state, state.read()) for state in (*_PYTHON, *_torch())]
    had_torch, changed = "torch" in sys.modules, list[str]()
    try:
        yield changed
    finally:
        if not had_torch:
            before += [(state, state.fresh) for state in _torch() if state.fresh is not None]
        for state, value in before:
            if not state.same(value, state.read()):
                state.write(value)
                changed.append(state.what)


@contextmanager
def guarded(doing: str, where: str, cure: str) -> Iterator[None]:
    """Let foreign code answer for what it does in the block.

    Args:
        doing: what is done, such as `its forward`.
        where: which part of which plugin does it.
        cure: what the user can do about it.

    Raises:
        PluginError: it raised something, of whatever class, or changed what all code shares. An interrupt and
            the errors of the zoo pass.
    """
    try:
        with put_back() as changed:
            yield
    except (ZooError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginError(Problem(f"{doing} failed: {told(error)}", where, cure)) from error
    if changed:
        raise PluginError(Problem(f"{doing} changes {' and '.join(changed)} for all code", where, cure))


def told(error: BaseException) -> str:
    """What was raised and where, in one line."""
    what = " ".join(str(error).split())
    return f"{type(error).__name__}: {what}".rstrip(": ") + place(error)


def place(error: BaseException) -> str:
    """The innermost line of foreign code behind an error, ` (mine.py, line 7)`; empty where there is none."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _owner(f.filename)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def remember(source: Source, file: str) -> None:
    """Keep in mind that foreign code in a file, or in the folder of a package, belongs to a plugin."""
    if source.origin != "shipped" and file:
        path = Path(file).resolve()
        _foreign[path.parent if path.name == "__init__.py" else path] = source


def culprit(error: BaseException) -> Source | None:
    """The plugin whose code is innermost in the trace of an error; None where none is."""
    frames = traceback.extract_tb(error.__traceback__)
    return next(filter(None, (_owner(frame.filename) for frame in reversed(frames))), None)


def _owner(filename: str) -> Source | None:
    path = Path(filename)
    return next((found for one in (path, *path.parents) if (found := _foreign.get(one))), None)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - asked at every call of a foreign part
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
    """Whether all earlier filters stand, and new ones are of single warnings only, as libraries add them."""
    return before == after or (
        all(one in after for one in before) and not any(_is_broad(one) for one in after if one not in before)
    )


def _is_broad(one: Any) -> bool:
    action, message, category, module, _ = one
    return action == "error" or (message is None and module is None and category is Warning)


def _filter(filters: list[Any]) -> None:
    warnings.resetwarnings()
    warnings.filters[:] = filters  # type: ignore[index]


def _streams() -> tuple[Any, ...]:
    return tuple((stream, stream is None or stream.closed) for stream in (sys.stdout, sys.stderr))


def _stream(streams: tuple[tuple[TextIO | None, bool], ...]) -> None:
    """Put the streams back; one that was closed is opened once more, since its descriptor is still there."""
    found: list[Any] = []
    for number, (stream, was_closed) in enumerate(streams, start=1):
        closed = stream is not None and stream.closed and not was_closed
        found.append(os.fdopen(number, "w", errors="backslashreplace", closefd=False) if closed else stream)
    sys.stdout, sys.stderr = found


_PYTHON = (
    _Shared("the working folder", _folder, _return),
    _Shared("the handlers of signals", _handlers, _handle),
    _Shared("the filters of warnings", lambda: warnings.filters[:], _filter, _same_filters),
    _Shared("the standard streams", _streams, _stream),
)


def _torch() -> tuple[_Shared, ...]:
    """What torch shares; nothing before it is imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ()
    dtypes, grad = (torch.get_default_dtype, torch.set_default_dtype), torch.set_grad_enabled
    orderly = (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms)
    return (
        _Shared("torch's default dtype", *dtypes, fresh=torch.float32),
        _Shared("torch's gradient mode", torch.is_grad_enabled, grad, fresh=True),
        _Shared("torch's choice of deterministic algorithms", *orderly, fresh=False),
        _Shared("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
    )
