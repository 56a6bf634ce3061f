"""Voices that decide one frame freely: the step that generation repeats for every frame of a piece."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from zoo.parts.layers import LSTM
from zoo.parts.masks import never

Memories = tuple[Tensor, Tensor]


def speak(
    lstm: LSTM,
    outcomes: nn.Linear,
    features: Tensor,
    memories: Memories,
    generator: Generator,
    temperature: float,
) -> tuple[Tensor, Memories]:
    """What all voices decide in one frame in which any codes may come, (B, 2C) in {0, 1}, and their memories.

    All that the voices hear before the first of them decides is computed for all at once; what they hear of a
    decision is a row of the weights. A voice's outcome is where its log-probability less the log of an
    exponential random number is largest: as `torch.multinomial` draws it, without normalising.

    Args:
        lstm: of all voices, from F + 2C inputs.
        outcomes: from its hidden memory to the logits of the 2C outcomes.
        features: (B, F).
        memories: hidden and cell, (B, V, H) each.
        generator: of B * 2C random numbers for each voice in turn.
        temperature: divides the logits.
    """
    width = features.shape[-1]
    heard = linear(features, lstm.weight_ih_l0[:, :width], lstm.bias_ih_l0 + lstm.bias_hh_l0)
    gates = heard.unsqueeze(1) + memories[0] @ lstm.weight_hh_l0.T
    decisions, closing = lstm.weight_ih_l0[:, width:].T, _closing(outcomes)
    said, closed = torch.zeros_like(heard), closing.new_zeros(len(heard), len(closing))
    chosen, after = [], []
    for own, cell in zip(gates.unbind(1), memories[1].unbind(1), strict=True):
        memory = _lstm_cell(own + said, cell)
        logits = outcomes(memory[0]) / temperature
        noise = torch.empty_like(closed).exponential_(generator=generator).log()
        outcome = (logits + closed - noise).argmax(-1)
        said, closed = said + decisions[outcome], closed + closing[outcome]
        chosen.append(outcome)
        after.append(memory)
    hidden, cells = (torch.stack(memory, 1) for memory in zip(*after, strict=True))
    decided = heard.new_zeros(closed.shape)
    return decided.scatter_(-1, torch.stack(chosen, -1), 1.0), (hidden, cells)


def _closing(outcomes: nn.Linear) -> Tensor:
    """What each outcome adds to the logits of all, (2C, 2C): `never` for those of its pitch class.

    In single precision at least, as where a path is drawn.
    """
    dtype = torch.promote_types(outcomes.weight.dtype, torch.float32)
    same = torch.eye(outcomes.out_features // 2, dtype=dtype, device=outcomes.weight.device)
    return same.repeat(2, 2) * never(dtype)


def _lstm_cell(gates: Tensor, cell: Tensor) -> Memories:
    """Hidden and cell memory (B, H) from the sum of all that an LSTM's gates hear, (B, 4H)."""
    entering, keeping, candidate, leaving = gates.chunk(4, -1)
    cell = torch.addcmul(keeping.sigmoid() * cell, entering.sigmoid(), candidate.tanh())
    return leaving.sigmoid() * cell.tanh(), cell
