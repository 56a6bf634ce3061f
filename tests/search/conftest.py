"""A tiny search over settings, with a cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.registry import Registry, open_registry

pytest.importorskip("optuna")

WORDS = (
    "attention=none attention.local=4..8 attention.features=5 sampler.hidden=4 "
    "decoder=lstm,uniform decoder.hidden=4..9 train.batch=4 train.frames=16 train.stride=8 train.past=4 "
    "train.validate_every=2 train.lr=1e-3..1e-1:log train.device=cpu"
)


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
