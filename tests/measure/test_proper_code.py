"""The score of a whole model is a probability distribution: it sums to one over all possible scores."""

from itertools import product

import pytest
import torch

from zoo.data.fragments import Fragments
from zoo.model.model import Model
from zoo.parts import Settings
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Encoder, Sizes
from zoo.registry import open_registry, parse_recipe

MEMBERSHIP = torch.tensor([[1, 0, 1], [0, 1, 0]], dtype=torch.bool)
OFF, HELD, STRUCK = range(3)


def toy_model(plane):
    """A small model of three keys, of which the outer two share a code, with large random weights."""
    recipe = parse_recipe("attention=none sampler=independent decoder=lstm", open_registry())
    torch.manual_seed(5)
    encoder = Encoder(Settings(), MEMBERSHIP, plane)

    def part(slot, features=0):
        choice = recipe.parts[slot]
        sizes = Sizes(codes=2, features=features, membership=MEMBERSHIP, keys=3)
        return choice.entry.load()(choice.settings, sizes)

    attention = part("attention")
    sampler, decoder, velocity = (
        part(slot, attention.features) for slot in ("sampler", "decoder", "velocity")
    )
    model = Model(recipe, encoder, attention, sampler, decoder, velocity)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    return model


def all_scores():
    """All scores of two frames; a key can only be held if it sounded in the frame before."""
    scores = [
        (first, second)
        for first in product((OFF, STRUCK), repeat=3)
        for second in product((OFF, HELD, STRUCK), repeat=3)
        if all(before != OFF or now != HELD for before, now in zip(first, second, strict=True))
    ]
    silence = torch.full((len(scores), 1, 3), OFF)
    return torch.cat([silence, torch.tensor(scores)], 1)


def log_probs_of(model, scores):
    onset, sounding = scores == STRUCK, scores != OFF
    fragments = Fragments(
        onset=onset,
        sounding=sounding,
        velocity=None,
        clock=Clock.common_time(torch.arange(-1, 2).expand(len(scores), -1)),
        mask=torch.ones(len(scores), 2, dtype=torch.bool),
    )
    log_probs = model.log_probs(fragments, torch.Generator().manual_seed(0))
    return {name: log_prob.value.sum(-1).double() for name, log_prob in log_probs.items()}, fragments


@pytest.mark.parametrize("plane", ["onset", "sounding"])
def test_probabilities_of_all_scores_of_two_frames_sum_to_one(plane):
    model, scores = toy_model(plane), all_scores()
    log_probs, fragments = log_probs_of(model, scores)
    assert len(scores) == 125
    uncounted = sum(log_probs.values())
    assert uncounted.exp().sum().item() == pytest.approx(1, abs=1e-5)
    chosen = torch.arange(0, 125, 3)
    planes = fragments.onset[chosen, 1:], fragments.sounding[chosen, 1:], fragments.clock[chosen, 1:]
    model.encoder.count(*planes, mask=fragments.mask[chosen])
    counted = sum(log_probs_of(model, scores)[0].values())
    assert counted.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(counted, uncounted)


@pytest.mark.parametrize("plane", ["onset", "sounding"])
def test_probabilities_of_all_keys_of_two_frames_sum_to_one(plane):
    every = torch.tensor(list(product(product((OFF, STRUCK), repeat=3), repeat=2)))
    scores = torch.cat([torch.full((64, 1, 3), OFF), every], 1)
    log_probs, _ = log_probs_of(toy_model(plane), scores)
    probabilities = (log_probs["codes"] + log_probs["keys"]).exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert probabilities.max() > 3 * probabilities.min()
