"""Checks of velocity parts: predicted loudness, and scores of the velocities that were played."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from zoo.parts.interfaces import Velocity
from zoo.testing.calls import log_prob, predict, start
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
        loudness, _ = predict(part, music, start(part, "velocity", music))
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
        value = log_prob(part, "velocity", many).value[:, -1]
        require(value.isfinite().all(), "a velocity of 1..127 has no finite log-probability")
        probabilities = value.double().exp()
        require_total_one(Scored(probabilities, torch.zeros_like(probabilities)), f"key {key}")


@check("velocity", hint="sum log-probabilities over the struck keys only")
def silence_scores_zero(tested: PartUnderTest) -> None:
    """A frame without struck keys scores 0 nats, exactly."""
    part, music = cast(Velocity, tested.build_randomised()), tested.music(2, 8)
    score = log_prob(part, "velocity", music)
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
    value = log_prob(part, "velocity", copies).value[:, -1]
    loudness, _ = predict(part, copies, start(part, "velocity", copies))
    predicted = float(loudness[0, -1, 1] * 127)
    mean = float((value.softmax(0) * velocities).sum())
    modes = velocities[value >= value.max() - 1e-4]
    difference = min(abs(mean - predicted), float((modes - predicted).abs().min()))
    require(difference <= NEAR, f"predicts {predicted:.1f}, but the scored distribution has mean {mean:.1f}")
