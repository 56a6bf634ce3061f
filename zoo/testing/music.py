"""Toy music at small sizes, with the inputs of every slot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from zoo.parts.clock import Clock, joined
from zoo.parts.interfaces import Decoder, Sizes
from zoo.parts.layers import pitch_classes
from zoo.parts.piano import PITCH_CLASSES

LONG = 150
"""Frames of long sequences: more than nine bars, and more than the longest lag of the baseline."""


def small_sizes(features: int = 5) -> Sizes:
    """Four codes of 1, 2, 3 and 3 keys, which are not adjacent."""
    owner = torch.tensor([3, 1, 2, 3, 0, 2, 1, 3, 2])
    return Sizes(
        codes=4, features=features, membership=owner.unsqueeze(0) == torch.arange(4).unsqueeze(-1), keys=9
    )


def even_sizes(codes: int = 5) -> Sizes:
    """Codes of one key each, for parts that need an encoder without octaves."""
    return Sizes(codes, features=5, membership=torch.eye(codes, dtype=torch.bool), keys=codes)


def real_sizes(features: int = 130) -> Sizes:
    """Twelve pitch classes over the 88 keys of the piano."""
    return Sizes(codes=PITCH_CLASSES, features=features, membership=pitch_classes())


@dataclass(frozen=True)
class Music:
    """A batch of B excerpts of T frames, with the inputs of every slot.

    Attributes:
        past: codes before the first frame, (B, P, C).
        codes: (B, T, C) in {0, 1}, folded from the keys.
        features: (B, T, F), random numbers in place of an attention's features.
        clock: (B, T); the rows start at different positions of their pieces.
        keys: (B, T, K) in {0, 1}; for a velocity these are the struck keys.
        previous: the keys of the frame before, (B, T, K).
        past_keys: keys before the first of these, (B, P, K).
        loudness: (B, T, K), k/127 with k in 1..127 where a key is struck, else 0.
        previous_loudness: the loudness of the frame before, (B, T, K).
        past_loudness: loudness before the first of these, (B, P, K).
        onset: (B, T, K) bool, the keys.
        sounding: (B, T, K) bool, the keys and some that are held.
    """

    past: Tensor
    codes: Tensor
    features: Tensor
    clock: Clock
    keys: Tensor
    previous: Tensor
    past_keys: Tensor
    loudness: Tensor
    previous_loudness: Tensor
    past_loudness: Tensor
    onset: Tensor
    sounding: Tensor

    def before(self, decoder: Decoder) -> Tensor:
        """What the decoder takes as `previous`: the keys of the frame before, or their loudness."""
        return self.previous_loudness if decoder.uses_loudness else self.previous

    @property
    def batch(self) -> int:
        """B, the number of excerpts."""
        return int(self.codes.shape[0])

    @property
    def frames(self) -> int:
        """T, the number of frames in each."""
        return int(self.codes.shape[1])

    def map(self, change: Callable[[Tensor], Tensor]) -> Music:
        """Apply a function to every tensor, including those of the clock."""
        changed: dict[str, Any] = {
            name: plane.map(change) if isinstance(plane, Clock) else change(plane)
            for name, plane in self.tensors()
        }
        return Music(**changed)

    def tensors(self) -> list[tuple[str, Any]]:
        """All tensors and the clock, as (name, value)."""
        return [(plane.name, getattr(self, plane.name)) for plane in fields(self)]

    def rows(self, first: int, last: int) -> Music:
        """The excerpts of rows `first` to `last` (exclusive)."""
        return self.map(lambda plane: plane[first:last])

    def span(self, first: int, last: int) -> Music:
        """Frames `first` to `last` (exclusive) of every excerpt, with the same past."""
        cut = self.map(lambda plane: plane[:, first:last])
        return replace(cut, **self._of_past())

    def then(self, other: Music) -> Music:
        """These frames followed by those of `other`, with the same past."""
        planes = zip(self.tensors(), other.tensors(), strict=True)
        return replace(Music(*(_joined(a, b, 1) for (_, a), (_, b) in planes)), **self._of_past())

    def _of_past(self) -> dict[str, Any]:
        return {name: plane for name, plane in self.tensors() if name.startswith("past")}

    def beside(self, other: Music) -> Music:
        """These excerpts and those of `other` as one batch."""
        planes = zip(self.tensors(), other.tensors(), strict=True)
        return Music(*(_joined(a, b, 0) for (_, a), (_, b) in planes))


def _joined(first: Any, second: Any, dim: int) -> Any:
    """Concatenate two tensors or two clocks."""
    return joined([first, second], dim) if isinstance(first, Clock) else torch.cat([first, second], dim)


def shift(planes: Tensor) -> Tensor:
    """The frame before each frame; silence before the first."""
    return torch.cat([torch.zeros_like(planes[:, :1]), planes[:, :-1]], 1)


def fold(keys: Tensor, sizes: Sizes) -> Tensor:
    """Codes of keys, computed from the membership only."""
    return (keys @ sizes.membership.T.to(keys) > 0).to(keys)


def hold(onset: Tensor, holds: Tensor) -> Tensor:
    """Sounding planes: each struck key sounds on for as long as `holds` (B, T, K) bool is true."""
    frames = [onset[:, 0]]
    for frame in range(1, onset.shape[1]):
        frames.append(onset[:, frame] | (frames[-1] & holds[:, frame]))
    return torch.stack(frames, 1)


def music_of_keys(keys: Tensor, sizes: Sizes, seed: int = 0, past: int = 5) -> Music:
    """Music with the given struck keys (B, T, K), and random planes that agree with them."""
    generator = torch.Generator().manual_seed(seed)
    batch, frames, _ = keys.shape
    velocity = torch.randint(1, 128, keys.shape, generator=generator)
    loudness = keys * velocity / 127
    before = (torch.rand(batch, past, sizes.keys, generator=generator) < 0.3).float()
    clock = Clock.common_time(torch.arange(frames) + 7 * torch.arange(batch).unsqueeze(-1) - 1, sizes.grid)
    return Music(
        past=fold(before, sizes),
        codes=fold(keys, sizes),
        features=torch.randn(batch, frames, sizes.features, generator=generator),
        clock=clock,
        keys=keys,
        previous=shift(keys),
        past_keys=before,
        loudness=loudness,
        previous_loudness=shift(loudness),
        past_loudness=before * torch.randint(1, 128, before.shape, generator=generator) / 127,
        onset=keys > 0,
        sounding=hold(keys > 0, torch.rand(keys.shape, generator=generator) < 0.5),
    )


def random_music(sizes: Sizes, batch: int = 3, frames: int = 6, seed: int = 0, past: int = 5) -> Music:
    """Random music: about one key in `codes + 1` is struck, so that some frames are silent at every size."""
    generator = torch.Generator().manual_seed(seed)
    keys = (torch.rand(batch, frames, sizes.keys, generator=generator) < 1 / (sizes.codes + 1)).float()
    return music_of_keys(keys, sizes, seed, past)


def uniform_music(sizes: Sizes, on: bool, batch: int = 2, frames: int = 4) -> Music:
    """Silence, or all keys in every frame."""
    return music_of_keys(torch.full((batch, frames, sizes.keys), float(on)), sizes)
