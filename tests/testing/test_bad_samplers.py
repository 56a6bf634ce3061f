"""Samplers that break their contract, each in one way."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

import zoo.testing
from zoo.parts import Description
from zoo.parts.interfaces import LogProb, Sampler
from zoo.parts.masks import bernoulli_log_prob, flip


class Good(Sampler):
    """Independent codes that hear the features, the frame before, and how often each code sounded."""

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

    def sample(self, features, state, generator, temperature=1.0):
        chance = (self.logits(features, state["before"]) / temperature).sigmoid()
        codes = flip(chance, generator).float()
        return codes, {"before": codes}

    def follow(self, features, codes, state, generator):
        return {"before": codes[:, -1:]}


def described(target: type, **changes) -> Description:
    given = {"slot": "sampler", "name": "toy", "summary": "Codes that hear the frame before", **changes}
    return Description(target=target, **given)


def caught(target: type) -> set[str]:
    return {outcome.check.name for outcome in zoo.testing.run(described(target)).having("failed")}


class NoisyBound(Good):
    """A good part with a bound: the mean of eight noisy weights, whose expectation is the truth."""

    def log_prob(self, features, codes, generator):
        noise = torch.randn(8, *codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) + (noise / 2 - 1 / 8).exp().mean(0).log(), "bound")


class NoisyEstimate(Good):
    """A good part with an estimate: right on average, with the variance that it states."""

    def log_prob(self, features, codes, generator):
        noise = 0.1 * torch.randn(codes.shape[:2], generator=generator, device=self.device)
        value = self.score(features, codes)
        return LogProb(value + noise, "estimate", variance=torch.full_like(value, 0.01))


@pytest.mark.parametrize("good", [Good, NoisyBound, NoisyEstimate])
def test_a_good_sampler_keeps_every_promise(good):
    report = zoo.testing.run(described(good))
    assert report.ok, report.having("failed")
    assert len(report.having("skipped")) == 4


class ScoresAreNotNormalised(Good):
    """Softmax over codes that can sound together."""

    caught_by = (
        "code_probabilities_sum_to_one",
        "drawn_codes_match_their_scores",
        "following_is_like_having_drawn",
        "toy_music_is_learned",
    )

    def log_prob(self, features, codes, generator):
        before = pad(codes, (0, 0, 1, 0))[:, :-1]
        return LogProb((self.logits(features, before).log_softmax(-1) * codes).sum(-1))


class DrawsWhatItDoesNotScore(Good):
    """Half the logits when drawing: each of the two is a fine distribution by itself."""

    caught_by = ("drawn_codes_match_their_scores", "following_is_like_having_drawn")

    def sample(self, features, state, generator, temperature=1.0):
        return super().sample(features, state, generator, 2 * temperature)


class LosesItsStateWhenDrawing(Good):
    caught_by = ("drawn_codes_match_their_scores",)

    def sample(self, features, state, generator, temperature=1.0):
        codes, _ = super().sample(features, state, generator, temperature)
        return codes, self.start(codes.shape[0])


class DoesNotFollow(Good):
    caught_by = ("following_is_like_having_drawn",)

    def follow(self, features, codes, state, generator):
        return state


class CallsABoundExact(Good):
    caught_by = ("kind_of_the_number_is_honest",)

    def log_prob(self, features, codes, generator):
        noise = 1e-6 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) + noise)


class BoundLiesAboveTheTruth(Good):
    caught_by = ("code_probabilities_sum_to_one", "drawn_codes_match_their_scores")

    def log_prob(self, features, codes, generator):
        noise = 0.05 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) + 0.3 + noise, "bound")


class BoundGivesTooMuchAway(Good):
    caught_by = ("code_probabilities_sum_to_one", "drawn_codes_match_their_scores")

    def log_prob(self, features, codes, generator):
        noise = 0.05 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(features, codes) - 0.6 + noise, "bound")


class BoundOfAnotherDistribution(Good):
    """Sums to one like an honest bound, but the draws come from elsewhere."""

    caught_by = ("drawn_codes_match_their_scores", "following_is_like_having_drawn")

    def log_prob(self, features, codes, generator):
        noise = 0.05 * torch.rand(codes.shape[:2], generator=generator, device=self.device)
        return LogProb(self.score(-features, codes) + noise - 0.026, "bound")


class HidesItsVariance(Good):
    caught_by = ("kind_of_the_number_is_honest",)

    def log_prob(self, features, codes, generator):
        noise = 0.1 * torch.randn(codes.shape[:2], generator=generator, device=self.device)
        value = self.score(features, codes)
        return LogProb(value + noise, "estimate", variance=torch.full_like(value, 1e-4))


class FlattensWhenCool(Good):
    """Multiplies by the temperature instead of dividing."""

    caught_by = ("low_temperature_sharpens",)

    def sample(self, features, state, generator, temperature=1.0):
        return super().sample(features, state, generator, 1 / temperature)


class DrawsProbabilities(Good):
    caught_by = (
        "drawn_codes_are_on_or_off",
        "drawn_codes_match_their_scores",
        "following_is_like_having_drawn",
        "low_temperature_sharpens",
    )

    def sample(self, features, state, generator, temperature=1.0):
        chance = (self.logits(features, state["before"]) / temperature).sigmoid()
        return chance, {"before": chance}


class CutsTheAttentionOff(Good):
    caught_by = ("attention_learns_through_the_loss",)

    def loss(self, features, codes, generator):
        return super().loss(features.detach(), codes, generator)


class HearsTheNextFrame(Good):
    caught_by = ("scores_hear_no_future",)

    def loss(self, features, codes, generator):
        after = pad(codes, (0, 0, 0, 1))[:, 1:]
        return super().loss(features, codes, generator) + after.sum(-1) / 100


class CountsPadding(Good):
    caught_by = ("padding_never_counts",)

    def count(self, *music, mask):
        super().count(*music, mask=torch.ones_like(mask))


class ForgetsHalf(Good):
    caught_by = ("padding_never_counts",)

    def forget_counts(self):
        self.frames.zero_()


class CountsOnlyTheLastBatch(Good):
    caught_by = ("padding_never_counts",)

    def count(self, *music, mask):
        self.on.zero_()
        self.frames.zero_()
        super().count(*music, mask=mask)


class ForgetsItsCounts(Good):
    caught_by = ("state_dict_restores",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.register_buffer("on", torch.zeros(sizes.codes), persistent=False)


class LeaksBetweenRows(Good):
    caught_by = ("rows_are_independent",)

    def loss(self, features, codes, generator):
        return super().loss(features, codes, generator).mean(0, keepdim=True).expand(codes.shape[:2])


class ReturnsOneLossForAll(Good):
    caught_by = (
        "answers_have_their_shape",
        "any_length_will_do",
        "silence_and_all_keys_survive",
        "scores_hear_no_future",
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


BAD = [one for one in Good.__subclasses__() if hasattr(one, "caught_by")]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_sampler_is_caught(bad):
    assert caught(bad) == set(bad.caught_by)


def test_every_promise_of_a_sampler_is_tried():
    tried = set().union(*(bad.caught_by for bad in BAD))
    common = {check.name for check in zoo.testing.checks("encoder")}
    common |= {check.name for check in zoo.testing.checks("attention")}
    own = {check.name for check in zoo.testing.checks("sampler")} - common
    assert own <= tried
