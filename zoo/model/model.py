"""The model: five parts composed into one, and the shift from a frame to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from zoo.data.fragments import Fragments
from zoo.errors import DataError, Problem
from zoo.model.batch import Batch, VelocityBatch
from zoo.model.random import seeded_layers, spawn
from zoo.music.roll import DEFAULT_VELOCITY
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Decoder, Encoder, LogProb, Part, Sampler, Velocity
from zoo.parts.optional import accepted
from zoo.parts.terms import SLOTS_OF, TERMS, Term
from zoo.registry import Recipe


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
        """Pickle the recipe first: unpickling it imports plugins in files, which the parts need."""
        return _without_parts, (self.recipe,), self.__dict__

    @property
    def grid(self) -> int:
        """Frames per quarter note that the model was built for."""
        return self.recipe.grid

    def check_grid(self, grid: int, where: str) -> None:
        """Raise an error for music on a grid that the model was not built for.

        Args:
            grid: frames per quarter note of the music.
            where: name of the music in the error message.

        Raises:
            DataError: the grids differ.
        """
        if grid != self.grid:
            raise DataError(
                Problem(
                    f"it has {grid} frames per quarter note, the model {self.grid}",
                    where,
                    f"read it with grid={self.grid}, or build and train a model with grid={grid}",
                )
            )

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.encoder.device

    def parameters_of(self, term: Term) -> Iterator[tuple[str, nn.Parameter]]:
        """The names and parameters that a term of the loss trains."""
        for slot in SLOTS_OF[term]:
            for name, parameter in self.get_submodule(slot).named_parameters():
                yield f"{slot}.{name}", parameter

    def batch(self, fragments: Fragments) -> Batch:
        """The inputs and targets of the parts; the only place where frame t is aligned with frame t+1.

        Raises:
            DataError: the encoder needs onsets, and the music has none.
        """
        keys = self.encoder.keys(fragments.onset, fragments.sounding)
        codes = self.encoder.fold(keys)
        heard = self.encoder.heard(keys, codes)
        played = _loudness(keys, fragments.velocity) if self.decoder.uses_loudness else keys
        first = fragments.past
        return Batch(
            past=heard[:, :first],
            inputs=heard[:, first:-1],
            clock=fragments.clock[:, :-1],
            past_codes=codes[:, : first + 1],
            codes=codes[:, first + 1 :],
            previous=played[:, first:-1],
            keys=keys[:, first + 1 :],
            past_keys=played[:, :first],
            target_clock=fragments.clock[:, 1:],
        )

    def velocity_batch(self, fragments: Fragments) -> VelocityBatch | None:
        """The inputs and targets of the velocity part; None if it models nothing or the music has none."""
        if not self.velocity.models_loudness or fragments.velocity is None or fragments.onset is None:
            return None
        first, loudness = fragments.past, fragments.velocity.float() / 127
        return VelocityBatch(
            struck=fragments.onset[:, first + 1 :].float(),
            loudness=loudness[:, first + 1 :],
            previous=loudness[:, first:-1],
            past=loudness[:, :first],
            clock=fragments.clock[:, 1:],
        )

    def count(self, fragments: Fragments, *, first: bool) -> None:
        """Let every part count whole pieces; `first` resets the counts."""
        for part, music, context in self._part_inputs(fragments):
            if first:
                part.forget_counts()
            part.count(*music, mask=fragments.mask, **accepted(part, "count", **context))

    @torch.no_grad()
    def calibrate(self, fragments: Fragments, *, first: bool) -> None:
        """Calibrate every part on whole validation pieces; `first` resets the calibration."""
        for part, music, context in self._part_inputs(fragments):
            known = accepted(part, "calibrate", **context)
            part.calibrate(*music, mask=fragments.mask, first=first, **known)

    def forward(self, fragments: Fragments, generator: Generator) -> dict[Term, Tensor]:
        """The training objective of one step: mean loss per frame of each term that has a gradient.

        Each part defines its own loss, so losses of different parts cannot be compared; `log_probs` can. The
        sum of the terms trains every part, since no two terms share parameters. In training mode, layers such
        as `nn.Dropout` are seeded by the generator as well.

        Args:
            fragments: a batch on the model's grid and device.
            generator: the generator of the step, on the same device.

        Returns:
            Scalars by term: `core`, `decoder`, and `velocity` if the music and the model have it.
        """
        batch, velocity = self.batch(fragments), self.velocity_batch(fragments)
        chance = spawn(generator, *TERMS)
        frames: dict[Term, Tensor] = {}
        with seeded_layers(chance["core"]):
            frames["core"] = self.sampler.loss(
                self._features(batch),
                batch.codes,
                chance["core"],
                **accepted(self.sampler, "loss", **batch.of_codes),
            )
        with seeded_layers(chance["decoder"]):
            frames["decoder"] = self.decoder.loss(
                batch.codes,
                batch.keys,
                batch.previous,
                chance["decoder"],
                **accepted(self.decoder, "loss", **batch.of_keys),
            )
        if velocity is not None:
            with seeded_layers(chance["velocity"]):
                frames["velocity"] = self.velocity.loss(
                    batch.codes,
                    velocity.struck,
                    velocity.loudness,
                    velocity.previous,
                    chance["velocity"],
                    **accepted(self.velocity, "loss", **velocity.of_loudness),
                )
        weight = fragments.mask / fragments.mask.sum().clamp(min=1)
        return {term: (loss * weight).sum() for term, loss in frames.items() if loss.requires_grad}

    @torch.no_grad()
    def log_probs(self, fragments: Fragments, generator: Generator) -> dict[str, LogProb]:
        """Log-probabilities (B, T) in nats of the terms of the score.

        Args:
            fragments: whole pieces on the model's grid and device.
            generator: the generator of terms that are estimated, on the same device.

        Returns:
            Log-probabilities by term: `codes` and `keys`; `residual` if the music has onsets; `velocity`,
            summed over the notes struck in a frame, if the music and the model have it.
        """
        batch, velocity = self.batch(fragments), self.velocity_batch(fragments)
        chance = spawn(generator, *TERMS)
        scores = {
            "codes": self.sampler.log_prob(
                self._features(batch),
                batch.codes,
                chance["core"],
                **accepted(self.sampler, "log_prob", **batch.of_codes),
            ),
            "keys": self.decoder.log_prob(
                batch.codes,
                batch.keys,
                batch.previous,
                chance["decoder"],
                **accepted(self.decoder, "log_prob", **batch.of_keys),
            ),
        }
        if (residual := self.residual_log_prob(fragments)) is not None:
            scores["residual"] = LogProb(residual)
        if velocity is not None:
            scores["velocity"] = self.velocity.log_prob(
                batch.codes,
                velocity.struck,
                velocity.loudness,
                velocity.previous,
                **accepted(self.velocity, "log_prob", **velocity.of_loudness),
            )
        return scores

    def residual_log_prob(self, fragments: Fragments) -> Tensor | None:
        """Log-probabilities (B, T) of what the encoder's keys leave out; None if the music has no onsets."""
        planes = _target_planes(fragments)
        return None if planes is None else self.encoder.residual.log_prob(*planes)

    def _part_inputs(self, fragments: Fragments) -> Iterator[tuple[Part, tuple[Any, ...], dict[str, Any]]]:
        """Each part with the arguments of its `count` and `calibrate`, and those for optional parameters."""
        batch, velocity = self.batch(fragments), self.velocity_batch(fragments)
        if planes := _target_planes(fragments):
            yield self.encoder, planes, {}
        yield self.sampler, (batch.codes,), batch.of_codes
        yield self.decoder, (batch.codes, batch.keys, batch.previous), batch.of_keys
        if velocity is not None:
            music = (batch.codes, velocity.struck, velocity.loudness, velocity.previous)
            yield self.velocity, music, velocity.of_loudness

    def _features(self, batch: Batch) -> Tensor:
        features: Tensor
        features, _ = self.attention(batch.inputs, batch.clock, self.attention.start(batch.past))
        return features


def _without_parts(recipe: Recipe) -> Model:
    """A model without parts; unpickling adds them."""
    return Model.__new__(Model)


def _loudness(keys: Tensor, velocity: Tensor | None) -> Tensor:
    """Loudness (B, T, K) in 0..1 of the keys: that of the default velocity if velocities are unknown."""
    return keys * (DEFAULT_VELOCITY / 127) if velocity is None else velocity.to(keys) / 127


def _target_planes(fragments: Fragments) -> tuple[Tensor, Tensor, Clock] | None:
    """Onset and sounding planes (B, T, K) of the targets, and their clock; None for music without onsets."""
    if fragments.onset is None:
        return None
    targets = slice(fragments.past + 1, None)
    return fragments.onset[:, targets], fragments.sounding[:, targets], fragments.clock[:, 1:]
