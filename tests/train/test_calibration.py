"""After training, the spread of velocities is calibrated, on validation pieces if there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from zoo.data import Corpus
from zoo.model.counting import calibrate
from zoo.train.fit import fit

Make = Callable[..., Any]


@pytest.mark.parametrize("words", ["velocity=lstm velocity.hidden=4", "velocity=previous"])
def test_the_spread_is_calibrated_for_the_best_weights(
    tiny: Make, corpus: Corpus, fast: Make, words: str
) -> None:
    model = tiny(words)
    history = fit(model, corpus, fast(steps=9, validate_every=3, validate_frames=10**6))
    assert "velocity" in history.best
    evidence = model.velocity.spread.evidence.clone()
    assert evidence.any()
    calibrate(model, corpus.split("valid"))
    torch.testing.assert_close(model.velocity.spread.evidence, evidence)


def test_every_validation_calibrates_the_spread_first(tiny: Make, corpus: Corpus, fast: Make) -> None:
    """All notes have the same velocity, so the nats only fall if the spread becomes narrow."""
    model = tiny("velocity=lstm velocity.hidden=4")
    history = fit(model, corpus, fast(steps=60, validate_every=10, lr=0.05))
    nats = [validation.nats["velocity"] for validation in history.validations]
    assert nats[-1] < nats[0] / 2
    assert model.velocity.spread.value < 4


def test_without_validation_pieces_the_spread_is_calibrated_on_the_training_pieces(
    tiny: Make, tunes: Make, fast: Make
) -> None:
    model, corpus = tiny("velocity=lstm velocity.hidden=4"), tunes(valid=0)
    result = fit(model, corpus, fast(steps=3))
    evidence = model.velocity.spread.evidence.clone()
    assert evidence.any()
    assert not result.best
    calibrate(model, corpus.split("train"))
    torch.testing.assert_close(model.velocity.spread.evidence, evidence)
