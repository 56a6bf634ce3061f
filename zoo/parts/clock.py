"""The clock: the position of frames within the bars of their piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Frames = NDArray[np.int64]

CLOCK = 10
"""Number of features per frame that `Clock.features` returns."""


class _Places(Protocol):
    """The position of frames within their bars: the arrays that a `Clock` is made from."""

    @property
    def bar(self) -> Frames: ...
    @property
    def place(self) -> Frames: ...
    @property
    def length(self) -> Frames: ...
    @property
    def beat(self) -> Frames: ...


class MeterLike(Protocol):
    """Anything that knows the bars of a piece, such as `zoo.music.meter.Meter`."""

    def places(self, frames: Frames) -> _Places:
        """The position of frames within their bars, for any integers."""


@dataclass(frozen=True)
class Clock:
    """The position of frames within their bars: int64 tensors of the same shape, usually (B, T).

    Indexing applies to all tensors: `clock[:, :4]` is the clock of the first four frames.

    Attributes:
        bar: number of the bar; 0 is the first whole bar, -1 an upbeat or the silence before it.
        place: frames since the bar line.
        length: frames per bar.
        beat: frames per beat.
        grid: frames per quarter note.
        known: the features, if they were computed already; see `with_features`.
    """

    bar: Tensor
    place: Tensor
    length: Tensor
    beat: Tensor
    grid: int = 4
    known: Tensor | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, planes: Iterable[Tensor], grid: int) -> Clock:
        """Make a clock from the tensors bar, place, length and beat."""
        bar, place, length, beat = planes
        return cls(bar, place, length, beat, grid)

    @classmethod
    def common_time(cls, frames: Tensor, grid: int = 4) -> Clock:
        """Make a clock in 4/4 from frame numbers counted from a bar line."""
        bar = torch.full_like(frames, 4 * grid)
        return cls(frames // bar, frames % bar, bar, torch.full_like(frames, grid), grid)

    @classmethod
    def in_meters(cls, meters: Sequence[MeterLike], frames: Frames, grid: int = 4) -> Clock:
        """Make a clock (B, T) from the meters of B pieces and their frame numbers (B, T).

        Args:
            meters: one meter per row of `frames`, all on the same grid.
            frames: counted from the start of each piece; may lie before it or after its end.
            grid: frames per quarter note.
        """
        planes = np.empty((4, *frames.shape), np.int64)
        for row, (meter, numbers) in enumerate(zip(meters, frames, strict=True)):
            places = meter.places(numbers)
            planes[:, row] = places.bar, places.place, places.length, places.beat
        return cls.of(torch.from_numpy(planes), grid)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bar, place, length and beat."""
        return self.bar, self.place, self.length, self.beat

    @property
    def shape(self) -> torch.Size:
        """The shape of each tensor."""
        return self.place.shape

    def __getitem__(self, index: Any) -> Clock:
        clock = self.map(lambda plane: plane[index])
        return clock if self.known is None else replace(clock, known=self.known[index])

    def map(self, function: Callable[[Tensor], Tensor]) -> Clock:
        """Apply a function to every tensor."""
        return Clock.of(map(function, self.tensors()), self.grid)

    def to(self, device: torch.device | str) -> Clock:
        """Copy the clock to a device."""
        return self.map(lambda plane: plane.to(device))

    @property
    def ends_beat(self) -> Tensor:
        """Whether a frame is the last of its beat or of its bar; bool."""
        return ((self.place + 1) % self.beat == 0) | self.ends_bar

    @property
    def ends_bar(self) -> Tensor:
        """Whether a frame is the last of its bar; bool."""
        return self.place == self.length - 1

    def before(self, frames: int) -> Clock:
        """The clock (B, frames) of the frames before the first, assuming bars of the same length."""
        first = self[:, :1]
        place = first.place + torch.arange(-frames, 0, device=first.place.device)
        length, beat = first.length.expand_as(place), first.beat.expand_as(place)
        return Clock(first.bar + place // length, place % length, length, beat, self.grid)

    def with_features(self) -> Clock:
        """The same clock, whose frames share the features that are computed here for all of them."""
        return replace(self, known=self.features())

    def features(self) -> Tensor:
        """The position as input features for a network, (..., 10) floats between 0 and about 1.

        These are the number of the bar modulo 4 (2 binary digits), the quarter note within the bar (3), the
        sixteenth within the quarter note (2), the elapsed fraction of the sixteenth, the length of the bar in
        whole notes, and the length of the beat in quarter notes. In 4/4 on a grid of sixteenths, digits 1, 2
        and 4 to 7 are the binary digits of the frame number modulo 64, the clock of the original system.
        """
        if self.known is not None:
            return self.known
        sixteenths = 4 * (self.place % self.grid)
        digits = [_digits(self.bar % 4, 2), _digits(self.place // self.grid % 8, 3)]
        digits.append(_digits(sixteenths // self.grid, 2))
        rest = [sixteenths % self.grid, self.length / 4, self.beat]
        return torch.cat([*digits, torch.stack(rest, -1) / self.grid], dim=-1)


def joined(clocks: list[Clock], dim: int) -> Clock:
    """Concatenate clocks of the same grid along the batch (`dim=0`) or along time (`dim=1`)."""
    planes = zip(*(clock.tensors() for clock in clocks), strict=True)
    return Clock.of((torch.cat(plane, dim) for plane in planes), clocks[0].grid)


def _digits(numbers: Tensor, count: int) -> Tensor:
    """Binary digits (..., count) of integers (...), most significant first."""
    places = torch.arange(count - 1, -1, -1, device=numbers.device)
    return (numbers.unsqueeze(-1) >> places & 1).float()
