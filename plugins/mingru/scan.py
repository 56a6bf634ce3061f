"""Gated averages of whole sequences: h_t = (1 - z_t) h_{t-1} + z_t n_t, in about 2 sqrt(T) steps.

The frames are cut into sqrt(T) chunks. All chunks run in parallel, each from a zero state; the true initial
states are then passed from chunk to chunk and added. There is no division, so unlike the cumulative sums of
Feng et al. (2024) this needs no logarithms, which on a CPU cost as much as the LSTM that they replace.
Products of gates can only shrink, and where one underflows to 0 the unit has forgotten.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad


def gated_average(inputs: Tensor, before: Tensor) -> Tensor:
    """The averages h (B, T, H).

    Args:
        inputs: (B, T, 2H), the logits of the gates z followed by the candidates n.
        before: h before the first frame, (B, H).
    """
    return _GatedAverage.apply(inputs, before)  # type: ignore[no-any-return, no-untyped-call]


class _GatedAverage(torch.autograd.Function):
    """The gradient is the same recurrence from the last frame to the first, computed by another scan."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, before: Tensor) -> Tensor:
        gate, candidate = inputs.chunk(2, -1)
        opened = gate.sigmoid()
        average = opened * candidate
        average[:, 0].addcmul_(1 - opened[:, 0], before)
        average = _scan_(1 - opened, average)
        ctx.save_for_backward(inputs, opened, before, average)
        return average

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_average: Tensor) -> tuple[Tensor, Tensor]:
        inputs, opened, before, average = ctx.saved_tensors
        candidate = inputs.chunk(2, -1)[1]
        kept_by_next = pad(1 - opened[:, 1:].flip(1), (0, 0, 1, 0))
        d_average = _scan_(kept_by_next, d_average.flip(1)).flip(1)
        d_inputs = torch.empty_like(inputs)
        d_gate, d_candidate = d_inputs.chunk(2, -1)
        torch.mul(d_average, opened, out=d_candidate)
        change = candidate - torch.cat([before.unsqueeze(1), average[:, :-1]], 1)
        torch.mul(d_candidate, change, out=d_gate)
        d_gate.mul_(1 - opened)
        return d_inputs, d_average[:, 0] * (1 - opened[:, 0])


def _scan_(keep: Tensor, values: Tensor) -> Tensor:
    """h_t = keep_t h_{t-1} + values_t for each t > 0, (B, T, H); both arguments are overwritten."""
    batch, length, width = values.shape
    chunk = math.isqrt(length)
    count = -(-length // chunk)
    if chunk * count > length:
        keep, values = (pad(plane, (0, 0, 0, chunk * count - length)) for plane in (keep, values))
    keep, values = (plane.view(batch, count, chunk, width) for plane in (keep, values))
    for step in range(1, chunk):
        values[:, :, step].addcmul_(keep[:, :, step], values[:, :, step - 1])
        keep[:, :, step].mul_(keep[:, :, step - 1])
    for number in range(1, count):
        values[:, number].addcmul_(keep[:, number], values[:, number - 1, -1:])
    return values.view(batch, -1, width)[:, :length]
