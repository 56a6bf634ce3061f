"""Voices that decide one frame without constraints: the step that generation repeats for every frame."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from zoo.parts.layers import LSTM
from zoo.parts.masks import never, nucleus

Memories = tuple[Tensor, Tensor]


def speak(
    lstm: LSTM,
    outcomes: nn.Linear,
    features: Tensor,
    memories: Memories,
    generator: Generator,
    temperature: float,
    top_p: float = 1.0,
) -> tuple[Tensor, Memories]:
    """The decisions (B, 2C) in {0, 1} of all voices in one unconstrained frame, and their states.

    The contributions of the features and the states to the gates are computed for all voices at once; an
    earlier decision adds a row of the weights. The outcome of a voice maximises its log-probability minus the
    log of an exponential random number, which is how `torch.multinomial` draws, without normalizing.

    Args:
        lstm: LSTM of all voices, with F + 2C inputs.
        outcomes: from its hidden state to the logits of the 2C outcomes.
        features: (B, F).
        memories: hidden and cell states, (B, V, H) each.
        generator: draws B * 2C random numbers for each voice in turn.
        temperature: divides the logits.
        top_p: below 1 each voice decides among its likeliest outcomes.
    """
    width = features.shape[-1]
    projected = linear(features, lstm.weight_ih_l0[:, :width], lstm.bias_ih_l0 + lstm.bias_hh_l0)
    gates = projected.unsqueeze(1) + memories[0] @ lstm.weight_hh_l0.T
    decisions, closing = lstm.weight_ih_l0[:, width:].T, _closing(outcomes)
    earlier, closed = torch.zeros_like(projected), closing.new_zeros(len(projected), len(closing))
    chosen, after = [], []
    for own, cell in zip(gates.unbind(1), memories[1].unbind(1), strict=True):
        memory = _lstm_cell(own + earlier, cell)
        logits = outcomes(memory[0]) / temperature
        noise = torch.empty_like(closed).exponential_(generator=generator).log()
        outcome = (nucleus(logits + closed, top_p) - noise).argmax(-1)
        earlier, closed = earlier + decisions[outcome], closed + closing[outcome]
        chosen.append(outcome)
        after.append(memory)
    hidden, cells = (torch.stack(memory, 1) for memory in zip(*after, strict=True))
    decided = projected.new_zeros(closed.shape)
    return decided.scatter_(-1, torch.stack(chosen, -1), 1.0), (hidden, cells)


def _closing(outcomes: nn.Linear) -> Tensor:
    """Logit offsets (2C, 2C) once an outcome has been chosen: `never` for both outcomes of its pitch class.

    In single precision or better, as in `Voices`.
    """
    dtype = torch.promote_types(outcomes.weight.dtype, torch.float32)
    same = torch.eye(outcomes.out_features // 2, dtype=dtype, device=outcomes.weight.device)
    return same.repeat(2, 2) * never(dtype)


def _lstm_cell(gates: Tensor, cell: Tensor) -> Memories:
    """Hidden and cell state (B, H) of an LSTM from its gates before the activation, (B, 4H)."""
    input_gate, forget_gate, candidate, output_gate = gates.chunk(4, -1)
    cell = torch.addcmul(forget_gate.sigmoid() * cell, input_gate.sigmoid(), candidate.tanh())
    return output_gate.sigmoid() * cell.tanh(), cell
