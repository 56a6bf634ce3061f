"""A folder of simple tunes, and a tiny search over settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo.music.roll import Roll
from zoo.registry import Registry, open_registry

pytest.importorskip("optuna")

WORDS = (
    "attention=none attention.local=4..8 attention.features=5 sampler.hidden=4 "
    "decoder=lstm,uniform decoder.hidden=4..9 train.batch=4 train.frames=16 train.stride=8 train.past=4 "
    "train.validate_every=2 train.lr=1e-3..1e-1:log train.device=cpu"
)


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for number in range(10):
        frames = 24 + number
        onset = np.zeros((frames, 88), np.bool_)
        for frame in range(0, frames, 2):
            onset[frame, [20 + number + (0, 4, 7, 12)[frame // 2 % 4], 44 + number]] = True
        Roll(onset, onset, np.where(onset, np.uint8(64), np.uint8(0))).write(folder / f"{number}.mid")
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def words(songs: Path) -> list[str]:
    """The words of a search with two parts and three ranges."""
    return [*WORDS.split(), f"data={songs}"]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return open_registry()
