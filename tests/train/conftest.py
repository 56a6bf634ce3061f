"""A small corpus of simple tunes, and a tiny model to train on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.data import Corpus
from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
from zoo.data.split import Split
from zoo.data.writing import write_store
from zoo.model.build import build
from zoo.model.model import Model
from zoo.music.roll import Roll
from zoo.registry import Recipe, open_registry, parse_recipe
from zoo.train.events import Event
from zoo.train.settings import TrainSettings

TINY = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4"
FAST: dict[str, Any] = {
    "batch": 4,
    "frames": 16,
    "stride": 8,
    "past": 4,
    "validate_every": 3,
    "device": "cpu",
    "lr": 0.02,
}


def tune(number: int) -> Roll:
    """Two voices, one with a rising triad; each number has another key and length."""
    frames = 24 + number
    onset = np.zeros((frames, 88), np.bool_)
    for frame in range(0, frames, 2):
        onset[frame, [20 + number + (0, 4, 7, 12)[frame // 2 % 4], 44 + number]] = True
    velocity = np.where(onset, np.uint8(64), np.uint8(0))
    return Roll(onset, onset, velocity)


@pytest.fixture(scope="session")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Corpus]:
    """Make a corpus with given numbers of training and validation pieces, and given planes."""
    cache = tmp_path_factory.mktemp("cache")

    def make(train: int = 8, valid: int = 3, planes: str = "onset sounding velocity") -> Corpus:
        splits: list[Split] = [*["train"] * train, *["valid"] * valid, "test"]

        def read() -> Iterator[SourcePiece]:
            for number, split in enumerate(splits):
                yield SourcePiece(f"tune {number}", tune(number), split=split)

        name = f"tunes-{train}-{valid}"
        source = DataSource(name, frozenset(planes.split()), len(splits), read, place=name, state=splits)
        return Corpus(name, write_store(source, cache))

    return make


@pytest.fixture(scope="session")
def corpus(tunes: Callable[..., Corpus]) -> Corpus:
    return tunes()


class Stop:
    """Interrupts training at an event of a given kind and step."""

    def __init__(self, kind: type[Event], step: int) -> None:
        self.kind, self.step = kind, step

    def __call__(self, event: Event) -> None:
        if isinstance(event, self.kind) and event.step == self.step:
            raise KeyboardInterrupt


def recipe_of(words: str = "") -> Recipe:
    return parse_recipe(f"{TINY} {words}", open_registry())


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Model]:
    """Make a tiny model; words change its recipe."""
    return lambda words="", seed=0: build(recipe_of(words), seed)


@pytest.fixture(scope="session")
def fast() -> Callable[..., TrainSettings]:
    """Make settings for training in seconds instead of minutes."""
    return lambda **settings: TrainSettings(**{**FAST, **settings})


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "run"
