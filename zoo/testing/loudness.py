"""Checks of velocity parts: predicted loudness, and scores of the velocities that were played."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from zoo.parts.interfaces import Velocity
from zoo.testing.check import check, require, require_same
from zoo.testing.music import Music
from zoo.testing.probability import Scored, require_total_one
from zoo.testing.under_test import PartUnderTest

NEAR = 3.0
"""Maximum difference between predicted and scored velocity, in MIDI velocities."""


@check("velocity", hint="apply a sigmoid or clamp, and multiply by the struck keys")
def only_struck_keys_have_loudness(tested: PartUnderTest) -> None:
    """Predicted loudness is in (0, 1] for struck keys and 0 for all others."""
    for part in (cast(Velocity, tested.build()), cast(Velocity, tested.build_randomised())):
        music = tested.music(3, 12)
        loudness, _ = part.predict(music.codes, music.keys, music.previous_loudness, part.start(3))
        require(((loudness >= 0) & (loudness <= 1)).all(), "loudness outside 0..1")
        require((loudness[music.keys == 0] == 0).all(), "a key that is not struck has a loudness above 0")
        require((loudness[music.keys > 0] > 0).all(), "a struck key has loudness 0")


def _at(music: Music, key: int, velocities: Tensor) -> Music:
    """The music once for each velocity (N,), where the key is the only one struck in the last frame."""
    copies = music.map(lambda plane: plane.expand(len(velocities), *plane.shape[1:]).clone())
    copies.keys[:, -1] = 0
    copies.loudness[:, -1] = 0
    copies.keys[:, -1, key] = 1
    copies.loudness[:, -1, key] = velocities / 127
    return copies


@check(
    "velocity",
    hint="discretise: the probability of k is the mass between k - 1/2 and k + 1/2, normalised over 1..127",
)
@torch.no_grad()
def velocity_probabilities_sum_to_one(tested: PartUnderTest) -> None:
    """exp(log_prob) of a single struck note sums to 1 over the velocities 1..127."""
    part, music = cast(Velocity, tested.build_randomised()), tested.music(1, 3)
    for key in (0, part.sizes.keys - 1):
        many = _at(music, key, torch.arange(1, 128).float())
        value = part.log_prob(many.codes, many.keys, many.loudness, many.previous_loudness).value[:, -1]
        require(value.isfinite().all(), "a velocity of 1..127 has no finite log-probability")
        probabilities = value.double().exp()
        require_total_one(Scored(probabilities, torch.zeros_like(probabilities)), f"key {key}")


@check("velocity", hint="sum log-probabilities over the struck keys only")
def silence_scores_zero(tested: PartUnderTest) -> None:
    """A frame without struck keys scores 0 nats, exactly."""
    part, music = cast(Velocity, tested.build_randomised()), tested.music(2, 8)
    score = part.log_prob(music.codes, music.keys, music.loudness, music.previous_loudness)
    silent = music.keys.sum(-1) == 0
    require(score.kind == "exact", f"kind {score.kind}; scores of velocities must be exact")
    require_same(score.value[silent], torch.zeros(int(silent.sum())), "nats of silence", tolerance=1e-6)


@check("velocity", hint="let `predict` return the centre of the distribution that `log_prob` scores")
@torch.no_grad()
def predictions_match_the_scores(tested: PartUnderTest) -> None:
    """Predicted loudness is near the mean or the mode of the distribution that log_prob scores."""
    part, music = cast(Velocity, tested.build_randomised()), tested.music(1, 3)
    velocities = torch.arange(1, 128).float()
    copies = _at(music, 1, velocities)
    value = part.log_prob(copies.codes, copies.keys, copies.loudness, copies.previous_loudness).value[:, -1]
    state = part.start(len(velocities))
    loudness, _ = part.predict(copies.codes, copies.keys, copies.previous_loudness, state)
    predicted = float(loudness[0, -1, 1] * 127)
    mean = float((value.softmax(0) * velocities).sum())
    modes = velocities[value >= value.max() - 1e-4]
    difference = min(abs(mean - predicted), float((modes - predicted).abs().min()))
    require(difference <= NEAR, f"predicts {predicted:.1f}, but the scored distribution has mean {mean:.1f}")
