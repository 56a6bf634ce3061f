"""The number of torch threads, chosen by the size of the model.

By default torch uses every core. For a small recurrent network, a frame is less work than waking a second
thread, so more threads make it slower, and much slower if other programs use the cores as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from zoo.model.model import Model

Threads = Literal["auto"] | int

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that set the number of threads of programs that use OpenMP or MKL."""
LARGE = 16_000_000
"""Number of parameters from which several threads are worth using.

Measured on two cores, with batches of 8 to 64 fragments: two threads trained the baseline (0.3 million
parameters) at 0.24 to 0.3 times the speed of one thread, models of 2 and 8 million parameters at 0.8 to 1.3
times, without a trend, and a model of 33 million in batches of 32 at 1.05 to 1.3 times.
"""

_INHERITED = torch.get_num_threads()


def chosen_threads(model: Model, wanted: Threads = "auto") -> int:
    """The number of threads to use.

    Args:
        model: the model to run.
        wanted: a number, or `auto`: one thread for a model of fewer than `LARGE` parameters on the CPU,
            torch's number otherwise. A number that was set in the environment (`VARIABLES`) or with
            `torch.set_num_threads` takes precedence over `auto`.
    """
    if wanted != "auto":
        return wanted
    given = torch.get_num_threads()
    if model.device.type != "cpu" or given != _INHERITED or any(os.environ.get(name) for name in VARIABLES):
        return given
    size = sum(parameter.numel() for parameter in model.parameters())
    return given if size >= LARGE else 1


@contextmanager
def computing(model: Model, wanted: Threads = "auto") -> Iterator[int]:
    """Use the chosen number of threads in the block; yields the number, and restores torch's afterwards."""
    before, count = torch.get_num_threads(), chosen_threads(model, wanted)
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)
