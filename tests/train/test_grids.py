"""Training and generation on other grids and in other meters than sixteenths in 4/4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.data import open_corpus
from zoo.errors import DataError, UsageError
from zoo.model.bundle import open_bundle
from zoo.music.meter import Meter
from zoo.music.roll import Notes, Roll
from zoo.train.batches import TrainingBatches
from zoo.train.record import common_meter, meter_of, pedal_of, reading_notes
from zoo.train.settings import TrainSettings

SMALL = "attention.local=8 attention.reader=8 attention.features=9 sampler.hidden=8 decoder.hidden=8"


def waltz(seed: int) -> Roll:
    """Twelve bars of 3/4 in eighth-note triplets, on a grid of 12 frames per quarter note."""
    rng = np.random.default_rng(seed)
    start = np.arange(0, 12 * 36, 4)
    key = rng.integers(30, 50, len(start))
    velocity = np.full(len(start), 64, np.uint8)
    return Roll.from_notes(Notes(start, start + 4, key, velocity), meter=Meter.of(3, 4, grid=12))


@pytest.fixture
def waltzes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "waltzes"
    folder.mkdir()
    for seed in range(8):
        waltz(seed).write(folder / f"{seed}.mid")
    return folder


def test_reading_training_and_generation_on_a_triplet_grid(waltzes: Path, tmp_path: Path) -> None:
    corpus = open_corpus(waltzes, grid=12)
    assert corpus.grid == 12
    assert common_meter(corpus) == [3, 4]
    assert np.array_equal(corpus.roll(0).onset, waltz(0).onset)  # type: ignore[arg-type]
    model = zoo.build(f"{SMALL} grid=12")
    model.fit(corpus, steps=2, batch=2, frames=32, past=16)
    model.save(tmp_path / "bundle")
    generated = zoo.load(tmp_path / "bundle").generate(frames=72)
    assert generated.meter == Meter.of(3, 4, grid=12)
    assert model.evaluate(corpus).frames.sum() > 0


def test_a_combined_model_keeps_the_meter_and_pedal_of_its_core(waltzes: Path, tmp_path: Path) -> None:
    corpus = open_corpus(waltzes, grid=4, pedal="hold")
    trained = zoo.build(SMALL)
    trained.fit(corpus, steps=2, batch=2, frames=32, past=16)
    trained.save(tmp_path / "trained")
    combined = zoo.build(f"core=@{tmp_path / 'trained'} decoder=uniform")
    assert combined.generate(frames=24).meter == Meter.of(3, 4)
    combined.save(tmp_path / "combined")
    bundle = open_bundle(tmp_path / "combined")
    assert meter_of(bundle.record, 4) == Meter.of(3, 4)
    assert pedal_of(bundle.record) == "hold"
    kept = open_corpus(waltzes, grid=4)
    note = "combined was trained with pedal=hold, and this music is read with pedal=keep"
    assert note in list(reading_notes("combined", bundle, kept))


def test_fragments_have_the_same_length_in_beats_on_any_grid(waltzes: Path) -> None:
    settings = TrainSettings(batch=2, frames=16, stride=8, past=4)
    batch = TrainingBatches(open_corpus(waltzes, grid=12), settings, seed=0).at(0)[0]
    assert (batch.frames, batch.past) == (48, 12)
    places = TrainingBatches(open_corpus(waltzes, grid=4), settings, seed=0).at(0)[0]
    assert (places.frames, places.past) == (16, 4)
    assert settings.on_grid(12).validate_frames == 3 * settings.validate_frames
    assert settings.on_grid(1) == settings  # grids coarser than sixteenths keep the numbers


def test_music_on_another_grid_is_an_error(waltzes: Path) -> None:
    model = zoo.build(SMALL)
    with pytest.raises(DataError, match="12 frames per quarter note, the model 4") as error:
        model.fit(open_corpus(waltzes, grid=12))
    assert "grid=4" in error.value.problems[0].hint
    with pytest.raises(DataError, match="primer"):
        model.generate(frames=4, primer=waltz(0))


def test_digests_of_other_grids_differ(waltzes: Path) -> None:
    assert len({open_corpus(waltzes, grid=grid).digest for grid in (4, 6, 12)}) == 3


@pytest.mark.parametrize("grid", ["0", "49", "4.5", "x"])
def test_a_grid_out_of_range_is_an_error(grid: str) -> None:
    with pytest.raises(UsageError, match="whole number from 1 to 48"):
        zoo.build(f"grid={grid}")


def test_parts_trained_on_different_grids_cannot_be_combined(
    waltzes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for grid in (4, 12):
        zoo.build(f"{SMALL} grid={grid}").save(tmp_path / f"on-{grid}")
    with pytest.raises(UsageError, match="frames per quarter note: on-4 4, on-12 12"):
        zoo.build(f"core=@{tmp_path / 'on-4'} decoder=@{tmp_path / 'on-12'}")
    model = zoo.build(f"core=@{tmp_path / 'on-12'} decoder=lstm")
    assert model.model.grid == 12
