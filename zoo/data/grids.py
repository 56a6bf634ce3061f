"""Compare grids for a folder of MIDI files by how many notes each would merge or move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import DataError

GRIDS = (4, 6, 8, 12, 24)
"""Grids to try, in frames per quarter note: sixteenths, triplets, thirty-seconds, and both together."""
MERGED = ("merged", "struck again")
TOLERATED = 0.01
"""Share of the notes that a grid may merge or move before a finer one is recommended."""
MIN_GAIN = 4
"""A finer grid is recommended only if it merges and moves at most a quarter as many notes."""


@dataclass(frozen=True)
class GridCost:
    """The losses of reading on a grid.

    Attributes:
        grid: frames per quarter note.
        notes: number of notes in the files.
        merged: number of notes that end up in one frame with a note that started earlier in the file.
        moved: number of notes that are moved by more than a quarter of a frame.
    """

    grid: int
    notes: int
    merged: int
    moved: int

    @property
    def share(self) -> float:
        """Share of the notes that are merged or moved; notes that are both count twice."""
        return (self.merged + self.moved) / max(self.notes, 1)


def grid_costs(files: Iterable[Path], tracks: Sequence[str], grid: int) -> list[GridCost]:
    """The costs of a grid and of all finer ones, over those MIDI files that follow a beat."""
    from zoo.music.gridding import on_grid, open_score

    grids = [grid, *(finer for finer in GRIDS if finer > grid)]
    merged, moved, notes = Counter[int](), Counter[int](), 0
    for file in files:
        try:
            score, beats = open_score(file, tracks=tracks)
            results = [on_grid(score, candidate, beats=beats) for candidate in grids]
        except DataError:
            continue  # the scan itself reports why a file is skipped
        if results[0][0].kind == "unaligned":
            continue
        notes += len(score.start)
        for candidate, (_, quantised) in zip(grids, results, strict=True):
            merged[candidate] += sum(quantised.losses.get(name, 0) for name in MERGED)
            moved[candidate] += quantised.losses.get("moved", 0)
    return [GridCost(candidate, notes, merged[candidate], moved[candidate]) for candidate in grids]


def recommended(costs: Mapping[int, GridCost], grid: int) -> GridCost | None:
    """The coarsest grid that clearly loses less than the given one; None if that one is good enough."""
    if grid not in costs or costs[grid].share <= TOLERATED:
        return None
    finer = [
        cost for cost in costs.values() if cost.grid > grid and cost.share * MIN_GAIN <= costs[grid].share
    ]
    return min(finer, key=lambda cost: cost.grid, default=None)
