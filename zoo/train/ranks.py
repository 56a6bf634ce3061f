"""Data-parallel training: the processes that train a model together, started by torchrun.

Every rank has the same model and computes the gradient of its own batches of a step. Gradients are summed
over all ranks, so every rank takes the same step. Only the first rank counts, validates and writes; its
results are copied to the others. A single process is the first of one rank and sends nothing. It does not
import torch here, so that the error for a locked run folder is immediate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from zoo.errors import Problem, ZooError

if TYPE_CHECKING:
    from torch import nn

PATIENCE = timedelta(hours=1)
"""Maximum time to wait for other ranks, such as for the first to read the music. A rank that was killed is
detected immediately."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """The rank of this process and the number of ranks.

    Attributes:
        number: number of this rank, from 0.
        count: number of ranks.
    """

    number: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that counts, validates and writes."""
        return self.number == 0

    def total(self, *numbers: float) -> list[float]:
        """The sum of each number over all ranks."""
        if self.count == 1:
            return list(numbers)
        import torch
        import torch.distributed as dist

        totals = torch.tensor(numbers, dtype=torch.float64)
        with _together():
            dist.all_reduce(totals)
        return [float(number) for number in totals]

    def any(self, holds: bool) -> bool:
        """Whether a condition holds on at least one rank."""
        return self.total(holds)[0] > 0

    def copy(self, value: Value) -> Value:
        """Copy a value from the first rank to all others; returns it."""
        if self.count == 1:
            return value
        import torch
        import torch.distributed as dist

        values = [value]
        with _together():
            dist.broadcast_object_list(values, device=torch.device("cpu"))
        return values[0]

    @contextmanager
    def first_ahead(self) -> Iterator[None]:
        """Run the block on the first rank before the others, which can then use the files that it wrote."""
        if not self.is_first:
            self.total(0)
        yield
        if self.is_first:
            self.total(0)

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all ranks; None if no rank has it."""
        if self.count == 1 or not parameters:
            return
        import torch
        import torch.distributed as dist

        given = torch.tensor([parameter.grad is not None for parameter in parameters])
        gradients = (p.new_zeros(p.shape) if p.grad is None else p.grad for p in parameters)
        flat = torch.cat([given.to(parameters[0]), *(gradient.flatten() for gradient in gradients)])
        with _together():
            dist.all_reduce(flat)
        sizes = [len(parameters), *(parameter.numel() for parameter in parameters)]
        ranks, *sums = torch.split(flat, sizes)
        for parameter, total, count in zip(parameters, sums, ranks.tolist(), strict=True):
            parameter.grad = total.view_as(parameter) if count else None

    def copy_buffers(self, model: nn.Module) -> None:
        """Copy the buffers of the first rank to all others, such as the particles of an RBM."""
        if self.count == 1:
            return
        import torch.distributed as dist

        with _together():
            for tensor in model.state_dict(keep_vars=True).values():
                if not tensor.requires_grad:
                    dist.broadcast(tensor, 0)


ALONE = Ranks()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the ranks that torchrun started inside the block; a single rank without torchrun.

    Tensors on a GPU are exchanged by NCCL, all others by Gloo. Each rank of a machine uses its own GPU.

    Raises:
        ZooError: another rank has ended or cannot be reached.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ALONE
        return
    import torch
    import torch.distributed as dist

    # Imported before the group exists, or the defaults of its functions would keep the group and its threads
    # alive, and a thread that waits for the GIL during interpreter shutdown aborts the process.
    import torch.distributed.nn

    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with _together():
        dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo", timeout=PATIENCE)
    ranks = Ranks(dist.get_rank(), dist.get_world_size())
    try:
        yield ranks
        # Together, since Gloo may abort a rank that leaves while another is connected; after an error this
        # could wait for ranks that have ended.
        ranks.total(0)
    finally:
        dist.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    """Convert errors of torch about sockets to the error that another rank has ended."""
    try:
        yield
    except RuntimeError as error:
        what = "another rank has ended or cannot be reached"
        hint = "its own error comes first; the same command with --resume continues from the last checkpoint"
        raise ZooError(Problem(what, f"rank {os.environ.get('RANK', '')}".strip(), hint)) from error
