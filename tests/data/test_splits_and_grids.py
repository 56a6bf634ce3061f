"""A piece is in the same split and family on every grid, for all kinds of sources."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.data import Corpus, bach, open_corpus, opening
from zoo.data.archive import Members, read_archive
from zoo.data.options import Options
from zoo.data.source import DataSource
from zoo.music.grid import GRID
from zoo.music.meter import Meter
from zoo.music.roll import Notes, Roll

PIECES = 40
FEW_CHORALES = ("bwv269", "bwv347", "bwv153.1", "bwv86.6", "bwv267", "bwv281")


def quick(seed: int) -> Roll:
    """A tune in triplets and thirty-seconds, which a grid of sixteenths merges and moves."""
    rng = np.random.default_rng(seed)
    start = np.cumsum(rng.choice([3, 4, 8], 60))
    notes = Notes(start, start + 3, rng.integers(30, 60, 60), np.full(60, 64, np.uint8))
    return replace(Roll.from_notes(notes, meter=Meter(24)), tempo=120.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "quick"
    place.mkdir()
    for seed in range(PIECES):
        quick(seed // 2 if seed < 8 else seed).write(place / f"{seed:02}.mid")
    return place


def splits_and_families(corpus: Corpus) -> list[tuple[str, int, str]]:
    return [(piece.title, piece.family, piece.split) for piece in corpus.pieces]


def assert_same_splits(corpora: list[Corpus]) -> None:
    """Check that the music differs, but splits and families are equal, with more than one split."""
    first, *others = corpora
    assert {split for *_, split in splits_and_families(first)} > {"train"}
    for other in others:
        assert other.digest != first.digest
        assert splits_and_families(other) == splits_and_families(first)


def test_the_split_of_a_folder_is_the_same_on_every_grid(folder: Path) -> None:
    corpora = [open_corpus(folder, grid=grid) for grid in (4, 12, 24)]
    assert sum(corpora[0].pieces[0].losses.values()) > 0
    assert sum(corpora[2].pieces[0].losses.values()) == 0
    assert_same_splits(corpora)


def test_the_split_of_an_archive_is_the_same_on_every_grid(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "quick.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)

    def source(_: Path, options: Options) -> DataSource:
        return DataSource(
            name="zip",
            planes=frozenset({"onset", "sounding", "velocity"}),
            size=PIECES,
            read=lambda: read_archive(path, Members(r"(?P<title>.*\.mid)"), options),
            place=str(path),
            state=[],
            grid=options.grid or GRID,
            options=options,
        )

    monkeypatch.setattr(opening.folder, "source", source)
    assert_same_splits([open_corpus("zip", grid=grid) for grid in (4, 12)])


@pytest.fixture
def few_chorales(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of the chorales, two of them twice."""
    chorales: Callable[[], object] = pytest.importorskip("music21.corpus.chorales")
    titles = [f"bach/{title}" for title in (*FEW_CHORALES, *FEW_CHORALES[:2])]
    monkeypatch.setattr(chorales, "Iterator", lambda **_: titles)


@pytest.mark.usefixtures("few_chorales")
def test_the_split_of_chorales_is_the_same_on_every_grid() -> None:
    corpora = [open_corpus(bach.NAME, grid=grid) for grid in (4, 12)]
    assert [len(corpus.pieces) for corpus in corpora] == [8, 8]
    assert_same_splits(corpora)
