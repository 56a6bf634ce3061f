"""The clock: where frames lie in the bars of their piece, for every part that wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CLOCK = 10
"""Numbers in which `Clock.features` tells the place of a frame."""


@dataclass(frozen=True)
class Clock:
    """Where frames lie in their bars: int64 tensors of one shape, usually (B, T).

    Indexing cuts all of them alike: `clock[:, :4]` is the clock of the first four frames.

    Attributes:
        bar: number of the bar; 0 is the first whole bar, -1 an upbeat or the silence before it.
        place: frames since the bar line.
        length: frames in the bar.
        beat: frames in a beat.
        grid: frames to a quarter note.
    """

    bar: Tensor
    place: Tensor
    length: Tensor
    beat: Tensor
    grid: int = 4

    @classmethod
    def of(cls, planes: Iterable[Tensor], grid: int) -> Clock:
        """The clock of these tensors: bar, place, length and beat."""
        bar, place, length, beat = planes
        return cls(bar, place, length, beat, grid)

    @classmethod
    def common_time(cls, frames: Tensor, grid: int = 4) -> Clock:
        """The clock of frames that are counted from a bar line, in bars of 4/4."""
        bar = torch.full_like(frames, 4 * grid)
        return cls(frames // bar, frames % bar, bar, torch.full_like(frames, grid), grid)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bar, place, length and beat."""
        return self.bar, self.place, self.length, self.beat

    @property
    def shape(self) -> torch.Size:
        """The shape of each tensor."""
        return self.place.shape

    def __getitem__(self, index: Any) -> Clock:
        return self.map(lambda plane: plane[index])

    def map(self, change: Callable[[Tensor], Tensor]) -> Clock:
        """The same change to every tensor."""
        return Clock.of(map(change, self.tensors()), self.grid)

    def to(self, device: torch.device | str) -> Clock:
        """The same clock on another device."""
        return self.map(lambda plane: plane.to(device))

    @property
    def ends_beat(self) -> Tensor:
        """Whether a frame is the last of a beat, or of a bar that is cut short; bool."""
        return ((self.place + 1) % self.beat == 0) | self.ends_bar

    @property
    def ends_bar(self) -> Tensor:
        """Whether a frame is the last of its bar; bool."""
        return self.place == self.length - 1

    def before(self, frames: int) -> Clock:
        """The clock of as many frames before the first (B, T), counted back in bars of the same length."""
        first = self[:, :1]
        place = first.place + torch.arange(-frames, 0, device=first.place.device)
        length, beat = first.length.expand_as(place), first.beat.expand_as(place)
        return Clock(first.bar + place // length, place % length, length, beat, self.grid)

    def features(self) -> Tensor:
        """The place as a network hears it, (..., 10) floats between 0 and about 1.

        The number of the bar modulo 4 as 2 binary digits, the quarter note within the bar as 3, the sixteenth
        within the quarter note as 2, the part of a sixteenth that has passed, and the lengths of the bar in
        whole notes and of the beat in quarter notes. In 4/4 on a grid of sixteenths, digits 1, 2 and 4 to 7
        are those of the frame's number modulo 64, the clock of the original system.
        """
        sixteenths = 4 * (self.place % self.grid)
        digits = [_digits(self.bar % 4, 2), _digits(self.place // self.grid % 8, 3)]
        digits.append(_digits(sixteenths // self.grid, 2))
        rest = [sixteenths % self.grid, self.length / 4, self.beat]
        return torch.cat([*digits, torch.stack(rest, -1) / self.grid], dim=-1)


def joined(clocks: list[Clock], dim: int) -> Clock:
    """Clocks of one grid side by side (`dim=0`), or one after another (`dim=1`)."""
    planes = zip(*(clock.tensors() for clock in clocks), strict=True)
    return Clock.of((torch.cat(plane, dim) for plane in planes), clocks[0].grid)


def _digits(numbers: Tensor, count: int) -> Tensor:
    """Whole numbers (...) as binary digits (..., count), the most significant first."""
    places = torch.arange(count - 1, -1, -1, device=numbers.device)
    return (numbers.unsqueeze(-1) >> places & 1).float()
