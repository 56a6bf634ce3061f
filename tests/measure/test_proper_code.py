"""Nats of the whole composition are the length of a code: over everything that can happen, one."""

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


def toy(plane):
    """Three keys, of which the outer two share a code; small parts with weights that mean something."""
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
    """Every score of two frames: off, held or struck for each key, held only where it sounded."""
    first = product((OFF, STRUCK), repeat=3)
    scores = [
        (before, now)
        for before in first
        for now in product((OFF, HELD, STRUCK), repeat=3)
        if all(was != OFF or is_ != HELD for was, is_ in zip(before, now, strict=True))
    ]
    silence = torch.full((len(scores), 1, 3), OFF)
    return torch.cat([silence, torch.tensor(scores)], 1)


def nats(model, scores):
    onset, sounding = scores == STRUCK, scores != OFF
    fragments = Fragments(
        onset=onset,
        sounding=sounding,
        velocity=None,
        clock=Clock.common_time(torch.arange(-1, 2).expand(len(scores), -1)),
        mask=torch.ones(len(scores), 2, dtype=torch.bool),
    )
    found = model.log_probs(fragments, torch.Generator().manual_seed(0))
    return {name: log_prob.value.sum(-1).double() for name, log_prob in found.items()}, fragments


@pytest.mark.parametrize("plane", ["onset", "sounding"])
def test_probabilities_of_all_scores_of_two_frames_sum_to_one(plane):
    model, scores = toy(plane), all_scores()
    found, fragments = nats(model, scores)
    assert len(scores) == 125
    uncounted = sum(found.values())
    assert uncounted.exp().sum().item() == pytest.approx(1, abs=1e-5)
    chosen = torch.arange(0, 125, 3)
    planes = fragments.onset[chosen, 1:], fragments.sounding[chosen, 1:], fragments.clock[chosen, 1:]
    model.encoder.count(*planes, mask=fragments.mask[chosen])
    counted = sum(nats(model, scores)[0].values())
    assert counted.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(counted, uncounted)


@pytest.mark.parametrize("plane", ["onset", "sounding"])
def test_probabilities_of_all_keys_of_two_frames_sum_to_one(plane):
    every = torch.tensor(list(product(product((OFF, STRUCK), repeat=3), repeat=2)))
    scores = torch.cat([torch.full((64, 1, 3), OFF), every], 1)
    found, _ = nats(toy(plane), scores)
    likely = (found["codes"] + found["keys"]).exp()
    assert likely.sum().item() == pytest.approx(1, abs=1e-5)
    assert likely.max() > 3 * likely.min()
