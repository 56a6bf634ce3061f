"""Velocity parts that break their contract, each in one way."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import log_softmax, pad

import zoo.testing
from zoo.parts import Description
from zoo.parts.interfaces import LogProb, Velocity
from zoo.parts.layers import LSTM

LEVELS = torch.arange(1, 128)


class Good(Velocity):
    """An LSTM over keys and previous loudness; velocities scatter around its output with fixed width."""

    spread = 12.0

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.lstm = LSTM(sizes.codes + 2 * sizes.keys, 8)
        self.linear = nn.Linear(8, sizes.keys)

    def start(self, batch):
        return self.lstm.start(batch)

    def loud(self, codes, struck, previous, state):
        hidden, state = self.lstm(torch.cat([codes, struck, previous], -1), state)
        return self.linear(hidden).sigmoid(), state

    def loss(self, codes, struck, loudness, previous, generator):
        predicted, _ = self.loud(codes, struck, previous, self.start(len(codes)))
        return ((predicted - loudness).square() * struck).sum(-1)

    def log_prob(self, codes, struck, loudness, previous):
        predicted, _ = self.loud(codes, struck, previous, self.start(len(codes)))
        return LogProb((self.bell(predicted, loudness) * struck).sum(-1))

    def bell(self, predicted, loudness):
        distance = (LEVELS.to(predicted) - 127 * predicted.unsqueeze(-1)) / self.spread
        played = (loudness * 127).round().long().clamp(1, 127).unsqueeze(-1) - 1
        return log_softmax(-distance.square(), -1).gather(-1, played).squeeze(-1)

    def predict(self, codes, struck, previous, state):
        loudness, state = self.loud(codes, struck, previous, state)
        return loudness.clamp(min=1 / 127) * struck, state


def described(target: type) -> Description:
    return Description(slot="velocity", name="toy", summary="Loud and soft", target=target)


def caught(target: type) -> set[str]:
    return {outcome.check.name for outcome in zoo.testing.run(described(target)).having("failed")}


def test_a_good_velocity_passes_every_check():
    report = zoo.testing.run(described(Good))
    assert report.ok, report.having("failed")
    assert len(report.having("skipped")) == 6


class TakesSilenceForMusic(Good):
    caught_by = ("silence_before_a_piece_is_no_music",)

    def start(self, batch, past=None):
        hidden, cell = super().start(batch)
        return hidden if past is None else hidden + past.shape[1] / 10, cell

    def loss(self, codes, struck, loudness, previous, generator, past):
        predicted, _ = self.loud(codes, struck, previous, self.start(len(codes), past))
        return ((predicted - loudness).square() * struck).sum(-1)

    def log_prob(self, codes, struck, loudness, previous, past):
        predicted, _ = self.loud(codes, struck, previous, self.start(len(codes), past))
        return LogProb((self.bell(predicted, loudness) * struck).sum(-1))


class IsLoudEverywhere(Good):
    caught_by = ("only_struck_keys_have_loudness",)

    def predict(self, codes, struck, previous, state):
        return self.loud(codes, struck, previous, state)


class IsLouderThanAPiano(Good):
    caught_by = ("only_struck_keys_have_loudness", "predictions_match_the_scores")

    def predict(self, codes, struck, previous, state):
        loudness, state = super().predict(codes, struck, previous, state)
        return 1.9 * loudness, state


class IsNotNormalised(Good):
    """Returns a density instead of a probability."""

    caught_by = ("velocity_probabilities_sum_to_one",)

    def bell(self, predicted, loudness):
        return -((loudness - predicted) * 127 / self.spread).square()


class PaysForSilence(Good):
    caught_by = ("silence_scores_zero",)

    def log_prob(self, codes, struck, loudness, previous):
        value = super().log_prob(codes, struck, loudness, previous).value
        return LogProb(value - (struck.sum(-1) == 0).float())


class PredictsSomethingElse(Good):
    caught_by = ("predictions_match_the_scores",)

    def predict(self, codes, struck, previous, state):
        loudness, state = super().predict(codes, struck, previous, state)
        return 0.6 * loudness, state


class LosesItsStateBetweenChunks(Good):
    caught_by = ("loudness_in_chunks_equals_the_whole",)

    def predict(self, codes, struck, previous, state):
        loudness, _ = super().predict(codes, struck, previous, state)
        return loudness, self.start(len(codes))


class SeesTheNextFrame(Good):
    caught_by = ("scores_are_causal",)

    def loss(self, codes, struck, loudness, previous, generator):
        after = pad(loudness, (0, 0, 0, 1))[:, 1:]
        return super().loss(codes, struck, loudness, previous, generator) + after.sum(-1) / 100


class LeaksBetweenRows(Good):
    caught_by = ("rows_are_independent",)

    def predict(self, codes, struck, previous, state):
        loudness, state = super().predict(codes, struck, previous, state)
        return (loudness + 0.01 * struck.mean(0)).clamp(max=1) * struck, state


class NeverForgetsItsCalibration(Good):
    caught_by = ("calibration_starts_afresh",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.register_buffer("notes", torch.zeros((), dtype=torch.int64))

    def calibrate(self, *music, mask, first):
        self.notes += ((music[1] > 0) & mask.unsqueeze(-1)).sum()


class CalibratesOnPadding(NeverForgetsItsCalibration):
    caught_by = ("calibration_starts_afresh",)

    def calibrate(self, *music, mask, first):
        if first:
            self.notes.zero_()
        self.notes += (music[1] > 0).sum()


BAD = [*Good.__subclasses__(), CalibratesOnPadding]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_velocity_is_caught(bad):
    assert caught(bad) == set(bad.caught_by)


def test_every_check_of_a_velocity_is_covered():
    covered = set().union(*(bad.caught_by for bad in BAD))
    common = {check.name for slot in ("encoder", "attention") for check in zoo.testing.checks(slot)}
    assert {check.name for check in zoo.testing.checks("velocity")} - common <= covered
