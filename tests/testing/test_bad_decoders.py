"""Decoders that break their contract, each in one way."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

import zoo.testing
from zoo.parts import Description
from zoo.parts.clock import CLOCK
from zoo.parts.interfaces import Decoder, LogProb
from zoo.parts.layers import LSTM, recent, with_clock
from zoo.parts.masks import bernoulli_log_prob, draw_keys, flip, keys_log_prob, likely


class Good(Decoder):
    """Independent keys given their codes, with a state that summarises earlier frames."""

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.lstm = LSTM(sizes.codes + sizes.keys, 8)
        self.linear = nn.Linear(8, sizes.keys)
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)

    def start(self, batch):
        return self.lstm.start(batch)

    def logits(self, codes, previous, state=None):
        state = self.start(len(codes)) if state is None else state
        hidden, state = self.lstm(torch.cat([codes, previous], -1), state)
        return self.linear(hidden), state

    def score(self, codes, keys, previous):
        return keys_log_prob(self.logits(codes, previous)[0], keys, codes, self.membership)

    def loss(self, codes, keys, previous, generator):
        return -self.score(codes, keys, previous)

    def log_prob(self, codes, keys, previous, generator):
        return LogProb(self.score(codes, keys, previous))

    def sample(self, codes, previous, state, generator, temperature=1.0, top_p=1.0):
        logits, state = self.logits(codes, previous, state)
        return draw_keys(logits / temperature, codes, self.membership, generator, top_p), state

    def follow(self, codes, previous, state):
        return self.logits(codes, previous, state)[1]

    def allowed(self, codes):
        return codes @ self.membership.float()


def described(target: type) -> Description:
    return Description(slot="decoder", name="toy", summary="Keys that remember", target=target)


def caught(target: type) -> set[str]:
    return {outcome.check.name for outcome in zoo.testing.run(described(target)).having("failed")}


class NoisyEstimate(Good):
    """A valid part whose partition function is estimated, with the variance that it states."""

    def log_prob(self, codes, keys, previous, generator):
        value = self.score(codes, keys, previous)
        noise = 0.05 * torch.randn(value.shape, generator=generator, device=self.device)
        return LogProb(value + noise, "estimate", variance=torch.full_like(value, 0.0025))


class NearlyCertain(Good):
    """A valid part that gives most keys a probability that is 0 in floating point."""

    def logits(self, codes, previous, state=None):
        logits, state = super().logits(codes, previous, state)
        return logits - 2000 * torch.arange(self.sizes.keys), state


class Remembers(Good):
    """A valid part that also knows the frame two before, and the position in the bar."""

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.older = nn.Linear(sizes.keys + CLOCK, sizes.keys)

    def start(self, batch, past):
        return super().start(batch), recent(past, 1)

    def after(self, codes, previous, state, clock):
        memory, before = state
        logits, memory = self.logits(codes, previous, memory)
        frames = torch.cat([before, previous], 1)
        return logits + self.older(with_clock(frames[:, :-1], clock)), (memory, frames[:, -1:])

    def loss(self, codes, keys, previous, generator, past, clock):
        return -self.log_prob(codes, keys, previous, generator, past, clock).value

    def log_prob(self, codes, keys, previous, generator, past, clock):
        logits, _ = self.after(codes, previous, self.start(len(codes), past), clock)
        return LogProb(keys_log_prob(logits, keys, codes, self.membership))

    def sample(self, codes, previous, state, generator, temperature=1.0, top_p=1.0, *, clock):
        logits, state = self.after(codes, previous, state, clock)
        return draw_keys(logits / temperature, codes, self.membership, generator, top_p), state

    def follow(self, codes, previous, state, clock):
        return self.after(codes, previous, state, clock)[1]


class TakesSilenceForMusic(Remembers):
    caught_by = ("silence_before_a_piece_is_no_music",)

    def start(self, batch, past):
        (hidden, cell), before = super().start(batch, past)
        return (hidden + past.shape[1] / 10, cell), before


class DrawsWithoutThePast(Remembers):
    caught_by = ("drawn_keys_match_their_scores", "following_keys_matches_drawing")

    def sample(self, codes, previous, state, generator, temperature=1.0, top_p=1.0, *, clock):
        memory, before = state
        forgetful = (memory, torch.zeros_like(before))
        return super().sample(codes, previous, forgetful, generator, temperature, top_p, clock=clock)


class StopsTheClockWhenItFollows(Remembers):
    caught_by = ("following_keys_matches_drawing",)

    def follow(self, codes, previous, state, clock):
        (hidden, cell), before = super().follow(codes, previous, state, clock)
        return (hidden + clock.place[:, -1:] + 1, cell), before


def test_a_decoder_with_past_and_clock_passes_every_check():
    report = zoo.testing.run(described(Remembers))
    assert report.ok, report.having("failed")
    assert len(report.having("skipped")) == 6


def test_keys_without_probability_are_no_condition():
    assert not caught(NearlyCertain) & {"key_probabilities_sum_to_one", "following_keys_matches_drawing"}


@pytest.mark.parametrize("good", [Good, NoisyEstimate])
def test_a_good_decoder_passes_every_check(good):
    report = zoo.testing.run(described(good))
    assert report.ok, report.having("failed")
    assert len(report.having("skipped")) == 7


class IsNotNormalised(Good):
    """As in the original system: independent keys of active codes, even if none of them sounds."""

    caught_by = ("key_probabilities_sum_to_one", "drawn_keys_match_their_scores")

    def log_prob(self, codes, keys, previous, generator):
        logits, _ = self.logits(codes, previous)
        plain = bernoulli_log_prob(logits, keys).masked_fill(self.allowed(codes) == 0, 0).sum(-1)
        folds = ((keys @ self.membership.T.float() > 0) == (codes > 0)).all(-1)
        return LogProb(plain.masked_fill(~folds, -torch.inf))


class LosesAnActiveCode(Good):
    """As in the original system: keys are drawn independently, so an active code may get none."""

    caught_by = (
        "drawn_keys_fold_to_their_codes",
        "drawn_keys_match_their_scores",
        "following_keys_matches_drawing",
        "low_temperature_sharpens_keys",
    )

    def sample(self, codes, previous, state, generator, temperature=1.0):
        logits, state = self.logits(codes, previous, state)
        return flip((logits / temperature).sigmoid(), generator).float() * self.allowed(codes), state


class PlaysSilentCodes(Good):
    """Draws keys of inactive codes now and then."""

    caught_by = (
        "drawn_keys_fold_to_their_codes",
        "drawn_keys_match_their_scores",
        "following_keys_matches_drawing",
        "low_temperature_sharpens_keys",
    )

    def sample(self, codes, previous, state, generator, temperature=1.0):
        keys, state = super().sample(codes, previous, state, generator, temperature)
        stray = flip(torch.full_like(keys, 0.02), generator).float()
        return torch.maximum(keys, stray), state


class ScoresStrayKeys(Good):
    caught_by = ("other_keys_have_no_probability",)

    def log_prob(self, codes, keys, previous, generator):
        return LogProb(self.score(codes, keys, previous).clamp(min=-50))


class DrawsWhatItDoesNotScore(Good):
    """Draws at another temperature: the codes are right, the frequencies are not."""

    caught_by = ("drawn_keys_match_their_scores", "following_keys_matches_drawing")

    def sample(self, codes, previous, state, generator, temperature=1.0):
        return super().sample(codes, previous, state, generator, 3 * temperature)


class RepairsBadDraws(Good):
    """Draws keys independently and adds the lowest key of each code without one, unlike the score."""

    caught_by = ("drawn_keys_match_their_scores", "following_keys_matches_drawing")

    def sample(self, codes, previous, state, generator, temperature=1.0):
        logits, state = self.logits(codes, previous, state)
        keys = flip((logits / temperature).sigmoid(), generator).float() * self.allowed(codes)
        lost = codes * (keys @ self.membership.T.float() == 0)
        first = self.membership.float() * (self.membership.cumsum(-1) == 1)
        return torch.maximum(keys, lost @ first), state


class LosesItsStateWhenDrawing(Good):
    caught_by = ("drawn_keys_match_their_scores",)

    def sample(self, codes, previous, state, generator, temperature=1.0):
        keys, _ = super().sample(codes, previous, state, generator, temperature)
        return keys, self.start(len(codes))


class DoesNotFollow(Good):
    caught_by = ("following_keys_matches_drawing",)

    def follow(self, codes, previous, state):
        return state


class CallsAnEstimateExact(Good):
    caught_by = ("kind_of_key_score_is_correct",)

    def log_prob(self, codes, keys, previous, generator):
        value = self.score(codes, keys, previous)
        return LogProb(value + 1e-6 * torch.randn(value.shape, generator=generator, device=self.device))


class FlattensWhenCool(Good):
    caught_by = ("low_temperature_sharpens_keys",)

    def sample(self, codes, previous, state, generator, temperature=1.0):
        return super().sample(codes, previous, state, generator, 1 / temperature)


class DropsUnlikelyKeys(Good):
    """Leaves out unlikely keys even if their code then has none."""

    caught_by = ("low_top_p_keeps_the_likeliest_keys",)

    def sample(self, codes, previous, state, generator, temperature=1.0, top_p=1.0):
        keys, after = super().sample(codes, previous, state, generator, temperature)
        probability = self.logits(codes, previous, state)[0].sigmoid()
        return (keys if top_p == 1 else keys * (likely(probability, top_p) > 0)), after


class SeesTheNextFrame(Good):
    caught_by = ("scores_are_causal",)

    def loss(self, codes, keys, previous, generator):
        after = pad(keys, (0, 0, 0, 1))[:, 1:]
        return super().loss(codes, keys, previous, generator) + after.sum(-1) / 100


class KnowsOnlyAFewKeys(Good):
    """Assumes nine keys instead of reading the number from the sizes."""

    caught_by = ("builds_by_default", "drawn_keys_fold_to_their_codes")

    def logits(self, codes, previous, state=None):
        return super().logits(codes, previous.view(*previous.shape[:2], 9), state)


class UsesLoudnessOfHeldKeys(Good):
    """Can be combined with any encoder, since its description has no `fit`."""

    caught_by = ("loudness_requires_pressed_keys",)
    uses_loudness = True


BAD = [bad for good in (Good, Remembers) for bad in good.__subclasses__() if hasattr(bad, "caught_by")]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_decoder_is_caught(bad):
    assert caught(bad) == set(bad.caught_by)


def test_every_check_of_a_decoder_is_covered():
    covered = set().union(*(bad.caught_by for bad in BAD))
    common = {check.name for slot in ("encoder", "attention") for check in zoo.testing.checks(slot)}
    assert {check.name for check in zoo.testing.checks("decoder")} - common <= covered
