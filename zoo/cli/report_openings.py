"""The openings that the models of `zoo report` continue: a primer, held-out pieces, or silence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zoo.errors import Problem, UsageError
from zoo.music.grid import FINE_GRID

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.data.split import Split
    from zoo.model.bundle import Bundle
    from zoo.report.listening import Opening


@dataclass(frozen=True)
class Wanted:
    """The number, length and openings of the pieces to generate.

    Attributes:
        bars: number of new bars.
        count: number of pieces per model.
        primer: the MIDI file to continue, with tracks or without; None for held-out pieces, or silence.
        given: first and last bar of the primer.
        seed: seed of the generation.
    """

    bars: int
    count: int
    primer: str | None
    given: tuple[int, int]
    seed: int


def split_primer(primer: str | None) -> tuple[Path | None, Sequence[str]]:
    """The file, and the titles of the tracks to continue."""
    from zoo.data.folder import split_tracks

    if primer is None:
        return None, ()
    place, tracks = split_tracks(primer)
    return Path(place), tracks


def given_bars(text: str, primer: str | None) -> tuple[int, int]:
    """The first and last bar that models continue.

    Raises:
        UsageError: they are not a range of bars, or begin after bar 1 without a primer.
    """
    from zoo.music.primer import bar_range

    first, last = bar_range(text)
    if primer is None and first > 1:
        what = "only a primer may begin after its first bar"
        raise UsageError(Problem(what, f"--primer-bars {text}", f"add --primer FILE, or write {last}"))
    return first, last


def openings(
    corpus: Corpus | None, split: Split | Literal["all"], wanted: Wanted, bundles: Collection[Bundle]
) -> list[Opening]:
    """What the models continue."""
    from zoo.report.listening import piece_openings, silent_openings
    from zoo.train.record import chosen_on, trained_on

    if wanted.primer is not None:
        grids = [corpus.grid] if corpus else sorted({bundle.model.grid for bundle in bundles})
        return _of_primer(wanted.primer, grids, corpus.grid if corpus else FINE_GRID, wanted)
    if corpus is None:
        return silent_openings(wanted.count, wanted.seed)
    found = piece_openings(
        corpus.split(split),
        wanted.given[1],
        wanted.bars,
        wanted.count,
        wanted.seed,
        lambda pieces: trained_on(bundles, corpus, pieces),
        lambda pieces: chosen_on(bundles, corpus, pieces),
    )
    if len(found) < wanted.count:
        _note_fewer(len(found), wanted.count, split)
    return found or silent_openings(wanted.count, wanted.seed)


def _of_primer(primer: str, grids: Sequence[int], shown: int, wanted: Wanted) -> list[Opening]:
    """The same bars of a file for each seed, next to the file from its first of these bars on.

    Args:
        primer: the file, and perhaps its tracks.
        grids: the grids on which models read it.
        shown: the grid on which it is shown.
        wanted: what the models generate.
    """
    from zoo.cli.music import note_lost
    from zoo.music.midi import examine_midi
    from zoo.music.primer import primer_of, read_primer
    from zoo.report.listening import Opening

    path, tracks = split_primer(primer)
    assert path is not None
    readings = {grid: examine_midi(path, tracks=tracks, grid=grid) for grid in {*grids, shown}}
    for grid in grids:
        note_lost(path, readings[grid])
    read, whole = partial(read_primer, path, tracks=tracks), primer_of(readings[shown], path)
    first = wanted.given[0]
    original = whole if first == 1 else whole.bars(first, max(first, whole.meter.bars(whole.frames).count))
    return [
        Opening(
            group=f"After {_named(wanted.given)} of {path.name}, seed {seed}",
            seed=seed,
            primer=lambda grid, pedal: read(grid=grid, pedal=pedal, bars=wanted.given),
            original=original,
            title=path.name,
        )
        for seed in range(wanted.seed, wanted.seed + wanted.count)
    ]


def _named(bars: tuple[int, int]) -> str:
    first, last = bars
    return "the opening" if first == 1 else f"bar {first}" if first == last else f"bars {first} to {last}"


def _note_fewer(available: int, wanted: int, split: str) -> None:
    """Note that a split has fewer pieces to continue than requested."""
    from zoo.cli.console import stderr
    from zoo.counts import count

    if available:
        what = f"has only {count(available, 'piece')} to continue, not {wanted}"
    else:
        what = "has no piece with more bars than the primer, so the models begin from silence"
    stderr.print_line(f"note: split={split} {what}")
