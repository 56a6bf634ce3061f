"""Samplers that break their contract, each in one way."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

import zoo.testing
from zoo.parts import Description
from zoo.parts.interfaces import LogProb, Sampler
from zoo.parts.masks import bernoulli_log_prob, flip, likely


class Good(Sampler):
    """Independent codes given the features, the previous frame, and the rate of each code."""

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.linear = nn.Linear(sizes.features + sizes.codes, sizes.codes)
        self.register_buffer("on", torch.zeros(sizes.codes))
        self.register_buffer("frames", torch.zeros(()))

    def count(self, *music, mask):
        self.on += (music[0] * mask.unsqueeze(-1)).sum((0, 1))
        self.frames += mask.sum()

    def forget_counts(self):
        self.on.zero_()
        self.frames.zero_()

    def start(self, batch):
        return {"before": self.here.new_zeros(batch, 1, self.sizes.codes)}

    def logits(self, features, before):
        rates = (self.on + 1).log() - (self.frames - self.on + 1).log()
        return self.linear(torch.cat([features, before], -1)) + rates

    def score(self, features, codes):
        before = pad(codes, (0, 0, 1, 0))[:, :-1]
        return bernoulli_log_prob(self.logits(features, before), codes).sum(-1)

    def loss(self, features, codes, generator):
        return -self.score(features, codes)

    def log_prob(self, features, codes, generator):
        return LogProb(self.score(features, codes))

    def sample(self, features, state, generator, temperature=1.0, top_p=1.0):
        chance = (self.logits(features, state["before"]) / temperature).sigmoid()
        codes = flip(likely(chance, top_p), generator).float()
        return codes, {"before": codes}

    def follow(self, features, codes, state, generator):
        return {"before": codes[:, -1:]}


def described(target: type, **changes) -> Description:
    given = {"slot": "sampler", "name": "toy", "summary": "Codes given the previous frame", **changes}
    return Description(target=target, **given)


def caught(target: type) -> set[str]:
    return {outcome.check.name for outcome in zoo.testing.run(described(target)).having("failed")}


class NoisyBound(Good):
    """A valid part with a bound: the mean of eight noisy weights, whose expectation is exact."""

    def log_prob(self, features, codes, generator):
        noise = torch.randn(8, *codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) + (noise / 2 - 1 / 8).exp().mean(0).log(), "bound")


class NoisyEstimate(Good):
    """A valid part with an unbiased estimate, with the variance that it states."""

    def log_prob(self, features, codes, generator):
        noise = 0.1 * torch.randn(codes.shape[:2], generator=generator, device=self.device)
        value = self.score(features, codes)
        return LogProb(value + noise, "estimate", variance=torch.full_like(value, 0.01))


class NearlyCertain(Good):
    """A valid part that gives most codes a probability that is 0 in floating point."""

    def logits(self, features, before):
        return 2000 * super().logits(features, before).sign()


def test_codes_without_probability_are_no_condition():
    assert "following_codes_matches_drawing" not in caught(NearlyCertain)


@pytest.mark.parametrize("good", [Good, NoisyBound, NoisyEstimate])
def test_a_good_sampler_passes_every_check(good):
    report = zoo.testing.run(described(good))
    assert report.ok, report.having("failed")
    assert len(report.having("skipped")) == 5


class ScoresAreNotNormalised(Good):
    """Softmax over codes that can sound together."""

    caught_by = (
        "code_probabilities_sum_to_one",
        "drawn_codes_match_their_scores",
        "following_codes_matches_drawing",
        "toy_music_is_learned",
    )

    def log_prob(self, features, codes, generator):
        before = pad(codes, (0, 0, 1, 0))[:, :-1]
        return LogProb((self.logits(features, before).log_softmax(-1) * codes).sum(-1))


class DrawsWhatItDoesNotScore(Good):
    """Halves the logits when drawing: both distributions are valid, but they differ."""

    caught_by = ("drawn_codes_match_their_scores", "following_codes_matches_drawing")

    def sample(self, features, state, generator, temperature=1.0):
        return super().sample(features, state, generator, 2 * temperature)


class LosesItsStateWhenDrawing(Good):
    caught_by = ("drawn_codes_match_their_scores",)

    def sample(self, features, state, generator, temperature=1.0):
        codes, _ = super().sample(features, state, generator, temperature)
        return codes, self.start(codes.shape[0])


class DoesNotFollow(Good):
    caught_by = ("following_codes_matches_drawing",)

    def follow(self, features, codes, state, generator):
        return state


class CallsABoundExact(Good):
    caught_by = ("kind_of_code_score_is_correct",)

    def log_prob(self, features, codes, generator):
        noise = 1e-6 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) + noise)


class BoundLiesAboveTheTruth(Good):
    caught_by = ("code_probabilities_sum_to_one", "drawn_codes_match_their_scores")

    def log_prob(self, features, codes, generator):
        noise = 0.05 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) + 0.3 + noise, "bound")


class BoundIsTooLoose(Good):
    caught_by = ("code_probabilities_sum_to_one", "drawn_codes_match_their_scores")

    def log_prob(self, features, codes, generator):
        noise = 0.05 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) - 0.6 + noise, "bound")


class BoundOfAnotherDistribution(Good):
    """Sums to one like a valid bound, but of another distribution than that of the draws."""

    caught_by = ("drawn_codes_match_their_scores", "following_codes_matches_drawing")

    def log_prob(self, features, codes, generator):
        noise = 0.05 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(-features, codes) + noise - 0.026, "bound")


class UnderstatesItsVariance(Good):
    caught_by = ("kind_of_code_score_is_correct",)

    def log_prob(self, features, codes, generator):
        noise = 0.1 * torch.randn(codes.shape[:2], generator=generator, device=self.device)
        value = self.score(features, codes)
        return LogProb(value + noise, "estimate", variance=torch.full_like(value, 1e-4))


class FlattensWhenCool(Good):
    """Multiplies by the temperature instead of dividing."""

    caught_by = ("low_temperature_sharpens",)

    def sample(self, features, state, generator, temperature=1.0):
        return super().sample(features, state, generator, 1 / temperature)


class IgnoresTopP(Good):
    """Accepts the argument but ignores it."""

    caught_by = ("low_top_p_keeps_the_likeliest",)

    def sample(self, features, state, generator, temperature=1.0, top_p=1.0):
        return super().sample(features, state, generator, temperature)


class DrawsProbabilities(Good):
    caught_by = (
        "drawn_codes_are_binary",
        "drawn_codes_match_their_scores",
        "following_codes_matches_drawing",
        "low_temperature_sharpens",
    )

    def sample(self, features, state, generator, temperature=1.0):
        chance = (self.logits(features, state["before"]) / temperature).sigmoid()
        return chance, {"before": chance}


class DetachesTheFeatures(Good):
    caught_by = ("gradient_reaches_the_features",)

    def loss(self, features, codes, generator):
        return super().loss(features.detach(), codes, generator)


class SeesTheNextFrame(Good):
    caught_by = ("scores_are_causal",)

    def loss(self, features, codes, generator):
        after = pad(codes, (0, 0, 0, 1))[:, 1:]
        return super().loss(features, codes, generator) + after.sum(-1) / 100


class CountsPadding(Good):
    caught_by = ("padding_is_not_counted",)

    def count(self, *music, mask):
        super().count(*music, mask=torch.ones_like(mask))


class ForgetsHalf(Good):
    caught_by = ("padding_is_not_counted",)

    def forget_counts(self):
        self.frames.zero_()


class CountsOnlyTheLastBatch(Good):
    caught_by = ("padding_is_not_counted",)

    def count(self, *music, mask):
        self.on.zero_()
        self.frames.zero_()
        super().count(*music, mask=mask)


class ForgetsItsCounts(Good):
    caught_by = ("state_dict_restores",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.register_buffer("on", torch.zeros(sizes.codes), persistent=False)


class SharesChance(Good):
    """Draws random numbers only if needed, so the draws of a row depend on the rows before it."""

    def sample(self, features, state, generator, temperature=1.0):
        chance = (self.logits(features, state["before"]) / temperature).sigmoid()
        codes = (chance > 0.9).float()
        open_codes = (chance > 0.1) & (chance <= 0.9)
        codes[open_codes] = torch.bernoulli(chance[open_codes], generator=generator).to(codes)
        return codes, {"before": codes}


def test_a_shared_stream_of_random_numbers_is_named():
    (outcome,) = (
        outcome
        for outcome in zoo.testing.run(described(SharesChance)).having("failed")
        if outcome.check.name == "rows_are_independent"
    )
    assert outcome.reason.endswith("other rows change how many random numbers `sample` draws")


class LeaksBetweenRows(Good):
    caught_by = ("rows_are_independent",)

    def loss(self, features, codes, generator):
        return super().loss(features, codes, generator).mean(0, keepdim=True).expand(codes.shape[:2])


class ReturnsOneLossForAll(Good):
    caught_by = (
        "outputs_have_the_right_shape",
        "any_length_works",
        "silence_and_all_keys_are_finite",
        "scores_are_causal",
        "rows_are_independent",
    )

    def loss(self, features, codes, generator):
        return super().loss(features, codes, generator).mean()


class LearnsTheWrongWay(Good):
    caught_by = ("toy_music_is_learned",)

    def loss(self, features, codes, generator):
        return self.score(features, codes)

    def count(self, *music, mask):
        pass


class TakesLogOfAProduct(Good):
    caught_by = ("huge_weights_give_finite_numbers",)

    def score(self, features, codes):
        before = pad(codes, (0, 0, 1, 0))[:, :-1]
        chance = self.logits(features, before).sigmoid()
        return torch.where(codes > 0, chance, 1 - chance).prod(-1).log()


class TakesSilenceForMusic(Good):
    """Normalised and drawn as scored, but the silence before a piece counts."""

    caught_by = ("silence_before_a_piece_is_no_music",)

    def start(self, batch, past):
        return super().start(batch) | {"age": past.new_full((batch, 1, 1), past.shape[1] / 10)}

    def score(self, features, codes, past):
        before = pad(codes, (0, 0, 1, 0))[:, :-1]
        return bernoulli_log_prob(self.logits(features, before) + past.shape[1] / 10, codes).sum(-1)

    def loss(self, features, codes, generator, past):
        return -self.score(features, codes, past)

    def log_prob(self, features, codes, generator, past):
        return LogProb(self.score(features, codes, past))

    def sample(self, features, state, generator, temperature=1.0, top_p=1.0):
        chance = ((self.logits(features, state["before"]) + state["age"]) / temperature).sigmoid()
        codes = flip(likely(chance, top_p), generator).float()
        return codes, state | {"before": codes}

    def follow(self, features, codes, state, generator):
        return state | {"before": codes[:, -1:]}


BAD = [bad for bad in Good.__subclasses__() if hasattr(bad, "caught_by")]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_sampler_is_caught(bad):
    assert caught(bad) == set(bad.caught_by)


def test_every_check_of_a_sampler_is_covered():
    covered = set().union(*(bad.caught_by for bad in BAD))
    common = {check.name for check in zoo.testing.checks("encoder")}
    common |= {check.name for check in zoo.testing.checks("attention")}
    own = {check.name for check in zoo.testing.checks("sampler")} - common
    assert own <= covered
