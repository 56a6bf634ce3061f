"""Fixtures of the speed benchmarks: seeded synthetic music, models by their recipes, and a timer.

Each measurement records the operations of its matrix products, counted from their shapes: a multiplication
and an addition are two operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from zoo.data import Corpus, open_corpus
from zoo.model.build import build
from zoo.model.model import Model
from zoo.music.roll import Notes, Roll
from zoo.registry import open_registry, parse_recipe

Measure = Callable[..., None]
VOICES = (48, 40, 31, 24)
"""The keys around which soprano, alto, tenor and bass move."""


@pytest.fixture(scope="session")
def little(pytestconfig: pytest.Config) -> bool:
    """Whether to use little music, because nothing is timed (`--benchmark-disable`)."""
    return bool(pytestconfig.getoption("benchmark_disable"))


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory, little: bool) -> Path:
    """A folder of MIDI files, 16 bars each."""
    folder = tmp_path_factory.mktemp("songs")
    for number in range(3 if little else 16):
        song(number, frames=48 if little else 256).write(folder / f"{number:02}.mid")
    return folder


def song(seed: int, frames: int) -> Roll:
    """Four voices in random steps around their central keys, in eighth, quarter and half notes."""
    rng = np.random.default_rng(seed)
    notes = [note for center in VOICES for note in line(rng, center, frames)]
    start, end, key = np.array(notes, np.int64).T
    return Roll.from_notes(Notes(start, end, key, rng.integers(40, 100, len(notes)).astype(np.uint8)))


def line(rng: np.random.Generator, center: int, frames: int) -> Iterator[tuple[int, int, int]]:
    """The first frame, end and key of each note of one voice."""
    frame, key = 0, center
    while frame < frames:
        end = min(frame + int(rng.choice([2, 4, 4, 8])), frames)
        yield frame, end, key
        key += int(rng.choice([-2, -1, 1, 2])) - (key > center + 6) * 2 + (key < center - 6) * 2
        frame = end


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache of corpora."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("ZOO_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def corpus(songs: Path, cache: Path) -> Corpus:
    """The songs as a corpus, read once."""
    return open_corpus(songs)


@pytest.fixture(scope="session")
def model() -> Callable[[str], Model]:
    """Builds an untrained model from the words of a recipe."""
    return lambda words: build(parse_recipe(words, open_registry()))


@pytest.fixture
def measure(benchmark: Any, little: bool) -> Measure:
    """Times a call in a group of benchmarks, and records the frames and operations that it processes."""

    def run(group: str, name: str, call: Callable[[], object], frames: int = 0, size: int = 0) -> None:
        benchmark.group, benchmark.name = group, name
        operations = 0 if little else operations_of(call)
        benchmark(call)
        benchmark.extra_info.update(
            polyzoo=version("polyzoo"), torch=torch.__version__, threads=torch.get_num_threads()
        )
        benchmark.extra_info.update(frames=frames, size=size, operations=operations)
        if frames and benchmark.stats is not None:
            benchmark.extra_info["frames_per_second"] = round(frames / benchmark.stats.stats.median)

    return run


def operations_of(call: Callable[[], object]) -> int:
    """The operations of the matrix products of a call."""
    layer = torch.ops.aten.mkldnn_rnn_layer
    counted = {layer: lstm_operations, torch.ops.aten.mkldnn_rnn_layer_backward: lstm_gradient_operations}
    with FlopCounterMode(display=False, custom_mapping=counted) as counter:
        call()
    return int(counter.get_total_flops())


def lstm_operations(
    inputs: torch.Size, weight_ih: torch.Size, weight_hh: torch.Size, *_: Any, **__: Any
) -> int:
    """The operations of an LSTM on inputs (T, B, I), which the counter does not know."""
    length, batch, _width = inputs
    return 2 * length * batch * (weight_ih.numel() + weight_hh.numel())


def lstm_gradient_operations(*shapes: Any, **named: Any) -> int:
    """The operations of its gradient: with respect to the inputs, and to the weights."""
    return 2 * lstm_operations(*shapes, **named)
