from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.data.corpus import Corpus
from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
from zoo.data.writing import write_store
from zoo.music.meter import Meter
from zoo.music.roll import Roll

ALL_PLANES = frozenset({"onset", "sounding", "velocity"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has its own cache."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "corpora"


@pytest.fixture
def noise() -> Callable[[int, int], Roll]:
    """Random music, from dense chords to silence; the last frame is never silent."""

    def make(seed: int, frames: int) -> Roll:
        rng = np.random.default_rng(seed)
        onset = rng.random((frames, 88)) < rng.choice([0.0, 0.02, 0.1, 0.5], size=(frames, 1))
        onset[-1, seed % 88] = True
        sounding = onset | (rng.random((frames, 88)) < 0.05)
        velocity = np.where(onset, rng.integers(1, 128, size=onset.shape), 0).astype(np.uint8)
        return Roll(onset, sounding, velocity, tempo=60.0 + seed)

    return make


@pytest.fixture
def source_of() -> Callable[..., DataSource]:
    """A source of given rolls; i % 3 frames are missing from the first bar of piece i."""

    def make(rolls: list[Roll], name: str = "noise", planes: frozenset[str] = ALL_PLANES) -> DataSource:
        return DataSource(
            name=name,
            planes=planes,
            size=len(rolls),
            read=lambda: (
                SourcePiece(f"piece {i}", replace(roll, meter=Meter.of(offset=i % 3)))
                for i, roll in enumerate(rolls)
            ),
            place=name,
            state=[roll.frames for roll in rolls],
        )

    return make


@pytest.fixture
def corpus_of(cache: Path, source_of: Callable[..., DataSource]) -> Callable[..., Corpus]:
    """A corpus of given rolls."""
    return lambda rolls, **options: Corpus("noise", write_store(source_of(rolls, **options), cache))
