"""A stack of LSTMs with increasingly slow clocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, with_clock

from .settings import HierarchicalSettings, Level

Memory = tuple[Tensor, Tensor]
Memories = tuple[tuple[Memory, ...], Memory]
"""The state of each level, and of the LSTM that combines them."""


class Hierarchical(Attention):
    """Models form at several time scales: one level ticks in every frame, one on beats, one on bars.

    A level ticks in the last frame of a beat, a bar or a group of bars, as the clock counts them in the meter
    of the piece. It then takes the output of the level below as input and holds its own output until the next
    tick. One LSTM combines the outputs of all levels into the features. A slow level depends only on the
    past, and its gradient passes many bars in few steps.

    All levels are registered modules. In the original they were not, so their weights were never trained.
    """

    def __init__(self, settings: HierarchicalSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        widths = [sizes.inputs + CLOCK] + [settings.hidden] * (len(settings.levels) - 1)
        self.levels = nn.ModuleList(LSTM(width, settings.hidden) for width in widths)
        self.aggregation = LSTM(len(settings.levels) * settings.hidden, settings.features)

    def start(self, past: Tensor) -> Memories:
        """Zero states; the past is ignored."""
        batch = past.shape[0]
        levels = tuple((past.new_zeros(batch, self.settings.hidden),) * 2 for _ in self.levels)
        return levels, self.aggregation.start(batch)

    def forward(self, heard: Tensor, clock: Clock, state: Memories) -> tuple[Tensor, Memories]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        before, joined = state
        output, outputs, after = with_clock(heard, clock), [], []
        for name, level, memory in zip(self.settings.levels, self.levels, before, strict=True):
            output, memory = _ticking(level, _ticks(name, clock), output, memory)
            outputs.append(output)
            after.append(memory)
        features, joined = self.aggregation(torch.cat(outputs, dim=-1), joined)
        return features, (tuple(after), joined)


def _ticks(level: Level, clock: Clock) -> Tensor:
    """The frames (B, T) bool in which a level of this name ticks."""
    if level == "frame":
        return torch.ones_like(clock.place, dtype=torch.bool)
    if level == "beat":
        return clock.ends_beat
    bars = int(level.removesuffix("bars")) if level != "bar" else 1
    return clock.ends_bar & ((clock.bar + 1) % bars == 0)


def _ticking(lstm: nn.Module, ticks: Tensor, below: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
    """An LSTM that steps only where its clock ticks: its output in every frame (B, T, H), and its state.

    Rows of the batch may tick in different frames and a different number of times; the ticks that all rows
    have run as one sequence.

    Args:
        lstm: the level.
        ticks: (B, T) bool.
        below: (B, T, I), the input of the level, read when it ticks.
        memory: hidden and cell state (B, H) before the first frame.
    """
    if ticks.shape[1] == 1 and not torch.is_grad_enabled():
        return _ticking_once(lstm, ticks, below, memory)
    count = ticks.sum(1)
    # At least one step: the parameters of a level that does not tick here need a gradient, too.
    fewest, most = int(count.min()), max(int(count.max()), 1)
    moments = ticks.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :most]
    inputs = below.gather(1, moments.unsqueeze(-1).expand(-1, -1, below.shape[-1]))
    outputs = [memory[0].unsqueeze(1)]
    if fewest:
        common, memory = lstm(inputs[:, :fewest], memory)
        outputs.append(common)
    for step in range(fewest, most):
        output, stepped = lstm(inputs[:, step : step + 1], memory)
        ticked = (count > step).unsqueeze(1)
        memory = (torch.where(ticked, stepped[0], memory[0]), torch.where(ticked, stepped[1], memory[1]))
        outputs.append(output)
    held = ticks.cumsum(1).unsqueeze(-1).expand(-1, -1, memory[0].shape[-1])
    return torch.cat(outputs, dim=1).gather(1, held), memory


def _ticking_once(lstm: nn.Module, ticks: Tensor, below: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
    """`_ticking` for a single frame: rows whose clock does not tick keep their state."""
    if bool(ticks.any()):
        _, stepped = lstm(below, memory)
        memory = (torch.where(ticks, stepped[0], memory[0]), torch.where(ticks, stepped[1], memory[1]))
    return memory[0].unsqueeze(1), memory
