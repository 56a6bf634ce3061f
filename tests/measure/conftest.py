from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zoo.data.corpus import Corpus
from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
from zoo.data.writing import write_store
from zoo.music.roll import Roll

ALL_PLANES = frozenset({"onset", "sounding", "velocity"})


@pytest.fixture
def noise() -> Callable[[int, int], Roll]:
    """Make random music with onsets, some held notes and velocities: `noise(seed, frames)`."""

    def make(seed: int, frames: int) -> Roll:
        rng = np.random.default_rng(seed)
        onset = rng.random((frames, 88)) < 0.04
        onset[-1, seed % 88] = True
        sounding = onset.copy()
        for frame in range(1, frames):
            sounding[frame] |= sounding[frame - 1] & (rng.random(88) < 0.6)
        velocity = np.where(onset, rng.integers(1, 128, size=onset.shape), 0).astype(np.uint8)
        return Roll(onset, sounding, velocity)

    return make


@pytest.fixture
def corpus_of(tmp_path, monkeypatch) -> Callable[..., Corpus]:
    """Make a corpus from rolls."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))

    def make(
        rolls: list[Roll], planes: frozenset[str] = ALL_PLANES, name: str = "noise", grid: int = 4
    ) -> Corpus:
        source = DataSource(
            name=name,
            planes=planes,
            grid=grid,
            size=len(rolls),
            read=lambda: (SourcePiece(f"piece {number}", roll) for number, roll in enumerate(rolls)),
            place=name,
            state=[roll.frames for roll in rolls],
        )
        return Corpus(name, write_store(source, tmp_path / "cache" / "corpora"))

    return make
