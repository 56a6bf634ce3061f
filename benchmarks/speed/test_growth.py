"""How costs grow with frames, batch, voices, lags and streams: four sizes each, of the baseline.

Training is with `sampler.objective=bound`, as in `make demo`, by default on 8 fragments of 128 frames.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from zoo.data import Corpus
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.train.batches import TrainingBatches
from zoo.train.learner import Learner
from zoo.train.settings import TrainSettings

Measure = Callable[..., None]
Build = Callable[[str], Model]

BOUND = "sampler.objective=bound"
LAGS = (0.25, 0.5, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)
"""Of which the last so many are used: the attention always looks back as far."""


def words_of(axis: str, size: int) -> str:
    """The recipe for a size."""
    match axis:
        case "voices":
            return f"{BOUND} sampler.voices={size}"
        case "lags":
            return f"{BOUND} attention.lags={','.join(map(str, LAGS[-size:]))}"
    return BOUND


TRAINING = [
    *(("frames", size) for size in (64, 128, 256, 512)),
    *(("batch", size) for size in (4, 8, 16, 32)),
    *(("voices", size) for size in (2, 4, 8, 12)),
    *(("lags", size) for size in (2, 4, 8, 16)),
]


@pytest.mark.parametrize(("axis", "size"), TRAINING)
def test_training(measure: Measure, model: Build, corpus: Corpus, little: bool, axis: str, size: int) -> None:
    settings = TrainSettings(
        batch=size if axis == "batch" else 8,
        frames=16 if little else size if axis == "frames" else 128,
        stride=16,
    )
    learner = Learner(model(words_of(axis, size)), settings, seed=0)
    batches = TrainingBatches(corpus, settings, seed=0).at(0)
    frames = sum(batch.mask.numel() for batch in batches)
    measure(f"a training step, by {axis}", str(size), lambda: learner.learn(batches), frames, size)


@pytest.mark.parametrize("size", [1, 5, 24, 120])
def test_generation_by_streams(measure: Measure, model: Build, little: bool, size: int) -> None:
    frames, built = 4 if little else 32, model("")
    measure("generation, by streams", str(size), lambda: generate(built, frames, size), frames * size, size)


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_generation_by_frames(measure: Measure, model: Build, little: bool, size: int) -> None:
    frames, built = 4 if little else size, model("")
    measure("generation, by frames", str(size), lambda: generate(built, frames), frames, size)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_matrix_rate(measure: Measure, little: bool, precision: str) -> None:
    matrix = torch.ones((8 if little else 1024,) * 2, dtype=getattr(torch, precision))
    measure("a product of two matrices", precision, lambda: matrix @ matrix)
