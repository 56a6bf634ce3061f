"""The progress display of a study."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.driver import StudyProgress
from zoo.cli.bench_watch import StudyWatch, in_words
from zoo.errors import Problem
from zoo.registry import open_registry, parse_recipe
from zoo.train.settings import TrainSettings

FLOORS = FloorsCell("onset", "bach", "test")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "less than a minute"),
        (60, "about a minute"),
        (150, "about 2 minutes"),
        (3600, "about an hour"),
        (7200, "about 2 hours"),
        (86400, "about a day"),
        (200000, "about 2 days"),
    ],
)
def test_durations_are_shown_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def seen(terminal: bool, *steps: tuple[StudyProgress, Cell | FloorsCell | None]) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal, markup=False, highlight=False)
    with StudyWatch(console) as watch:
        for progress, ended in steps:
            watch(progress, ended)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cell() -> Cell:
    recipe = parse_recipe("attention=none attention.local=4 sampler=independent", open_registry())
    return Cell("core", recipe, "bach", "test", TrainSettings(lr=0.003), 2)


def test_each_cell_has_a_line_in_a_pipe() -> None:
    text = seen(
        False, (StudyProgress(3), None), (StudyProgress(3, 1, 1), FLOORS), (StudyProgress(3, 2, 2), cell())
    )
    assert text.splitlines() == [
        "0 of 3 cells are done.",
        "1 of 3 cells, less than a minute left: floors of onset keys on bach",
        "2 of 3 cells, less than a minute left: "
        "core onset + none local=4 + independent on bach, lr 0.003, seed 2",
    ]


def test_failure_is_printed_at_once_and_counted() -> None:
    failed = {cell().name: [Problem("no music")]}
    for terminal in (False, True):
        text = seen(terminal, (StudyProgress(3, 1, 1, failed=failed), cell()))
        assert "core onset + none local=4 + independent on bach, lr 0.003, seed 2: failed" in text


def test_on_a_terminal_a_bar_fits_into_eighty_columns() -> None:
    progress = StudyProgress(1200, 311, 300, failed={str(number): [] for number in range(12)})
    text = seen(True, (progress, FLOORS))
    lines = [line for line in text.replace("\r", "\n").splitlines() if "of 1200 cells" in line]
    assert lines
    assert "12 failed" in lines[-1]


def test_results_of_other_music_are_reported() -> None:
    text = seen(False, (StudyProgress(3, outdated={"a", "b"}), None))
    assert "2 results are of other music; they are computed again." in text
