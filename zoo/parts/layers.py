"""Layers that several parts share: pitch classes, input, lags, an LSTM with the batch first throughout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from zoo.parts.clock import Clock

PITCH_CLASSES = 12


def pitch_classes() -> Tensor:
    """Which of the 88 keys belong to each pitch class, (12, 88) bool; the first is A, the lowest key."""
    return torch.arange(88) % PITCH_CLASSES == torch.arange(PITCH_CLASSES).unsqueeze(1)


def heard(codes: Tensor, clock: Clock) -> Tensor:
    """The input of a network: codes (B, T, C) and the place in the bar, (B, T, C + `CLOCK`)."""
    return torch.cat([codes, clock.features().to(codes)], dim=-1)


def in_frames(quarters: Sequence[float], grid: int) -> tuple[int, ...]:
    """Lengths in quarter notes as whole frames of the grid, each at least one."""
    return tuple(max(round(length * grid), 1) for length in quarters)


def recent(past: Tensor, reach: int) -> Tensor:
    """The last frames of the past (B, P, C), oldest first, (B, reach, C); before it there is silence."""
    return pad(past, (0, 0, reach, 0))[:, -reach:]


def lagged(frames: Tensor, lags: Sequence[int], length: int) -> Tensor:
    """The frames at every lag before the ones to be predicted, (B, T, lags, C).

    Args:
        frames: (B, L+T, C), at least the last `max(lags)` frames, then the present T.
        lags: how far back to look; for the frame to be predicted, t+1, lag n is frame t+1-n.
        length: T.
    """
    reach = frames.shape[1] - length
    if length == 1:
        return frames[:, [reach + 1 - lag for lag in lags]].unsqueeze(1)
    return torch.stack([frames[:, reach + 1 - lag :][:, :length] for lag in lags], dim=2)


class LSTM(nn.LSTM):
    """A one-layer LSTM, batch first in its state as well: (hidden, cell), each (B, H).

    A plain `nn.LSTM` keeps the layers in front of the batch, so its state cannot be indexed by row.
    """

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, batch_first=True)

    def start(self, batch: int) -> tuple[Tensor, Tensor]:
        """Silence in both memories."""
        zeros = self.weight_hh_l0.new_zeros(batch, self.hidden_size)
        return zeros, zeros

    def step(self, inputs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The state (B, H) after one frame (B, I): a third of the time that `nn.LSTM` takes for it."""
        return torch.lstm_cell(
            inputs, state, self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        )

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Outputs (B, T, H) and the state after the last frame, from inputs (B, T, I)."""
        if inputs.shape[1] == 1 and not torch.is_grad_enabled():
            hidden, cell = self.step(inputs[:, 0], state)
            return hidden.unsqueeze(1), (hidden, cell)
        hidden, cell = (memory.unsqueeze(0).contiguous() for memory in state)
        outputs, (hidden, cell) = super().forward(inputs, (hidden, cell))
        return outputs, (hidden.squeeze(0), cell.squeeze(0))
