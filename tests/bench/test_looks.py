"""The script for pictures works with current models, on whole pieces of any length."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zoo.bench.study import Study, read_study
from zoo.data import Corpus, open_corpus
from zoo.model.build import build
from zoo.music.midi import write_midi
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks" / "studies"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("looks", BENCHMARKS / "looks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "looks", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """Three pieces of triads in root position, C, E, G, with the root doubled in every second frame."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for number in range(3):
        onset = np.zeros((32 + 16 * number, 88), np.bool_)
        onset[::2, [39 + number, 43 + number, 46 + number]] = True
        onset[::4, 51 + number] = True
        (tmp_path / "songs").mkdir(exist_ok=True)
        velocity = np.where(onset, 64 + 16 * number, 0).astype(np.uint8)
        write_midi(Roll(onset, onset, velocity), tmp_path / f"songs/{number}.mid")
    return open_corpus(tmp_path / "songs")


@pytest.fixture
def study() -> Study:
    return read_study(BENCHMARKS / "decoder.toml", open_registry())


class Untrained:
    """Untrained models in place of the trained models of a study."""

    def __init__(self, corpus: Corpus, *recipes: str) -> None:
        self._corpus, self._recipes = corpus, recipes

    def unseen(self, study: Study, data: str) -> Corpus:
        return self._corpus

    def trained(self, *args: Any) -> Any:
        for recipe in self._recipes:
            model = build(parse_recipe(recipe, open_registry()), 0).eval().requires_grad_(False)
            row = SimpleNamespace(labels={"encoder": "onset", "decoder": recipe})
            yield row, SimpleNamespace(name="cell"), model


def test_weights_of_all_lags_sum_to_one_at_each_sixteenth(
    looks: ModuleType, corpus: Corpus, study: Study
) -> None:
    facts = looks.reading(study, "songs", Untrained(corpus, "attention=history"))["encoders"]["onset"]
    assert facts["frames"] == sum(piece.frames for piece in corpus.pieces)
    assert facts["lags"] == [4, 8, 16, 32, 48, 64, 96, 128]
    assert sum(facts["mean"]) == pytest.approx(1, abs=1e-3)
    assert [sum(row) for row in facts["by_sixteenth"]] == pytest.approx([1] * 16, abs=1e-3)


def test_every_struck_note_is_counted_at_its_velocity(
    looks: ModuleType, corpus: Corpus, study: Study
) -> None:
    facts = looks.loudness(study, "songs", Untrained(corpus, "velocity=lstm"))
    counts = np.array(facts["counts"])
    struck = [int(corpus[number].onset.sum()) for number in range(3)]
    assert facts["notes"] == counts.sum() == sum(struck)
    assert [counts[:, velocity // looks.BIN].sum() for velocity in (64, 80, 96)] == struck


def test_doublings_of_the_music_are_counted_exactly(looks: ModuleType, corpus: Corpus, study: Study) -> None:
    facts = looks.doublings(study, "songs", Untrained(corpus, "decoder=lstm", "decoder=rbm"))["of"]
    assert list(facts) == ["music", "decoder=lstm", "decoder=rbm"]
    struck = (32 + 48 + 64) // 2
    assert facts["music"]["keys"] == {"3": struck // 2, "4": struck // 2}
    assert facts["music"]["doubled"] == pytest.approx(1 / 6, abs=1e-4)
    assert facts["decoder=rbm"]["frames"] <= looks.DRAWS * struck
