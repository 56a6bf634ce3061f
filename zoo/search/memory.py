"""A lack of memory in a trial: whether an error is one, and freeing what the training held."""

from __future__ import annotations

import gc

import torch

ON_CPU = "DefaultCPUAllocator"
"""Is in the message of torch's error for memory that the processor lacks, which has no class of its own."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or that of a part that it reports, is a lack of memory."""
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or ON_CPU in str(error):
            return True
        error = error.__cause__
    return False


def free_memory() -> None:
    """Free what a training held that has ended, also for other processes."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
