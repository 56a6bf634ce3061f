"""The composition: five parts as one model of music, and the one shift from a frame to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from zoo.data.fragments import Fragments
from zoo.errors import DataError, Problem
from zoo.model.random import seeded_layers, spawn
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Decoder, Encoder, LogProb, Part, Sampler, Velocity
from zoo.parts.terms import SLOTS_OF, TERMS, Term
from zoo.registry import Recipe


@dataclass(frozen=True)
class Batch:
    """What the parts see of a batch of fragments: T frames to predict, and what comes before each.

    Attributes:
        past: codes before the first input, (B, P, C).
        inputs: codes of the frame before each target, (B, T, C).
        clock: (B, T), where the input frames lie in their bars.
        codes: the targets, (B, T, C).
        previous: keys of the frame before each target, (B, T, K).
        keys: the targets, (B, T, K).
    """

    past: Tensor
    inputs: Tensor
    clock: Clock
    codes: Tensor
    previous: Tensor
    keys: Tensor


@dataclass(frozen=True)
class VelocityBatch:
    """How the notes of a batch are struck: planes (B, T, K), loudness in 0..1."""

    struck: Tensor
    loudness: Tensor
    previous: Tensor


class Model(nn.Module):
    """A model of polyphonic music, assembled from one part per slot.

    Attributes:
        recipe: the parts and settings it was built from.
    """

    def __init__(
        self,
        recipe: Recipe,
        encoder: Encoder,
        attention: Attention,
        sampler: Sampler,
        decoder: Decoder,
        velocity: Velocity,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.encoder = encoder
        self.attention = attention
        self.sampler = sampler
        self.decoder = decoder
        self.velocity = velocity

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the recipe first: it loads the code of plugins in files, which the parts are made of."""
        return _bare, (self.recipe,), self.__dict__

    @property
    def grid(self) -> int:
        """Frames to a quarter note that it was built for."""
        return self.recipe.grid

    def check_grid(self, grid: int, where: str) -> None:
        """Refuse music on another grid than the model was built for.

        Args:
            grid: frames to a quarter note of the music.
            where: what the music is called.

        Raises:
            DataError: the grids differ.
        """
        if grid != self.grid:
            raise DataError(
                Problem(
                    f"it has {grid} frames to a quarter note, the model {self.grid}",
                    where,
                    f"read it with grid={self.grid}, or build and train a model with grid={grid}",
                )
            )

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.encoder.device

    def parameters_of(self, term: Term) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that one term of the loss trains."""
        for slot in SLOTS_OF[term]:
            for name, parameter in self.get_submodule(slot).named_parameters():
                yield f"{slot}.{name}", parameter

    def batch(self, fragments: Fragments) -> Batch:
        """What the parts see of the fragments; the one place where frame t meets frame t+1.

        Raises:
            DataError: the encoder needs pressed keys and the music does not hold them.
        """
        keys = self.encoder.keys(fragments.onset, fragments.sounding)
        codes = self.encoder.fold(keys)
        first = fragments.past
        return Batch(
            past=codes[:, :first],
            inputs=codes[:, first:-1],
            clock=fragments.clock[:, :-1],
            codes=codes[:, first + 1 :],
            previous=keys[:, first:-1],
            keys=keys[:, first + 1 :],
        )

    def velocity_batch(self, fragments: Fragments) -> VelocityBatch | None:
        """How the fragments' notes are struck; None without a loudness model or velocities."""
        if not self.velocity.models_loudness or fragments.velocity is None or fragments.onset is None:
            return None
        loudness = fragments.velocity[:, fragments.past :].float() / 127
        struck = fragments.onset[:, fragments.past + 1 :].float()
        return VelocityBatch(struck=struck, loudness=loudness[:, 1:], previous=loudness[:, :-1])

    def count(self, fragments: Fragments, *, first: bool) -> None:
        """Let every part count whole pieces; `first` resets the counts."""
        for part, music in self._music(fragments):
            if first:
                part.forget_counts()
            part.count(*music, mask=fragments.mask)

    @torch.no_grad()
    def calibrate(self, fragments: Fragments, *, first: bool) -> None:
        """Calibrate every part on whole validation pieces; `first` resets it."""
        for part, music in self._music(fragments):
            part.calibrate(*music, mask=fragments.mask, first=first)

    def forward(self, fragments: Fragments, generator: Generator) -> dict[Term, Tensor]:
        """Mean loss per frame of each term that has something to learn by gradient: one step's objective.

        The quantities differ from part to part: they train, they never rank. Their sum trains every part,
        since no two terms share parameters. In training mode the generator also decides what layers such as
        `nn.Dropout` leave out.

        Args:
            fragments: a batch on the model's grid and device.
            generator: randomness of the step, on the same device.

        Returns:
            Scalars by term: `core`, `decoder`, and `velocity` where the music and the model have it.
        """
        batch, velocity = self.batch(fragments), self.velocity_batch(fragments)
        chance = spawn(generator, *TERMS)
        frames: dict[Term, Tensor] = {}
        with seeded_layers(chance["core"]):
            frames["core"] = self.sampler.loss(self._features(batch), batch.codes, chance["core"])
        with seeded_layers(chance["decoder"]):
            frames["decoder"] = self.decoder.loss(batch.codes, batch.keys, batch.previous, chance["decoder"])
        if velocity is not None:
            with seeded_layers(chance["velocity"]):
                frames["velocity"] = self.velocity.loss(
                    batch.codes, velocity.struck, velocity.loudness, velocity.previous, chance["velocity"]
                )
        weight = fragments.mask / fragments.mask.sum().clamp(min=1)
        return {term: (loss * weight).sum() for term, loss in frames.items() if loss.requires_grad}

    @torch.no_grad()
    def log_probs(self, fragments: Fragments, generator: Generator) -> dict[str, LogProb]:
        """Log-probabilities (B, T) in nats of what makes up the score of whole pieces.

        Returns:
            `codes` and `keys`; `residual`, where the music says which keys are pressed; `velocity`,
            summed over the notes struck in a frame, where the music and the model have loudness.
        """
        batch, velocity = self.batch(fragments), self.velocity_batch(fragments)
        chance = spawn(generator, *TERMS)
        found = {
            "codes": self.sampler.log_prob(self._features(batch), batch.codes, chance["core"]),
            "keys": self.decoder.log_prob(batch.codes, batch.keys, batch.previous, chance["decoder"]),
        }
        if (residual := self.residual_log_prob(fragments)) is not None:
            found["residual"] = LogProb(residual)
        if velocity is not None:
            found["velocity"] = self.velocity.log_prob(
                batch.codes, velocity.struck, velocity.loudness, velocity.previous
            )
        return found

    def residual_log_prob(self, fragments: Fragments) -> Tensor | None:
        """Nats (B, T) of what the keys leave out of the score; None where the music has no onsets."""
        score = _score(fragments)
        return None if score is None else self.encoder.residual.log_prob(*score)

    def _music(self, fragments: Fragments) -> Iterator[tuple[Part, tuple[Any, ...]]]:
        """Each part with the inputs from which it counts or calibrates."""
        batch, velocity = self.batch(fragments), self.velocity_batch(fragments)
        if score := _score(fragments):
            yield self.encoder, score
        yield self.sampler, (batch.codes,)
        yield self.decoder, (batch.codes, batch.keys, batch.previous)
        if velocity is not None:
            yield self.velocity, (batch.codes, velocity.struck, velocity.loudness, velocity.previous)

    def _features(self, batch: Batch) -> Tensor:
        features: Tensor
        features, _ = self.attention(batch.inputs, batch.clock, self.attention.start(batch.past))
        return features


def _bare(recipe: Recipe) -> Model:
    """A model without parts, to be filled with those of a pickle."""
    return Model.__new__(Model)


def _score(fragments: Fragments) -> tuple[Tensor, Tensor, Clock] | None:
    """Onset and sounding planes (B, T, K) of the targets and their clock; None for music without onsets."""
    if fragments.onset is None:
        return None
    targets = slice(fragments.past + 1, None)
    return fragments.onset[:, targets], fragments.sounding[:, targets], fragments.clock[:, 1:]
