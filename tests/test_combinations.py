"""Every part is trained, saved and loaded in every combination of its term, and every combination is built.

The terms of a model share no parameters, so a combination needs no training of its own: as in
`zoo build core=@A decoder=@B velocity=@C`, its parts are taken from trainings of its terms. Each encoder and
attention generates with every decoder and velocity, and with the samplers in turn: a sampler only hands codes
to the decoder.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.errors import UsageError
from zoo.model.build import build
from zoo.model.bundle import load_bundle, save_bundle
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.model.probe import noise
from zoo.model.random import generator
from zoo.parts import SLOTS
from zoo.parts.terms import TERMS
from zoo.registry import Recipe, open_registry, parse_recipe

NARROW = {
    "attention=history": "local=6 reader=6 features=7 lags=1,3",
    "attention=none": "local=6 features=7",
    "attention=lags": "local=6 features=7 lags=1,3",
    "attention=latency": "group=4 features=7 lags=1,3",
    "attention=hierarchical": "hidden=6 features=7 levels=frame,beat",
    "attention=stacked": "hidden=6",
    "attention=mingru": "hidden=6",
    "attention=transformer": "heads=2 head=3 layers=2",
    "attention=copying": "local=6 features=7 heads=2 head=3",
    "sampler=voices": "hidden=6 paths=2",
    "sampler=nade": "hidden=6 orders=2",
    "sampler=ordered": "hidden=6",
    "sampler=rbm": "hidden=4 gibbs=2",
    "decoder=lstm": "hidden=6",
    "decoder=rbm": "lstm=6 hidden=4 gibbs=2",
    "decoder=rbm-loudness": "lstm=6 hidden=4 gibbs=2",
    "decoder=ordered": "lstm=6 hidden=6",
}
"""Small widths for speed; parts that are not listed have their defaults."""

IMPOSSIBLE = {("sounding", "rbm-loudness"), ("register", "rbm-loudness")}
"""Encoders and decoders that cannot be combined: held keys have no loudness."""


REGISTRY = open_registry()


def shipped(slot: str) -> list[str]:
    return sorted(entry.name for entry in REGISTRY.shipped_entries(slot))


def recipe_of(*parts: str) -> Recipe:
    words = []
    for slot, name in zip(SLOTS, parts, strict=True):
        settings = NARROW.get(f"{slot}={name}", "").split()
        words += [f"{slot}={name}", *(f"{slot}.{setting}" for setting in settings)]
    return parse_recipe(" ".join(words), REGISTRY)


@cache
def trained(*parts: str) -> Model:
    """A model after two steps."""
    model, fragments = build(recipe_of(*parts)), noise(88)
    model.count(fragments, first=True)
    parameters = [parameter for term in TERMS for _, parameter in model.parameters_of(term)]
    if parameters:
        adam = torch.optim.Adam(parameters, lr=0.01)
        for step in range(2):
            adam.zero_grad()
            losses = model(fragments, generator(0, "step", step))
            torch.autograd.backward(list(losses.values()))
            adam.step()
    return model


def check_bundle(model: Model, folder: Path) -> None:
    """Save and load a model, and compare its weights and the music it writes."""
    save_bundle(model, folder / "bundle")
    loaded = load_bundle(folder / "bundle")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name]), str(model.recipe)
    for plane, plane_again in zip(planes(model), planes(loaded), strict=True):
        assert (plane == plane_again).all(), str(model.recipe)


def planes(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Onsets, sounding keys and velocities of four frames that a model writes."""
    (roll,) = generate(model, frames=4, seed=1)
    assert roll.onset is not None
    assert roll.velocity is not None
    return roll.onset, roll.sounding, roll.velocity


def decoders(encoder: str) -> list[str]:
    return [decoder for decoder in shipped("decoder") if (encoder, decoder) not in IMPOSSIBLE]


@pytest.mark.slow
@pytest.mark.parametrize("attention", shipped("attention"))
@pytest.mark.parametrize("encoder", shipped("encoder"))
def test_every_combination(encoder: str, attention: str, tmp_path: Path) -> None:
    cores = {
        sampler: trained(encoder, attention, sampler, "uniform", "none") for sampler in shipped("sampler")
    }
    for core in cores.values():
        check_bundle(core, tmp_path)
    turn = shipped("attention").index(attention)  # so that every sampler meets every decoder and velocity
    for decoder, velocity in product(decoders(encoder), shipped("velocity")):
        other = trained(encoder, "last", "independent", decoder, velocity)
        models = []
        for sampler, core in cores.items():
            recipe = recipe_of(encoder, attention, sampler, decoder, velocity)
            models.append(
                Model(recipe, core.encoder, core.attention, core.sampler, other.decoder, other.velocity)
            )
        turn += 1
        model = models[turn % len(models)]
        onset, sounding, loudness = planes(model)
        assert onset.shape == sounding.shape == (4, 88), str(model.recipe)
        assert ((loudness > 0) == onset).all(), str(model.recipe)


@pytest.mark.slow
@pytest.mark.parametrize("velocity", shipped("velocity"))
@pytest.mark.parametrize("encoder", shipped("encoder"))
def test_every_decoder_and_velocity(encoder: str, velocity: str, tmp_path: Path) -> None:
    for decoder in decoders(encoder):
        check_bundle(trained(encoder, "last", "independent", decoder, velocity), tmp_path)


@pytest.mark.parametrize(("encoder", "decoder"), sorted(IMPOSSIBLE))
def test_an_impossible_combination_says_why(encoder: str, decoder: str) -> None:
    with pytest.raises(UsageError, match=f"decoder={decoder}: it needs pressed keys"):
        recipe_of(encoder, "last", "independent", decoder, "none")
