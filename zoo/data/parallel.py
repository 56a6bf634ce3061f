"""Call a function in parallel processes, one on each core, with the results in the order of the inputs.

`multiprocessing` is not used because it would either run the caller's script again (spawn) or copy a process
with running threads (fork). A process of this module receives a function and its arguments on standard input,
and writes the result to standard output, both pickled. It exits when its input ends, so also when the process
that started it is killed.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from zoo.errors import DataError, Problem

FEWEST = 32
"""Inputs for which a process is worth its start, which takes about as long as reading 20 MIDI files."""
AHEAD = 4
"""Results for each process that may wait for an earlier one."""
Process = subprocess.Popen[bytes]
Result = TypeVar("Result")


def in_parallel(
    function: Callable[..., Result], inputs: Iterable[tuple[Any, ...]], size: int
) -> Iterator[Result]:
    """The results of a function for each tuple of arguments, in their order.

    Args:
        function: a function of a module, whose results can be pickled.
        inputs: the arguments of each call, of which the first names it in errors.
        size: about how many inputs there are; with few of them, no process is started.

    Raises:
        DataError: a process was killed.
    """
    count = min(_cores(), size // FEWEST)
    if count < 2:
        yield from (function(*arguments) for arguments in inputs)
        return
    with _pool(count) as call:
        waiting: deque[Future[Result]] = deque()
        for arguments in inputs:
            waiting.append(call(function, arguments))
            if len(waiting) > AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _pool(count: int) -> Iterator[Callable[..., Future[Any]]]:
    """Start processes, and yield a function that calls another in one of them; they are killed at the end."""
    idle: SimpleQueue[Process] = SimpleQueue()
    processes = [_start() for _ in range(count)]
    for process in processes:
        idle.put(process)

    def call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        process = idle.get()
        try:
            return _call(process, function, arguments)
        finally:
            idle.put(process)

    threads = ThreadPoolExecutor(count)
    try:
        yield lambda function, arguments: threads.submit(call, function, arguments)
    finally:
        for process in processes:
            process.kill()
        threads.shutdown(cancel_futures=True)
        for process in processes:
            with suppress(OSError), process:
                pass


def _start() -> Process:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", "from zoo.data.parallel import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _call(process: Process, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pickle.dump((function, arguments), process.stdin)
        process.stdin.flush()
        result, error = pickle.load(process.stdout)
    except (OSError, EOFError, pickle.UnpicklingError) as broken:
        what = "the process that was reading this was killed"
        hint = "free some memory and repeat the command, or move the file to another folder"
        raise DataError(Problem(what, str(arguments[0]), hint)) from broken
    if error is not None:
        raise error
    return result


def main() -> None:
    """Answer calls on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the caller too, which ends this process
    with suppress(BrokenPipeError), os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a library prints goes to standard error
        while True:
            try:
                function, arguments = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            answer: tuple[Any, Exception | None]
            try:
                answer = function(*arguments), None
            except Exception as error:
                answer = None, error
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
