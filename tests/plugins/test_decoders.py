"""All decoders draw from the distribution that they score, and their keys fold to the codes."""

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
    decoder: Decoder, all_sets: Sets, frames: Draw, rng: Generator
) -> None:
    previous = frames(1, 1, 6)
    keys = all_sets(6).unsqueeze(1)
    for codes in all_sets(3):
        scores = decoder.log_prob(codes.expand(64, 1, 3), keys, previous.expand(64, 1, 6), rng)
        assert scores.kind == "exact"
        torch.testing.assert_close(scores.value.exp().sum(), torch.tensor(1.0))
        folds = (fold(keys, decoder.sizes.membership) == codes).all(-1)
        assert torch.equal(scores.value > -torch.inf, folds)


@torch.no_grad()
def test_draws_have_the_scored_frequencies_and_fold_to_their_codes(
    decoder: Decoder, all_sets: Sets, frames: Draw, rng: Generator
) -> None:
    n = 40_000
    codes, previous = torch.tensor([1.0, 1.0, 0.0]), frames(1, 1, 6)
    keys, _ = decoder.sample(codes.expand(n, 1, 3), previous.expand(n, 1, 6), decoder.start(n), rng)
    assert keys.shape == (n, 1, 6)
    assert torch.equal(fold(keys, decoder.sizes.membership), codes.expand(n, 1, 3))
    sets = all_sets(6).unsqueeze(1)
    expected = decoder.log_prob(codes.expand(64, 1, 3), sets, previous.expand(64, 1, 6), rng).value.exp()
    powers = 2 ** torch.arange(5, -1, -1)
    drawn = torch.bincount((keys.long() * powers).sum(-1).flatten(), minlength=64) / n
    error = (expected.flatten() * (1 - expected.flatten()) / n).sqrt()
    assert ((drawn - expected.flatten()).abs() <= 5 * error).all()


@torch.no_grad()
def test_single_frames_equal_the_whole(decoder: Decoder, frames: Draw, rng: Generator) -> None:
    n = 10_000
    keys = frames(1, 5, 6)
    codes = fold(keys, decoder.sizes.membership)
    previous = torch.cat([torch.zeros(1, 1, 6), keys[:, :-1]], 1)
    whole = decoder.log_prob(codes, keys, previous, rng).value
    many = (codes.expand(n, 5, 3), previous.expand(n, 5, 6))
    state = decoder.follow(many[0][:, :4], many[1][:, :4], decoder.start(n))
    drawn, _ = decoder.sample(many[0][:, 4:], many[1][:, 4:], state, rng)
    share = (drawn == keys[:, 4:]).all(-1).float().mean()
    torch.testing.assert_close(share, whole[0, 4].exp(), atol=0.025, rtol=0)


def test_the_loss_of_the_lstm(toy_membership: Tensor, frames: Draw, rng: Generator) -> None:
    sizes = Sizes(codes=3, features=0, membership=toy_membership, keys=6)
    torch.manual_seed(0)
    decoder = LSTMDecoder(LSTMSettings(hidden=5), sizes)
    keys, previous = frames(2, 5, 6), frames(2, 5, 6)
    codes = fold(keys, toy_membership)
    loss = decoder.loss(codes, keys, previous, rng)
    logits, _ = decoder.logits(codes, previous, decoder.start(2))
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, keys, reduction="none")
    torch.testing.assert_close(loss, (each * (codes @ toy_membership.float())).sum(-1))
    loss.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in decoder.parameters())


@torch.no_grad()
@pytest.mark.parametrize("size", [-1e30, -(2.0**25), -2000.0, 2.0**25])
def test_huge_logits_give_no_certainty(
    size: float, toy_membership: Tensor, all_sets: Sets, frames: Draw, rng: Generator
) -> None:
    """Each of several keys would seem to be certain, and an edited bundle could claim any score."""
    decoder = LSTMDecoder(LSTMSettings(hidden=5), Sizes(3, 0, toy_membership, keys=6))
    torch.nn.init.constant_(decoder.linear.bias, size)
    keys, previous = all_sets(6).unsqueeze(1), frames(1, 1, 6).expand(64, 1, 6)
    for codes in all_sets(3):
        scores = decoder.log_prob(codes.expand(64, 1, 3), keys, previous, rng)
        assert scores.value.logsumexp(0).item() == pytest.approx(0, abs=1e-3)


def test_silence_has_probability_one_and_no_keys(decoder: Decoder, rng: Generator) -> None:
    silence = torch.zeros(1, 1, 3), torch.zeros(1, 1, 6), torch.zeros(1, 1, 6)
    assert decoder.loss(*silence, rng).item() == 0
    assert decoder.log_prob(*silence, rng).value.item() == 0
    keys, _ = decoder.sample(silence[0], silence[2], decoder.start(1), rng)
    assert keys.sum() == 0


@torch.no_grad()
def test_a_low_temperature_draws_the_most_likely_keys(toy_membership: Tensor, rng: Generator) -> None:
    decoder = LSTMDecoder(LSTMSettings(hidden=5), Sizes(3, 0, toy_membership, keys=6))
    decoder.linear.weight.zero_()
    decoder.linear.bias.copy_(torch.tensor([1.0, -1.0, -1.0, -1.0, -2.0, -3.0]))
    codes = torch.ones(50, 1, 3)
    keys, _ = decoder.sample(codes, torch.zeros(50, 1, 6), decoder.start(50), rng, temperature=0.01)
    assert torch.equal(keys, torch.tensor([1.0, 1, 1, 0, 0, 0]).expand(50, 1, 6))


@torch.no_grad()
def test_with_one_code_per_key_the_keys_are_certain(frames: Draw, rng: Generator) -> None:
    decoder = Uniform(Settings(), Sizes(88, 0, torch.eye(88, dtype=torch.bool)))
    keys = frames(2, 4, 88)
    assert torch.equal(decoder.log_prob(keys, keys, keys, rng).value, torch.zeros(2, 4))
    assert torch.equal(decoder.sample(keys[:, :1], keys[:, :1], (), rng)[0], keys[:, :1])


@pytest.mark.parametrize(("objective", "nats"), [("coins", 1.0986), ("conditional", 0.6931)])
def test_each_objective_of_the_lstm_converges_to_its_optimum(
    toy_membership: Tensor, rng: Generator, objective: str, nats: float
) -> None:
    """Exactly one of two keys sounds; independent keys would both sound in a third of the frames."""
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
        decoder.loss(codes, keys, silence, rng).mean().backward()
        learn.step()
    assert -decoder.log_prob(codes, keys, silence, rng).value.mean().item() == pytest.approx(nats, abs=0.02)
