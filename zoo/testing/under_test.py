"""The part under test: its description, and instances of it at small sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zoo.parts import Description, Fact, Settings, Slot
from zoo.parts.description import imported
from zoo.parts.interfaces import Decoder, Part, Sizes
from zoo.registry.sources import Source
from zoo.testing.calls import context
from zoo.testing.music import Music, even_sizes, random_music, small_sizes


@dataclass(frozen=True)
class PartUnderTest:
    """A part whose contract is tested, used through the contract only.

    Attributes:
        description: the description of the part.
        source: the plugin that offers it; None if the description was given directly.
        chosen: settings that differ from the defaults.
    """

    description: Description
    source: Source | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [f"{self.slot}.{self.description.name}", *(f"{k}={v}" for k, v in self.chosen.items())]
        return " ".join(words)

    @property
    def slot(self) -> Slot:
        """The slot of the part."""
        return self.description.slot

    @property
    def settings(self) -> Settings:
        """The settings it is tested with."""
        settings: Settings = imported(self.description.settings)(**self.chosen)
        return settings

    @property
    def target(self) -> type[Part]:
        """The class of the part."""
        target: type[Part] = imported(self.description.target)
        return target

    @property
    def sizes(self) -> Sizes:
        """The smallest sizes that the part is compatible with; an encoder defines its own."""
        if self.slot == "encoder":
            return self.build().sizes
        candidates = [small_sizes(), small_sizes(features=4), even_sizes()]
        for sizes in candidates:
            if not list(self.description.fit(self.settings, facts(sizes))):
                return sizes
        return candidates[0]

    def build(self, seed: int = 0, settings: Settings | None = None, sizes: Sizes | None = None) -> Part:
        """An untrained part in evaluation mode; the same seed gives the same weights."""
        settings = settings or self.settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.slot == "encoder":
                return self.target(settings).eval()  # type: ignore[call-arg]
            return self.target(settings, sizes or self.sizes).eval()

    def build_randomised(self, seed: int = 0, sizes: Sizes | None = None) -> Part:
        """A part with large random weights and with counts, so that no output is zero or uniform at first."""
        part = self.build(seed, sizes=sizes)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weights in part.parameters():
                width = weights.shape[-1] if weights.dim() > 1 else 4
                weights.copy_(torch.randn(weights.shape, generator=generator) * 2 / width**0.5)
        return counted(part, self.slot, random_music(part.sizes, batch=4, frames=8, seed=seed + 1))

    def music(self, batch: int = 3, frames: int = 6, seed: int = 0, past: int = 5) -> Music:
        """Random music at the sizes of the part."""
        return random_music(self.sizes, batch, frames, seed, past)


def facts(sizes: Sizes) -> dict[str, Fact]:
    """The facts that the other parts of a recipe would give at these sizes."""
    known: dict[str, Fact] = {
        "encoder.codes": sizes.codes,
        "encoder.plane": "onset",
        "attention.features": sizes.features,
    }
    return known if sizes.inputs == sizes.codes else {**known, "encoder.inputs": sizes.inputs}


def counted(part: Part, slot: Slot, music: Music, mask: Tensor | None = None) -> Part:
    """The part after counting the music, as in training; an attention does not count."""
    if slot != "attention":
        with torch.no_grad():
            mask = _full_mask(music) if mask is None else mask
            known = context(part, "count", music)
            part.count(*_count_arguments(part, slot, music), mask=mask, **known)
    return part


def calibrated(
    part: Part, slot: Slot, music: Music, mask: Tensor | None = None, *, first: bool = True
) -> Part:
    """The part after calibration on the music, as in training; an attention is not calibrated."""
    if slot != "attention":
        with torch.no_grad():
            mask = _full_mask(music) if mask is None else mask
            known = context(part, "calibrate", music)
            part.calibrate(*_count_arguments(part, slot, music), mask=mask, first=first, **known)
    return part


def _full_mask(music: Music) -> Tensor:
    return torch.ones(music.codes.shape[:2], dtype=torch.bool)


def _count_arguments(part: Part, slot: Slot, music: Music) -> tuple[Any, ...]:
    """The music that `count` and `calibrate` of a slot's parts receive."""
    if isinstance(part, Decoder):
        return music.codes, music.keys, music.before(part)
    arguments: dict[Slot, tuple[Any, ...]] = {
        "encoder": (music.onset, music.sounding, music.clock),
        "sampler": (music.codes,),
        "velocity": (music.codes, music.keys, music.loudness, music.previous_loudness),
    }
    return arguments[slot]
