"""Every combination of parts can be trained, generate, be saved and be loaded."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch

from zoo.data.fragments import Fragments
from zoo.errors import UsageError
from zoo.model.build import build
from zoo.model.bundle import load_bundle, save_bundle
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.model.probe import noise
from zoo.model.random import generator
from zoo.parts import SLOTS
from zoo.parts.terms import TERMS
from zoo.registry import open_registry, parse_recipe

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

IMPOSSIBLE = {("sounding", "rbm-loudness")}
"""Encoders and decoders that cannot be combined: held keys have no loudness."""


def shipped(slot: str) -> list[str]:
    registry = open_registry()
    return sorted(entry.name for entry in registry.entries() if entry.slot == slot)


def words(part: str) -> str:
    slot = part.partition("=")[0]
    return " ".join([part, *(f"{slot}.{setting}" for setting in NARROW.get(part, "").split())])


def two_steps(model: Model, fragments: Fragments) -> None:
    model.count(fragments, first=True)
    parameters = [parameter for term in TERMS for _, parameter in model.parameters_of(term)]
    if not parameters:
        return
    adam = torch.optim.Adam(parameters, lr=0.01)
    for step in range(2):
        adam.zero_grad()
        losses = model(fragments, generator(0, "step", step))
        torch.autograd.backward(list(losses.values()))
        adam.step()


@pytest.mark.slow
@pytest.mark.parametrize("attention", shipped("attention"))
@pytest.mark.parametrize("encoder", shipped("encoder"))
def test_every_combination(encoder: str, attention: str, tmp_path: Path) -> None:
    fragments = noise(88)
    rest = [shipped(slot) for slot in SLOTS[2:]]
    for sampler, decoder, velocity in product(*rest):
        parts = zip(SLOTS, (encoder, attention, sampler, decoder, velocity), strict=True)
        choice = " ".join(words(f"{slot}={name}") for slot, name in parts)
        if (encoder, decoder) in IMPOSSIBLE:
            with pytest.raises(UsageError, match=f"decoder={decoder}: it needs pressed keys"):
                parse_recipe(choice, open_registry())
            continue
        recipe = parse_recipe(choice, open_registry())
        model = build(recipe)
        two_steps(model, fragments)
        save_bundle(model, tmp_path / "bundle")
        loaded = load_bundle(tmp_path / "bundle")
        (played,), (again,) = (generate(each, frames=4, seed=1) for each in (model, loaded))
        for plane, plane_again in zip(
            (played.onset, played.sounding, played.velocity),
            (again.onset, again.sounding, again.velocity),
            strict=True,
        ):
            assert plane is not None
            assert plane_again is not None
            assert (plane == plane_again).all(), str(recipe)
        for name, weight in model.state_dict().items():
            assert torch.equal(weight, loaded.state_dict()[name]), str(recipe)
