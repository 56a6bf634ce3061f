"""Delay lines: LSTMs whose recurrence reaches back further than one frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, in_frames, with_clock

from .mixed import Memory, MixedLines, Recent
from .settings import LatencySettings


class Latency(Attention):
    """Recurrence with a pulse: a line of lag 4 continues from its state of four quarter notes ago.

    An LSTM in nine groups; at frame t a group continues from its hidden and cell state of frame t-lag. A
    second LSTM combines all groups into the features. With `mix` the gates of each group also receive the
    delayed states of all other groups, so time has to be processed frame by frame. Without it the groups are
    independent (the original's "capsules"), and a line of lag L is L interleaved sequences that run in
    parallel.

    The lines start from zero and ignore the past before a fragment.
    """

    def __init__(self, settings: LatencySettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        self.lags = in_frames(settings.lags, sizes.grid)
        width = settings.group * len(settings.lags)
        lines = MixedLines if settings.mix else _SeparateLines
        self.lines = lines(sizes.inputs + CLOCK, settings.group, self.lags)
        self.aggregation = LSTM(width, settings.features)

    def start(self, past: Tensor) -> tuple[Recent, Memory]:
        """Zeros in every line."""
        group, batch = self.settings.group, past.shape[0]
        recent = tuple((past.new_zeros(batch, lag, group),) * 2 for lag in self.lags)
        return recent, self.aggregation.start(batch)

    def forward(
        self, heard: Tensor, clock: Clock, state: tuple[Recent, Memory]
    ) -> tuple[Tensor, tuple[Recent, Memory]]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        recent, memory = state
        delayed, recent = self.lines(with_clock(heard, clock), recent)
        features, memory = self.aggregation(delayed, memory)
        return features, (recent, memory)


class _SeparateLines(nn.Module):
    """An LSTM for each lag L that runs over L interleaved sequences at once."""

    def __init__(self, inputs: int, group: int, lags: tuple[int, ...]) -> None:
        super().__init__()
        self.lstms = nn.ModuleList(LSTM(inputs, group) for _ in lags)
        self.lags = lags

    def forward(self, present: Tensor, recent: Recent) -> tuple[Tensor, Recent]:
        """Hidden states of all groups (B, T, groups * H)."""
        lines = zip(self.lstms, self.lags, recent, strict=True)
        outputs = [_interleaved(lstm, lag, present, memory) for lstm, lag, memory in lines]
        return torch.cat([hidden for hidden, _ in outputs], dim=-1), tuple(after for _, after in outputs)


def _interleaved(lstm: nn.Module, lag: int, present: Tensor, recent: Memory) -> tuple[Tensor, Memory]:
    """Hidden states (B, T, H) of one line, and its states in the last `lag` frames.

    Frame t continues from frame t-lag, so frames with equal t mod lag are one sequence. Whole rounds of
    `lag` frames run with the sequences folded into the batch; the remaining frames take one more step.
    """
    rounds, rest = divmod(present.shape[1], lag)
    outputs = []
    if rounds:
        whole, recent = _rounds(lstm, lag, present[:, : rounds * lag], recent)
        outputs.append(whole)
    if rest:
        first = (recent[0][:, :rest], recent[1][:, :rest])
        last, stepped = _rounds(lstm, rest, present[:, rounds * lag :], first)
        outputs.append(last)
        recent = (
            torch.cat([recent[0][:, rest:], stepped[0]], dim=1),
            torch.cat([recent[1][:, rest:], stepped[1]], dim=1),
        )
    return torch.cat(outputs, dim=1), recent


def _rounds(lstm: nn.Module, lag: int, present: Tensor, recent: Memory) -> tuple[Tensor, Memory]:
    """The same for a whole number of rounds."""
    batch, length, _ = present.shape
    folded = present.reshape(batch, length // lag, lag, -1).transpose(1, 2).flatten(0, 1)
    hidden, after = lstm(folded, tuple(plane.flatten(0, 1) for plane in recent))
    outputs = hidden.view(batch, lag, -1, hidden.shape[-1]).transpose(1, 2).flatten(1, 2)
    return outputs, (after[0].view(batch, lag, -1), after[1].view(batch, lag, -1))
