"""The autoregressive estimator, compared with its definition code by code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid
from zoo_plugins.nade.nade import NADE
from zoo_plugins.nade.settings import NADESettings

from zoo.parts.interfaces import Sizes

Draw = Callable[..., Tensor]
Sets = Callable[[int], Tensor]


def nade(codes: int, **settings: Any) -> NADE:
    """An estimator of three features with large random weights."""
    torch.manual_seed(0)
    sizes = Sizes(codes, 3, torch.eye(codes, dtype=torch.bool), keys=codes)
    part = NADE(NADESettings(hidden=7, **{"dropout": 0.0, **settings}), sizes)
    for weights in part.parameters():
        torch.nn.init.normal_(weights, std=1.5)
    return part


def by_definition(part: NADE, features: Tensor, codes: Tensor, order: list[int]) -> Tensor:
    """The log-probability of one frame (C,), one code after another."""
    total, units = torch.zeros(()), part.hidden(features)
    for code in order:
        logit = part.visible(features)[code] + part.decide.weight[code] @ units.sigmoid()
        total = total + logsigmoid(logit if codes[code] else -logit)
        units = units + part.receive[code] * codes[code]
    return total


@torch.no_grad()
def test_one_order_is_the_product_from_the_lowest_code_up(
    frames: Draw, all_sets: Sets, rng: Generator
) -> None:
    part, known, sets = nade(5), frames(1, 32, 3), all_sets(5)
    expected = [
        by_definition(part, row, codes, list(range(5))) for row, codes in zip(known[0], sets, strict=True)
    ]
    scores = part.log_prob(known, sets.unsqueeze(0), rng)
    assert scores.kind == "exact"
    torch.testing.assert_close(scores.value[0], torch.stack(expected))


@torch.no_grad()
def test_several_orders_are_the_average_of_their_probabilities(
    frames: Draw, all_sets: Sets, rng: Generator
) -> None:
    part, known, sets = nade(5, orders=4), frames(1, 32, 3), all_sets(5)
    orders = [rank.argsort().tolist() for rank in part.ranks]
    assert orders[0] == [0, 1, 2, 3, 4]
    assert len(set(map(tuple, orders))) == 4
    expected = [
        torch.stack([by_definition(part, row, codes, order) for order in orders]).exp().mean()
        for row, codes in zip(known[0], sets, strict=True)
    ]
    scores = part.log_prob(known, sets.unsqueeze(0), rng)
    torch.testing.assert_close(scores.value[0].exp(), torch.stack(expected))


@torch.no_grad()
@pytest.mark.parametrize("orders", [1, 3])
def test_all_chords_have_a_total_probability_of_one(
    orders: int, frames: Draw, all_sets: Sets, rng: Generator
) -> None:
    part, sets = nade(8, orders=orders), all_sets(8).unsqueeze(1)
    scores = part.log_prob(frames(1, 1, 3).expand(256, 1, 3), sets, rng)
    torch.testing.assert_close(scores.value.exp().sum(), torch.tensor(1.0))


@torch.no_grad()
def test_the_loss_of_a_frame_is_that_of_one_of_the_orders(frames: Draw) -> None:
    part, known, codes = nade(5, orders=3), frames(1, 1, 3), torch.tensor([[[1.0, 0, 1, 1, 0]]])
    expected = {
        round(float(-by_definition(part, known[0, 0], codes[0, 0], rank.argsort().tolist())), 3)
        for rank in part.ranks
    }
    losses = {round(float(part.loss(known, codes, Generator().manual_seed(seed))), 3) for seed in range(30)}
    assert len(expected) == 3
    assert losses == expected


@torch.no_grad()
def test_the_draws_of_a_row_do_not_depend_on_other_rows(frames: Draw) -> None:
    part, known = nade(6, orders=3), frames(9, 1, 3)
    alone, _ = part.sample(known, (), Generator().manual_seed(3))
    among, _ = part.sample(torch.cat([known[:2], known[2:] * 5]), (), Generator().manual_seed(3))
    assert torch.equal(among[:2], alone[:2])


@torch.no_grad()
def test_orders_are_restored_with_the_weights(frames: Draw, rng: Generator) -> None:
    part, fresh = nade(6, orders=3), nade(6, orders=3)
    part.ranks[1:] = part.ranks[1:].flip(-1)
    fresh.load_state_dict(part.state_dict())
    known, codes = frames(2, 4, 3), frames(2, 4, 6)
    assert torch.equal(part.log_prob(known, codes, rng).value, fresh.log_prob(known, codes, rng).value)


def test_an_exclusive_choice_of_two_codes_costs_one_bit(rng: Generator) -> None:
    """Independent probabilities need two bits."""
    part = nade(2, orders=2)
    codes, features = torch.eye(2).repeat(1, 8, 1), torch.zeros(1, 16, 3)
    adam = torch.optim.Adam(part.parameters(), lr=0.1)
    for _ in range(200):
        adam.zero_grad()
        part.loss(features, codes, rng).mean().backward()
        adam.step()
    nats = -part.log_prob(features, codes, rng).value.mean().item()
    assert nats == pytest.approx(0.6931, abs=0.02)


@torch.no_grad()
@pytest.mark.parametrize("edited", [[99, 99, 99, 99, 99], [-7, 0, 0, 2**40, 1], [1, 1, 2, 2, 2]])
def test_edited_ranks_give_no_probability_above_one(
    edited: list[int], frames: Draw, all_sets: Sets, rng: Generator
) -> None:
    part = nade(5)
    part.ranks.copy_(torch.tensor([edited]))
    features, sets = frames(1, 1, 3).expand(1, 32, -1), all_sets(5)
    scores = part.log_prob(features, sets.unsqueeze(0), rng)
    torch.testing.assert_close(scores.value.logsumexp(-1), torch.zeros(1), atol=1e-5, rtol=0)
    part.sample(features.transpose(0, 1), (), rng)
