"""Samplers with exact probabilities: the floors and independent codes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor
from zoo_plugins.floors.counting import Markov, Rates
from zoo_plugins.floors.independent import Independent
from zoo_plugins.nade.nade import NADE
from zoo_plugins.nade.settings import NADESettings
from zoo_plugins.ordered.ordered import OrderedSampler
from zoo_plugins.ordered.settings import OrderedSamplerSettings

from zoo.parts import Settings
from zoo.parts.interfaces import Sampler, Sizes

Draw = Callable[..., Tensor]
Sets = Callable[[int], Tensor]
SIZES = Sizes(codes=3, features=4, membership=torch.eye(3, dtype=torch.bool), keys=3)


def ordered(settings: Settings, sizes: Sizes) -> Sampler:
    return OrderedSampler(OrderedSamplerSettings(hidden=6), sizes).eval()


def nade(settings: Settings, sizes: Sizes) -> Sampler:
    part = NADE(NADESettings(hidden=6, orders=3), sizes).eval()
    torch.nn.init.normal_(part.receive, std=3)
    torch.nn.init.normal_(part.decide.weight, std=3)
    return part


@pytest.fixture(params=[Independent, Rates, Markov, ordered, nade])
def sampler(request: pytest.FixtureRequest, frames: Draw) -> Sampler:
    torch.manual_seed(0)
    part: Sampler = request.param(Settings(), SIZES)
    part.count(frames(4, 9, 3), mask=torch.ones(4, 9, dtype=torch.bool))
    return part


@torch.no_grad()
def test_probabilities_of_all_two_frame_pieces_sum_to_one(
    sampler: Sampler, all_sets: Sets, frames: Draw, rng: Generator
) -> None:
    codes = all_sets(6).view(64, 2, 3)
    scores = sampler.log_prob(frames(1, 2, 4).expand(64, 2, 4), codes, rng)
    assert scores.kind == "exact"
    torch.testing.assert_close(scores.value.sum(1).exp().sum(), torch.tensor(1.0))


@torch.no_grad()
def test_draws_have_the_scored_frequencies(
    sampler: Sampler, all_sets: Sets, frames: Draw, rng: Generator
) -> None:
    n = 40_000
    features, first = frames(1, 2, 4), torch.tensor([1.0, 0.0, 1.0])
    state = sampler.follow(features[:, :1].expand(n, 1, 4), first.expand(n, 1, 3), sampler.start(n), rng)
    codes, state = sampler.sample(features[:, 1:].expand(n, 1, 4), state, rng)
    assert codes.shape == (n, 1, 3)
    pieces = torch.stack([first.expand(8, 3), all_sets(3)], 1)
    expected = sampler.log_prob(features.expand(8, 2, 4), pieces, rng).value[:, 1].exp()
    drawn = torch.bincount((codes.long() * torch.tensor([4, 2, 1])).sum(-1).flatten(), minlength=8) / n
    assert ((drawn - expected).abs() <= 5 * (expected * (1 - expected) / n).sqrt()).all()


@torch.no_grad()
def test_the_state_contains_the_drawn_codes(rng: Generator) -> None:
    sampler = Markov(Settings(), SIZES)
    held = torch.ones(20, 500, 3)
    held[:, ::2] = 0
    sampler.count(held, mask=torch.ones(20, 500, dtype=torch.bool))
    state = sampler.start(4)
    drawn = []
    for _ in range(6):
        codes, state = sampler.sample(torch.zeros(4, 1, 4), state, rng, temperature=0.2)
        drawn.append(codes)
    expected = torch.tensor([1.0, 0.0] * 3).view(1, 6, 1).expand(4, 6, 3)
    assert torch.equal(torch.cat(drawn, 1), expected)


@pytest.mark.parametrize("part", [Rates, Markov])
def test_without_counts_all_codes_have_probability_one_half(part: type[Sampler], rng: Generator) -> None:
    sampler = part(Settings(), Sizes(88, 88, torch.eye(88, dtype=torch.bool)))
    music = torch.zeros(1, 3, 88)
    torch.testing.assert_close(
        sampler.log_prob(music, music, rng).value, torch.full((1, 3), -88 * math.log(2))
    )


def test_rates_ignore_padding() -> None:
    sampler = Rates(Settings(), SIZES)
    codes = torch.tensor([[[1.0, 0, 1], [1, 0, 0], [1, 1, 1]]])
    for _ in range(2):
        sampler.count(codes, mask=torch.tensor([[True, True, False]]))
    assert sampler.on.tolist() == [4, 0, 2]
    assert sampler.frames.item() == 4


def test_markov_has_counts_after_on_and_after_off() -> None:
    sampler = Markov(Settings(), SIZES)
    codes = torch.tensor([[[1.0, 0, 1], [1, 0, 0], [0, 1, 1], [1, 1, 1]]])
    sampler.count(codes, mask=torch.tensor([[True, True, True, False]]))
    off, on = 0, 1
    assert sampler.frames[off].tolist() == [1, 3, 2]
    assert sampler.on[off].tolist() == [1, 1, 2]
    assert sampler.frames[on].tolist() == [2, 0, 1]
    assert sampler.on[on].tolist() == [1, 0, 0]


def test_counts_are_saved_with_the_weights(frames: Draw) -> None:
    music, all_frames = frames(2, 5, 3), torch.ones(2, 5, dtype=torch.bool)
    for part in (Rates, Markov):
        counted, fresh = part(Settings(), SIZES), part(Settings(), SIZES)
        counted.count(music, mask=all_frames)
        fresh.load_state_dict(counted.state_dict())
        assert torch.equal(fresh.on, counted.on)


def test_the_loss_of_independent_codes_is_their_likelihood(frames: Draw, rng: Generator) -> None:
    sampler = Independent(Settings(), SIZES)
    features, codes = frames(2, 5, 4), frames(2, 5, 3)
    loss = sampler.loss(features, codes, rng)
    assert torch.equal(loss, -sampler.log_prob(features, codes, rng).value)
    loss.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in sampler.parameters())
