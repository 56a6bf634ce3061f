"""The default residual: a table of counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import max_pool1d, pad

from zoo.parts.clock import Clock
from zoo.parts.residual import Plane, Residual

QUARTERS = 8
"""Maximum length of a bar, and position in it, in quarter notes; longer ones share a table entry."""
PARTS = 12
"""Positions distinguished within a quarter note: thirty-second notes and triplets of sixteenths."""
LONGEST = 8
"""Maximum number of sixteenths (on coarser grids, frames) since a key was struck."""
MOST = 3
"""Maximum number of keys struck in a frame."""
NEAR = 2
"""Largest interval, in semitones, at which a struck key counts as near: a voice moving by step."""
AT_ONCE = 2**14
"""Frames, over all pieces, that are restored at once; bounds the memory that much music takes."""


@dataclass(frozen=True)
class _Decisions:
    """The binary decisions that the keys leave open, and their outcomes in a score.

    Attributes:
        open: (B, T, K) bool, where there is a decision.
        condition: (B, T, K) int64, row of the table of counts.
        outcome: (B, T, K) bool, true for "still held" or "struck again".
    """

    open: Tensor
    condition: Tensor
    outcome: Tensor


@dataclass(frozen=True)
class _Past:
    """The state after earlier frames: frames since each key was struck, and which keys sound; (B, K)."""

    since: Tensor
    sounding: Tensor

    def after(self, onset: Tensor, sounding: Tensor) -> _Past:
        """The past after more frames, planes (B, T, K)."""
        latest = torch.cat([self.sounding.unsqueeze(1), sounding], 1)[:, -1]
        return _Past(_frames_since(onset, self.since)[:, -1], latest)


class CountedResidual(Residual):
    """A residual estimated from counts over the training pieces, with add-one smoothing.

    The probability that a key is still held, or struck again, depends on the length of the bar and its
    beats, the position in the bar, the time since the key was struck, the number of keys struck in the frame
    (for `sounding`: that start to sound), and whether one of them is within two semitones.

    Every sounding note must start with a strike, as it does in a `Roll`.
    """

    counts: Tensor

    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        conditions = 2 * QUARTERS * QUARTERS * PARTS * LONGEST * (MOST + 1) * 2
        self.register_buffer("counts", torch.zeros(conditions, 2, dtype=torch.int32))

    def count(self, onset: Tensor, sounding: Tensor, clock: Clock, *, mask: Tensor) -> None:
        """Count the outcomes in whole pieces: bool planes (B, T, K), clock and mask (B, T)."""
        decisions = self._decisions(onset, sounding, clock)
        counted = decisions.open & mask.unsqueeze(-1)
        cells = 2 * decisions.condition[counted] + decisions.outcome[counted]
        self.counts += torch.bincount(cells, minlength=self.counts.numel()).view_as(self.counts)

    def forget_counts(self) -> None:
        """Reset the counts."""
        self.counts.zero_()

    def log_prob(self, onset: Tensor, sounding: Tensor, clock: Clock) -> Tensor:
        """Log-probability (B, T) in nats of the score given the keys, for whole pieces from the start."""
        decisions = self._decisions(onset, sounding, clock)
        nats = self._log_probs().flatten()[2 * decisions.condition + decisions.outcome]
        return nats.masked_fill(~decisions.open, 0).sum(-1)

    def restore(
        self,
        keys: Tensor,
        clock: Clock,
        generator: Generator,
        opening: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw onset and sounding planes that agree with the keys.

        If nothing was counted, as in music without onsets, keys that sound on are held, not struck again.
        """
        keys, position = keys > 0, _position(clock)
        struck, sounds = opening or (keys[:, :0], keys[:, :0])
        past = _Past(torch.ones_like(keys[:, 0], dtype=torch.int64), torch.zeros_like(keys[:, 0]))
        past = past.after(struck, sounds)
        planes, draw = [(struck, sounds)], self._hold if self.plane == "onset" else self._strike_again
        share = max(AT_ONCE // len(keys), 1)
        for chunk, places in zip(
            torch.split(keys[:, struck.shape[1] :], share, 1),
            torch.split(position[:, struck.shape[1] :], share, 1),
            strict=True,
        ):
            coins = torch.rand(chunk.transpose(0, 1).shape, generator=generator, device=keys.device)
            planes.append(draw(chunk, places, clock.grid, past, coins.transpose(0, 1)))
            past = past.after(*planes[-1])
        onset, sounding = (torch.cat(plane, 1) for plane in zip(*planes, strict=True))
        return onset, sounding

    def _hold(
        self, keys: Tensor, position: Tensor, grid: int, past: _Past, coins: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Both planes of frames with known strikes; which keys are held is drawn."""
        since = _steps(_frames_since(keys, past.since)[:, :-1], grid)
        stays_held = coins < self._log_probs()[:, 1].exp()[_condition(position, since, keys)]
        sounding, before = [], past.sounding
        for struck, held in zip(keys.unbind(1), stays_held.unbind(1), strict=True):
            before = struck | (held & before)
            sounding.append(before)
        return keys, torch.stack(sounding, 1)

    def _strike_again(
        self, keys: Tensor, position: Tensor, grid: int, past: _Past, coins: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Both planes of frames with known sounding keys; which of them are struck again is drawn."""
        before = torch.cat([past.sounding.unsqueeze(1), keys[:, :-1]], 1)
        given, held = keys & ~before, keys & before
        shortest = _condition(position, torch.ones_like(keys, dtype=torch.int64), given)
        chances, onset, since = self._log_probs()[:, 1].exp(), [], past.since
        if not self.counts.any():
            chances = torch.zeros_like(chances)
        for frame in range(keys.shape[1]):
            longer = _steps(since, grid).clamp(max=LONGEST) - 1
            is_struck = coins[:, frame] < chances[shortest[:, frame] + longer * 2 * (MOST + 1)]
            onset.append(given[:, frame] | (held[:, frame] & is_struck))
            since = (since + 1).masked_fill(onset[-1], 1)
        return torch.stack(onset, 1), keys

    def _log_probs(self) -> Tensor:
        """Log-probability of the outcomes false and true under each condition, (conditions, 2)."""
        # Edited counts, below 0 or so large that adding 1 overflows, must not give probabilities above 1.
        smoothed = self.counts.clamp(min=0).to(torch.get_default_dtype()) + 1
        return smoothed.log() - smoothed.sum(-1, keepdim=True).log()

    def _decisions(self, onset: Tensor, sounding: Tensor, clock: Clock) -> _Decisions:
        before = pad(sounding, (0, 0, 1, 0))[:, :-1]
        given = onset if self.plane == "onset" else sounding & ~before
        outcome = sounding if self.plane == "onset" else onset
        is_open = before & ~onset if self.plane == "onset" else before & sounding
        unstruck = torch.ones_like(onset[:, 0], dtype=torch.int64)
        since = _steps(_frames_since(onset, unstruck)[:, :-1], clock.grid)
        return _Decisions(is_open, _condition(_position(clock), since, given), outcome)


def _frames_since(onset: Tensor, first: Tensor) -> Tensor:
    """Frames since each key was last struck, before each frame and after the last, (B, T + 1, K) int64.

    Args:
        onset: (B, T, K) bool.
        first: (B, K), the value before the first frame; 1 for a key that was never struck.
    """
    time = torch.arange(onset.shape[1], device=onset.device).view(-1, 1)
    last = torch.cat([-first.unsqueeze(1), torch.where(onset, time, -first.unsqueeze(1))], 1).cummax(1).values
    return torch.arange(last.shape[1], device=onset.device).view(-1, 1) - last


def _steps(frames: Tensor, grid: int) -> Tensor:
    """Convert frames to sixteenths, rounded up; on coarser grids a step is a frame."""
    step = max(grid // 4, 1)
    return frames if step == 1 else (frames + step - 1) // step


def _position(clock: Clock) -> Tensor:
    """The type of bar and the position in it, (B, T, 1) int64, below 2 * QUARTERS * QUARTERS * PARTS.

    Bars of the same length are of two types: those whose beats are whole quarter notes, as in 3/4, and those
    whose beats are not, as in 6/8 and 5/8. On a grid of quarter notes all beats are whole.
    """
    fractional = (clock.beat % clock.grid != 0).long()
    length = ((clock.length + clock.grid - 1) // clock.grid).clamp(1, QUARTERS) - 1
    quarter = (clock.place // clock.grid).clamp(max=QUARTERS - 1)
    part = clock.place % clock.grid * PARTS // clock.grid
    return (((fractional * QUARTERS + length) * QUARTERS + quarter) * PARTS + part).unsqueeze(-1)


def _condition(position: Tensor, since: Tensor, given: Tensor) -> Tensor:
    """The row of the table of counts for each key, (B, T, K) int64.

    Args:
        position: the type of bar and the position in it, (B, T, 1).
        since: (B, T, K), steps since the key was struck.
        given: (B, T, K) bool, the keys known to be struck in this frame.
    """
    struck = given.sum(-1, keepdim=True).clamp(max=MOST)
    near = max_pool1d(given.flatten(0, 1).float(), 2 * NEAR + 1, stride=1, padding=NEAR).view_as(given) > 0
    condition: Tensor = (position * LONGEST + since.clamp(max=LONGEST) - 1) * (MOST + 1) + struck
    return condition * 2 + near
