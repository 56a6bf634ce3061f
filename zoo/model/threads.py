"""How many threads torch computes with, chosen by the size of a model.

torch takes every core. A frame of a small recurrent network is less work than waking a second thread, so
that costs more than it gives, and much more where other programs want the cores too.
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
"""Environment variables that set the number of threads of any program that computes with OpenMP or MKL."""
LARGE = 16_000_000
"""Parameters from which more threads than one are worth it.

Measured on two cores, with batches of 8 to 64 fragments: two threads trained the baseline (0.3 million
parameters) at 0.24 to 0.3 times the rate of one, models of 2 and 8 million at 0.8 to 1.3 times, without a
trend, and one of 33 million in batches of 32 at 1.05 to 1.3 times.
"""

_INHERITED = torch.get_num_threads()


def chosen_threads(model: Model, wanted: Threads = "auto") -> int:
    """The number of threads to compute with.

    Args:
        model: what is computed.
        wanted: a number; or `auto`, which is one thread for a model of fewer than `LARGE` parameters on the
            CPU, and torch's number otherwise. A number that was set through the environment (`VARIABLES`)
            or `torch.set_num_threads` is kept.
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
    """Compute with the chosen number of threads, which is yielded; afterwards torch has its own again."""
    before, count = torch.get_num_threads(), chosen_threads(model, wanted)
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)
