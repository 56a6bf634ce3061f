"""Voices that decide one frame without constraints: the step that generation repeats for every frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

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

    The contributions of the features and the states to the gates are computed for all voices at once (see
    `_steps`); an earlier decision adds a row of the weights. The outcome of a voice maximises its
    log-probability minus the log of an exponential random number, which is how `torch.multinomial` draws,
    without normalizing.

    Args:
        lstm: LSTM of all voices, with F + 2C inputs.
        outcomes: from its hidden state to the logits of the 2C outcomes.
        features: (B, F).
        memories: hidden and cell states, (B, V, H) each.
        generator: draws B * 2C random numbers for each voice in turn.
        temperature: divides the logits.
        top_p: below 1 each voice decides among its likeliest outcomes.
    """
    weight = outcomes.weight
    # In single precision or better, as in `Voices`.
    closing = _closing(len(weight), torch.promote_types(weight.dtype, torch.float32), weight.device)
    given, step, rows = _steps(lstm, features, memories[0], len(closing))
    earlier, closed = (table.new_zeros(len(features), table.shape[-1]) for table in (rows, closing))
    chosen, after = [], []
    for own, cell in zip(given.unbind(1), memories[1].unbind(1), strict=True):
        memory = step(own, earlier, cell)
        logits = outcomes(memory[0])
        if temperature != 1:
            logits = logits / temperature
        noise = torch.empty_like(closed).exponential_(generator=generator).log()
        outcome = (nucleus(logits + closed, top_p) - noise).argmax(-1)
        earlier, closed = earlier + rows[outcome], closed + closing[outcome]
        chosen.append(outcome)
        after.append(memory)
    hidden, cells = (torch.stack(memory, 1) for memory in zip(*after, strict=True))
    decided = closed.new_zeros(closed.shape, dtype=hidden.dtype)
    return decided.scatter_(-1, torch.stack(chosen, -1), 1.0), (hidden, cells)


def _steps(
    lstm: LSTM, features: Tensor, hidden: Tensor, outcomes: int
) -> tuple[Tensor, Callable[[Tensor, Tensor, Tensor], Memories], Tensor]:
    """How the LSTM steps: what each voice starts with (B, V, ...), the step, and what a decision adds to it.

    Many pieces share the products of all voices. For one piece the time goes into calls instead of products,
    so each voice is a single call, of which the contribution of the features is the bias.
    """
    width = features.shape[-1]
    projected = linear(features, lstm.weight_ih_l0[:, :width], lstm.bias_ih_l0 + lstm.bias_hh_l0)
    decisions, recurrent = lstm.weight_ih_l0[:, width:], lstm.weight_hh_l0
    if len(features) == 1:

        def step(own: Tensor, earlier: Tensor, cell: Tensor) -> Memories:
            return torch.lstm_cell(earlier, (own, cell), decisions, recurrent, projected[0])

        return hidden, step, _identity(outcomes, projected.dtype, projected.device)
    gates = projected.unsqueeze(1) + hidden @ recurrent.T
    return gates, lambda own, earlier, cell: _lstm_cell(own + earlier, cell), decisions.T


@lru_cache(maxsize=16)
def _identity(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.eye(size, dtype=dtype, device=device)


@lru_cache(maxsize=16)
def _closing(outcomes: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Logit offsets (2C, 2C) once an outcome is chosen: `never` for both outcomes of its pitch class."""
    with torch.inference_mode(mode=False):
        return _identity(outcomes // 2, dtype, device).repeat(2, 2) * never(dtype)


def _lstm_cell(gates: Tensor, cell: Tensor) -> Memories:
    """Hidden and cell state (B, H) of an LSTM from its gates before the activation, (B, 4H)."""
    input_gate, forget_gate, candidate, output_gate = gates.chunk(4, -1)
    cell = torch.addcmul(forget_gate.sigmoid() * cell, input_gate.sigmoid(), candidate.tanh())
    return output_gate.sigmoid() * cell.tanh(), cell
