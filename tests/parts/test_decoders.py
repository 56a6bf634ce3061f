"""From codes to keys: all decoders score and draw the same thing, and lose no code on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor
from zoo_plugins.baseline.lstm import LSTMDecoder
from zoo_plugins.baseline.settings import LSTMSettings
from zoo_plugins.floors.uniform import Uniform
from zoo_plugins.ordered.ordered import OrderedDecoder
from zoo_plugins.ordered.settings import OrderedDecoderSettings

from zoo.parts import Settings
from zoo.parts.interfaces import Decoder, Sizes

Draw = Callable[..., Tensor]
Sets = Callable[[int], Tensor]


PARTS: dict[str, Callable[[Sizes], Decoder]] = {
    "lstm": lambda sizes: LSTMDecoder(LSTMSettings(hidden=5), sizes),
    "ordered": lambda sizes: OrderedDecoder(OrderedDecoderSettings(lstm=5, hidden=6), sizes).eval(),
    "uniform": lambda sizes: Uniform(Settings(), sizes),
}


@pytest.fixture(params=PARTS)
def decoder(request: pytest.FixtureRequest, toy_membership: Tensor) -> Decoder:
    torch.manual_seed(0)
    return PARTS[request.param](Sizes(codes=3, features=0, membership=toy_membership, keys=6))


def fold(keys: Tensor, membership: Tensor) -> Tensor:
    return (keys @ membership.float().T > 0).float()


@torch.no_grad()
def test_probabilities_sum_to_one_over_the_keys_of_any_codes(
    decoder: Decoder, all_sets: Sets, frames: Draw, chance: Generator
) -> None:
    previous = frames(1, 1, 6)
    keys = all_sets(6).unsqueeze(1)
    for codes in all_sets(3):
        scores = decoder.log_prob(codes.expand(64, 1, 3), keys, previous.expand(64, 1, 6), chance)
        assert scores.kind == "exact"
        torch.testing.assert_close(scores.value.exp().sum(), torch.tensor(1.0))
        folds = (fold(keys, decoder.sizes.membership) == codes).all(-1)
        assert torch.equal(scores.value > -torch.inf, folds)


@torch.no_grad()
def test_draws_come_as_often_as_they_score_and_fold_to_their_codes(
    decoder: Decoder, all_sets: Sets, frames: Draw, chance: Generator
) -> None:
    n = 40_000
    codes, previous = torch.tensor([1.0, 1.0, 0.0]), frames(1, 1, 6)
    keys, _ = decoder.sample(codes.expand(n, 1, 3), previous.expand(n, 1, 6), decoder.start(n), chance)
    assert keys.shape == (n, 1, 6)
    assert torch.equal(fold(keys, decoder.sizes.membership), codes.expand(n, 1, 3))
    sets = all_sets(6).unsqueeze(1)
    expected = decoder.log_prob(codes.expand(64, 1, 3), sets, previous.expand(64, 1, 6), chance).value.exp()
    powers = 2 ** torch.arange(5, -1, -1)
    drawn = torch.bincount((keys.long() * powers).sum(-1).flatten(), minlength=64) / n
    error = (expected.flatten() * (1 - expected.flatten()) / n).sqrt()
    assert ((drawn - expected.flatten()).abs() <= 5 * error).all()


@torch.no_grad()
def test_frame_after_frame_is_the_same_as_all_at_once(
    decoder: Decoder, frames: Draw, chance: Generator
) -> None:
    n = 10_000
    keys = frames(1, 5, 6)
    codes = fold(keys, decoder.sizes.membership)
    previous = torch.cat([torch.zeros(1, 1, 6), keys[:, :-1]], 1)
    whole = decoder.log_prob(codes, keys, previous, chance).value
    many = (codes.expand(n, 5, 3), previous.expand(n, 5, 6))
    state = decoder.follow(many[0][:, :4], many[1][:, :4], decoder.start(n))
    drawn, _ = decoder.sample(many[0][:, 4:], many[1][:, 4:], state, chance)
    share = (drawn == keys[:, 4:]).all(-1).float().mean()
    torch.testing.assert_close(share, whole[0, 4].exp(), atol=0.025, rtol=0)


def test_what_the_lstm_learns(toy_membership: Tensor, frames: Draw, chance: Generator) -> None:
    sizes = Sizes(codes=3, features=0, membership=toy_membership, keys=6)
    torch.manual_seed(0)
    decoder = LSTMDecoder(LSTMSettings(hidden=5), sizes)
    keys, previous = frames(2, 5, 6), frames(2, 5, 6)
    codes = fold(keys, toy_membership)
    loss = decoder.loss(codes, keys, previous, chance)
    logits, _ = decoder.logits(codes, previous, decoder.start(2))
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, keys, reduction="none")
    torch.testing.assert_close(loss, (each * (codes @ toy_membership.float())).sum(-1))
    loss.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in decoder.parameters())


def test_silence_costs_nothing_and_gives_no_keys(decoder: Decoder, chance: Generator) -> None:
    silence = torch.zeros(1, 1, 3), torch.zeros(1, 1, 6), torch.zeros(1, 1, 6)
    assert decoder.loss(*silence, chance).item() == 0
    assert decoder.log_prob(*silence, chance).value.item() == 0
    keys, _ = decoder.sample(silence[0], silence[2], decoder.start(1), chance)
    assert keys.sum() == 0


@torch.no_grad()
def test_a_low_temperature_takes_the_likeliest_keys(toy_membership: Tensor, chance: Generator) -> None:
    decoder = LSTMDecoder(LSTMSettings(hidden=5), Sizes(3, 0, toy_membership, keys=6))
    decoder.linear.weight.zero_()
    decoder.linear.bias.copy_(torch.tensor([1.0, -1.0, -1.0, -1.0, -2.0, -3.0]))
    codes = torch.ones(50, 1, 3)
    keys, _ = decoder.sample(codes, torch.zeros(50, 1, 6), decoder.start(50), chance, temperature=0.01)
    assert torch.equal(keys, torch.tensor([1.0, 1, 1, 0, 0, 0]).expand(50, 1, 6))


@torch.no_grad()
def test_with_a_code_for_every_key_the_decoder_has_nothing_to_say(frames: Draw, chance: Generator) -> None:
    decoder = Uniform(Settings(), Sizes(88, 0, torch.eye(88, dtype=torch.bool)))
    keys = frames(2, 4, 88)
    assert torch.equal(decoder.log_prob(keys, keys, keys, chance).value, torch.zeros(2, 4))
    assert torch.equal(decoder.sample(keys[:, :1], keys[:, :1], (), chance)[0], keys[:, :1])


@pytest.mark.parametrize(("objective", "nats"), [("coins", 1.0986), ("conditional", 0.6931)])
def test_each_objective_of_the_lstm_leads_where_its_kind_of_coin_leads(
    toy_membership: Tensor, chance: Generator, objective: str, nats: float
) -> None:
    """One of two keys, never both: fair coins know nothing of that, and land both in a third of the cases."""
    torch.manual_seed(0)
    sizes = Sizes(codes=3, features=0, membership=toy_membership, keys=6)
    decoder = LSTMDecoder(LSTMSettings(hidden=4, objective=objective), sizes)
    codes = torch.tensor([1.0, 0, 0]).expand(512, 1, 3)
    pair = toy_membership[0].nonzero().flatten()[:2]
    keys = torch.zeros(512, 1, 6)
    keys[torch.arange(512), 0, pair[torch.arange(512) % 2]] = 1
    silence = torch.zeros_like(keys)
    learn = torch.optim.Adam(decoder.parameters(), lr=0.05)
    for _ in range(200):
        learn.zero_grad()
        decoder.loss(codes, keys, silence, chance).mean().backward()
        learn.step()
    assert -decoder.log_prob(codes, keys, silence, chance).value.mean().item() == pytest.approx(
        nats, abs=0.02
    )
