"""Promises of a velocity part: loudness of struck keys, and numbers for what was played."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from zoo.parts.interfaces import Velocity
from zoo.testing.chances import Scored, require_total_one
from zoo.testing.check import check, require, require_same
from zoo.testing.music import Music
from zoo.testing.subject import Subject

NEAR = 3.0
"""Velocities between what is predicted and what is scored, at most."""


@check("velocity", cure="end in a sigmoid or clamp, and multiply by the struck keys")
def loudness_is_of_struck_keys(subject: Subject) -> None:
    """Predicted loudness lies in 0..1, is above 0 where a key is struck, and 0 where none is."""
    for part in (cast(Velocity, subject.build()), cast(Velocity, subject.build_lively())):
        music = subject.music(3, 12)
        loudness, _ = part.predict(music.codes, music.keys, music.softness, part.start(3))
        require(((loudness >= 0) & (loudness <= 1)).all(), "loudness outside 0..1")
        require((loudness[music.keys == 0] == 0).all(), "a key that is not struck is loud")
        require((loudness[music.keys > 0] > 0).all(), "a struck key has loudness 0")


def _at(music: Music, key: int, velocities: Tensor) -> Music:
    """The last frame of one stretch, once for each velocity of a key struck in it, (N, T, K)."""
    many = music.map(lambda plane: plane.expand(len(velocities), *plane.shape[1:]).clone())
    many.keys[:, -1] = 0
    many.loudness[:, -1] = 0
    many.keys[:, -1, key] = 1
    many.loudness[:, -1, key] = velocities / 127
    return many


@check(
    "velocity",
    cure="discretise: the probability of k is what lies between k - 1/2 and k + 1/2, the tails at 1 "
    "and 127 included",
)
@torch.no_grad()
def velocity_probabilities_sum_to_one(subject: Subject) -> None:
    """exp(log_prob) of a single struck note sums to 1 over its velocities 1..127."""
    part, music = cast(Velocity, subject.build_lively()), subject.music(1, 3)
    for key in (0, part.sizes.keys - 1):
        many = _at(music, key, torch.arange(1, 128).float())
        value = part.log_prob(many.codes, many.keys, many.loudness, many.softness).value[:, -1]
        require(value.isfinite().all(), "a velocity of 1..127 has no finite log-probability")
        chances = value.double().exp()
        require_total_one(Scored(chances, torch.zeros_like(chances)), f"key {key}")


@check("velocity", cure="sum log-probabilities over struck keys only")
def silence_costs_nothing(subject: Subject) -> None:
    """A frame without struck keys costs 0 nats, and notes of a frame add up."""
    part, music = cast(Velocity, subject.build_lively()), subject.music(2, 8)
    value = part.log_prob(music.codes, music.keys, music.loudness, music.softness)
    silent = music.keys.sum(-1) == 0
    require(value.kind == "exact", f"kind {value.kind}; a velocity is scored without chance")
    require_same(value.value[silent], torch.zeros(int(silent.sum())), "nats of silence", tolerance=1e-6)


@check("velocity", cure="let `predict` return the loudness that the distribution of `log_prob` lies around")
@torch.no_grad()
def predictions_are_what_is_scored(subject: Subject) -> None:
    """Predicted loudness lies near the mean, or the most likely value, of what log_prob scores."""
    part, music = cast(Velocity, subject.build_lively()), subject.music(1, 3)
    velocities = torch.arange(1, 128).float()
    many = _at(music, 1, velocities)
    value = part.log_prob(many.codes, many.keys, many.loudness, many.softness).value[:, -1]
    loudness, _ = part.predict(many.codes, many.keys, many.softness, part.start(len(velocities)))
    predicted = float(loudness[0, -1, 1] * 127)
    mean = float((value.softmax(0) * velocities).sum())
    likeliest = velocities[value >= value.max() - 1e-4]
    far = min(abs(mean - predicted), float((likeliest - predicted).abs().min()))
    require(far <= NEAR, f"predicts {predicted:.1f}, but the scores have their mean at {mean:.1f}")
