"""Shared building blocks of parts: pitch classes, inputs, lags and distances, and a batch-first LSTM."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from zoo.parts.clock import Clock
from zoo.parts.masks import never
from zoo.parts.piano import KEYS, PITCH_CLASSES


def pitch_classes() -> Tensor:
    """The keys of each pitch class, (12, 88) bool; the first pitch class is A, that of the lowest key."""
    return torch.arange(KEYS) % PITCH_CLASSES == torch.arange(PITCH_CLASSES).unsqueeze(1)


def with_clock(codes: Tensor, clock: Clock) -> Tensor:
    """Codes (B, T, C) concatenated with the features of the clock, (B, T, C + `CLOCK`)."""
    return torch.cat([codes, clock.features().to(codes)], dim=-1)


def in_frames(quarters: Sequence[float], grid: int) -> tuple[int, ...]:
    """Convert lengths in quarter notes to whole frames of the grid, at least one each."""
    return tuple(max(round(length * grid), 1) for length in quarters)


def recent(past: Tensor, reach: int) -> Tensor:
    """The last frames (B, reach, C) of the past (B, P, C), padded with silence at the start."""
    return pad(past, (0, 0, reach, 0))[:, -reach:]


def lagged(frames: Tensor, lags: Sequence[int], length: int) -> Tensor:
    """The frames at given lags before each predicted frame, (B, T, lags, C).

    Args:
        frames: (B, L+T, C), at least `max(lags)` earlier frames, then the present T frames.
        lags: the lags; for the predicted frame t+1, lag n is frame t+1-n.
        length: T.
    """
    reach = frames.shape[1] - length
    if length == 1:
        return frames[:, [reach + 1 - lag for lag in lags]].unsqueeze(1)
    return torch.stack([frames[:, reach + 1 - lag :][:, :length] for lag in lags], dim=2)


def begun(past: Tensor) -> Tensor:
    """Whether each frame of the past (B, P, C) belongs to the piece, (B, P) bool: from the first note on."""
    return (past != 0).any(-1).cumsum(1) > 0


def by_distance(scores: Tensor, frames: int) -> Tensor:
    """Convert scores of distances to scores of frames; `never` for later frames and those out of reach.

    Each row is one frame later than the row above, so its scores are shifted one place to the right (the
    skewing of Huang et al., Music Transformer, 2019).

    Args:
        scores: (..., T, reach), the score of each of the last T frames for 0, 1, 2, ... frames back.
        frames: S, the number of visible frames, at most T + reach - 1; the last one is that of the last row.

    Returns:
        (..., T, S)
    """
    length, reach = scores.shape[-2:]
    # With `length` columns of padding, dropping the end and reading the flat values in rows that are one
    # column shorter shifts each row by one more place.
    rows = pad(scores.flip(-1), (0, length), value=never(scores.dtype)).flatten(-2)
    skewed = rows[..., : length * (reach + length - 1)].view(*scores.shape[:-1], -1)
    return skewed[..., reach + length - 1 - frames :]


class LSTM(nn.LSTM):
    """A one-layer LSTM whose state is batch first as well: (hidden, cell), each (B, H).

    The state of `nn.LSTM` has the layer as its first dimension, so it cannot be indexed by row.
    """

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, batch_first=True)

    def start(self, batch: int) -> tuple[Tensor, Tensor]:
        """The zero state (hidden, cell)."""
        zeros = self.weight_hh_l0.new_zeros(batch, self.hidden_size)
        return zeros, zeros

    def step(self, inputs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The state (B, H) after one frame (B, I), three times as fast as `nn.LSTM` on a single frame."""
        return torch.lstm_cell(
            inputs, state, self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        )

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Outputs (B, T, H) for inputs (B, T, I), and the state after the last frame."""
        if inputs.shape[1] == 1 and not torch.is_grad_enabled():
            hidden, cell = self.step(inputs[:, 0], state)
            return hidden.unsqueeze(1), (hidden, cell)
        hidden, cell = (memory.unsqueeze(0).contiguous() for memory in state)
        outputs, (hidden, cell) = super().forward(inputs, (hidden, cell))
        return outputs, (hidden.squeeze(0), cell.squeeze(0))
