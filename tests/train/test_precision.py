"""Training in bfloat16 equals training in float32 up to rounding, for every part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from zoo.data import Corpus
from zoo.model.build import build
from zoo.model.counting import count
from zoo.parts import SLOTS
from zoo.registry import open_registry, parse_recipe
from zoo.train.batches import TrainingBatches
from zoo.train.learner import Learner

Make = Callable[..., Any]
PARTS = [
    *(f"{slot}={entry.name}" for slot in SLOTS for entry in open_registry().shipped_entries(slot)),
    "attention=latency attention.mix=false",
    "sampler.objective=bound",
    "decoder.objective=conditional",
    "decoder=rbm decoder.training=pcd",
]
DRAWN = ("decoder=rbm", "sampler=rbm")
"""The loss of these parts depends on random draws, which may differ after rounding of a probability."""


@pytest.mark.parametrize("words", PARTS)
def test_a_step_in_bf16_equals_one_in_float32_up_to_rounding(words: str, tunes: Make, fast: Make) -> None:
    corpus: Corpus = tunes().split("train")
    losses, weights = {}, {}
    for precision in ("float32", "bf16"):
        settings = fast(precision=precision)
        model = build(parse_recipe(words, open_registry()))
        count(model, corpus)
        learner = Learner(model, settings, seed=0)
        losses[precision] = learner.learn(TrainingBatches(corpus, settings, seed=0).at(0))
        weights[precision] = [parameter.detach() for parameter in model.parameters()]
    tolerance = 0.1 if words.startswith(DRAWN) else 2e-3
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=tolerance, abs=tolerance)
    assert all(weight.dtype == torch.float32 for weight in weights["bf16"])
    if losses["float32"]:
        same = (torch.equal(a, b) for a, b in zip(weights["float32"], weights["bf16"], strict=True))
        assert not all(same)
