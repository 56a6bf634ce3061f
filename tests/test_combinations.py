"""The zoo exists to combine: every combination of shipped parts learns, plays, is kept and goes on."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch

from zoo.data.fragments import Fragments
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
    "history": "attention.local=6 attention.reader=6 attention.features=7 attention.lags=1,3",
    "none": "attention.local=6 attention.features=7",
    "lags": "attention.local=6 attention.features=7 attention.lags=1,3",
    "latency": "attention.group=4 attention.features=7 attention.lags=1,3",
    "hierarchical": "attention.hidden=6 attention.features=7 attention.levels=frame,beat",
    "voices": "sampler.hidden=6 sampler.paths=2",
    "lstm": "decoder.hidden=6",
    "rbm": "decoder.lstm=6 decoder.hidden=4 decoder.gibbs=2",
}
"""Widths that make a thousand models quick; a part that is not here is built as it is."""


def shipped(slot: str) -> list[str]:
    registry = open_registry()
    return sorted(entry.name for entry in registry.entries() if entry.slot == slot)


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
        words = f"encoder={encoder} attention={attention} sampler={sampler} decoder={decoder}"
        narrow = [NARROW[name] for name in (attention, sampler) if name in NARROW]
        if decoder in NARROW:
            narrow.append(NARROW[decoder])
        recipe = parse_recipe(" ".join([words, f"velocity={velocity}", *narrow]), open_registry())
        model = build(recipe)
        two_steps(model, fragments)
        save_bundle(model, tmp_path / "bundle")
        kept = load_bundle(tmp_path / "bundle")
        (played,), (again,) = (generate(one, frames=4, seed=1) for one in (model, kept))
        for plane, other in zip(
            (played.onset, played.sounding, played.velocity),
            (again.onset, again.sounding, again.velocity),
            strict=True,
        ):
            assert plane is not None
            assert other is not None
            assert (plane == other).all(), str(recipe)
        for name, weight in model.state_dict().items():
            assert torch.equal(weight, kept.state_dict()[name]), str(recipe)
