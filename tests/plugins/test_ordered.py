"""Ordered samplers and decoders: each step computed by hand, and dependencies that they can learn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor
from zoo_plugins.ordered.ordered import OrderedDecoder, OrderedSampler
from zoo_plugins.ordered.settings import OrderedDecoderSettings, OrderedSamplerSettings
from zoo_plugins.ordered.spelling import Speller

from zoo.parts.interfaces import Sizes

Draw = Callable[..., Tensor]
Sets = Callable[[int], Tensor]


def speller(members: int, dropout: float = 0.0) -> Speller:
    """Make a part with large random weights."""
    torch.manual_seed(0)
    part = Speller(3, members, 7, dropout)
    for weights in part.parameters():
        torch.nn.init.normal_(weights)
    return part


def spelled(part: Speller, known: Tensor, chosen: list[int], may: Callable[[list[int]], list[int]]) -> Tensor:
    """The log-probability of a set, step by step from the definition."""
    end, total = part.members, torch.zeros(())
    for place, step in enumerate([*chosen, end]):
        before = chosen[:place]
        last = before[-1] if before else end
        named = part.named.weight[:, before].sum(-1)
        hidden = torch.relu(part.hear(known) + named + part.last.weight[last])
        hidden = hidden + torch.relu(part.deepen(hidden))
        logits = part.choose(hidden) + part.direct(known) + part.beside.weight[last]
        options = may(before)
        total = total + logits[step] - logits[options].logsumexp(0)
    return total


@torch.no_grad()
def test_a_chord_is_the_product_of_its_steps(frames: Draw, all_sets: Sets) -> None:
    part, known, sets = speller(4), frames(16, 3), all_sets(4)

    def above(before: list[int]) -> list[int]:
        return list(range(before[-1] + 1 if before else 0, 5))

    expected = [
        spelled(part, row, members.nonzero().flatten().tolist(), above)
        for row, members in zip(known, sets, strict=True)
    ]
    torch.testing.assert_close(part.log_prob(known, sets), torch.stack(expected))


@torch.no_grad()
def test_a_voicing_is_the_product_of_its_steps(toy_membership: Tensor, frames: Draw, rng: Generator) -> None:
    """Codes 0 (keys 0 and 3) and 1 (keys 1, 4 and 5) are active; key 2 belongs to an inactive code."""
    torch.manual_seed(0)
    decoder = OrderedDecoder(OrderedDecoderSettings(lstm=5, hidden=7), Sizes(3, 0, toy_membership, keys=6))
    decoder.eval()
    may = {
        (): [0, 1, 3],
        (0,): [1, 3, 4, 5],
        (1,): [3],
        (3,): [4, 5],
        (0, 1): [3, 4, 5, 6],
        (1, 3): [4, 5, 6],
    }
    codes, previous = torch.tensor([[[1.0, 1, 0]]]), frames(1, 1, 6)
    context, _ = decoder._context(codes, previous, decoder.start(1))
    for chosen in ((0, 1), (1, 3)):
        keys = torch.zeros(1, 1, 6)
        keys[..., list(chosen)] = 1
        expected = spelled(decoder.speller, context[0, 0], list(chosen), lambda before: may[tuple(before)])
        result = decoder.log_prob(codes, keys, previous, rng).value
        torch.testing.assert_close(result, expected.view(1, 1))


@torch.no_grad()
@pytest.mark.parametrize("choice", [{"temperature": 1e-8}, {"top_p": 1e-6}])
def test_sharpening_draws_the_most_likely_members(
    frames: Draw, rng: Generator, choice: dict[str, float]
) -> None:
    part, known = speller(4), frames(50, 3)
    with_steps(part, [0.0, 2.0, 0.0, 1.0, -40.0])  # the chord never ends before its highest member
    expected = torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert torch.equal(part.draw(known, rng, **choice), expected.expand(50, 4))


@torch.no_grad()
@pytest.mark.parametrize("choice", [{"temperature": 0.2}, {"temperature": 5.0}, {"top_p": 0.3}])
def test_sharpening_does_not_change_how_often_a_chord_ends(
    frames: Draw, rng: Generator, choice: dict[str, float]
) -> None:
    """The empty set has the probability of an end at the first step, 1 / (1 + 4 e^-1.4) = 0.503."""
    part, known = speller(4), frames(4000, 3)
    with_steps(part, [0.0, 0.0, 0.0, 0.0, 1.4])
    empty = (part.draw(known, rng, **choice).sum(-1) == 0).float().mean()
    assert abs(float(empty) - 0.503) < 0.03


def with_steps(part: Speller, logits: list[float]) -> None:
    """Give every step the same logits."""
    for module in (part.choose, part.direct, part.beside):
        module.weight.zero_()
    part.choose.bias.copy_(torch.tensor(logits))
    part.direct.bias.zero_()


@torch.no_grad()
def test_the_draws_of_a_row_do_not_depend_on_other_rows(frames: Draw) -> None:
    part, known = speller(6), frames(9, 3)
    alone = part.draw(known[:2], Generator().manual_seed(3))
    among = part.draw(torch.cat([known[:2], known[2:] * 5]), Generator().manual_seed(3))
    assert torch.equal(among[:2], alone)


def test_dropout_is_the_same_in_all_steps_of_a_frame(frames: Draw) -> None:
    """The log-probability of a chord is the sum over its steps only if all have the same dropout."""
    part, known = speller(4, dropout=0.5), frames(1, 3)
    torch.manual_seed(2)
    push, shortcut, keep = part._shared(known)
    torch.manual_seed(2)
    whole = part.log_prob(known, torch.tensor([[1.0, 0, 1, 1]]))
    assert (keep == 0).any()
    named = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 1, 1]])
    last, steps = torch.tensor([4, 0, 2, 3]), torch.tensor([0, 2, 3, 4])
    logits = part._logits(push, shortcut, keep, named, last)
    logits = logits.masked_fill(torch.arange(5) <= torch.tensor([-1, 0, 2, 3]).unsqueeze(-1), -torch.inf)
    torch.testing.assert_close(whole, logits.log_softmax(-1)[torch.arange(4), steps].sum().view(1))


def learned(loss: Callable[[], Tensor], parameters: list[Tensor]) -> None:
    adam = torch.optim.Adam(parameters, lr=0.03)
    for _ in range(150):
        adam.zero_grad()
        loss().mean().backward()
        adam.step()


def test_an_exclusive_choice_of_two_notes_costs_one_bit(rng: Generator) -> None:
    """Independent probabilities need two bits."""
    torch.manual_seed(0)
    settings = OrderedSamplerSettings(hidden=8, dropout=0)
    sampler = OrderedSampler(settings, Sizes(2, 1, torch.eye(2, dtype=torch.bool), keys=2))
    codes = torch.eye(2).repeat(1, 8, 1)
    features = torch.zeros(1, 16, 1)
    learned(lambda: sampler.loss(features, codes, rng), list(sampler.parameters()))
    nats = -sampler.log_prob(features, codes, rng).value.mean().item()
    assert nats == pytest.approx(0.6931, abs=0.01)


def test_octave_doublings_are_learned_as_one_choice(toy_membership: Tensor, rng: Generator) -> None:
    """Code 0 is doubled exactly if code 1 is low: one bit for all four keys."""
    torch.manual_seed(0)
    sizes = Sizes(3, 0, toy_membership, keys=6)
    decoder = OrderedDecoder(OrderedDecoderSettings(lstm=4, hidden=16, dropout=0), sizes)
    keys = torch.tensor([[[1.0, 1, 0, 1, 0, 0]], [[0, 0, 0, 1, 0, 1]]])
    codes, previous = torch.tensor([[[1.0, 1, 0]]] * 2), torch.zeros(2, 1, 6)
    learned(lambda: decoder.loss(codes, keys, previous, rng), list(decoder.parameters()))
    nats = -decoder.log_prob(codes, keys, previous, rng).value
    torch.testing.assert_close(nats, torch.full_like(nats, 0.6931), atol=0.02, rtol=0)
