"""Which grid suits a folder of MIDI files: what each would merge, and what it would move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import DataError

GRIDS = (4, 6, 8, 12, 24)
"""Frames to a quarter note that are tried: sixteenths, triplets, thirty-seconds, and two at once."""
MERGED = ("merged", "struck again")
FEW = 0.01
"""Share of the notes that a grid may merge or move without a word."""
ENOUGH = 4
"""A finer grid is worth its frames where it merges and moves at most a quarter of what a coarser one does."""


@dataclass(frozen=True)
class GridCost:
    """What reading on a grid costs.

    Attributes:
        grid: frames to a quarter note.
        notes: how many notes the files have.
        merged: how many of them share a frame with a note that was written elsewhere.
        moved: how many lie more than a quarter frame from where they are put.
    """

    grid: int
    notes: int
    merged: int
    moved: int

    @property
    def share(self) -> float:
        """Share of the notes that are merged or moved; a note that is both counts twice."""
        return (self.merged + self.moved) / max(self.notes, 1)


def grid_costs(files: Iterable[Path], tracks: Sequence[str], grid: int) -> list[GridCost]:
    """What a grid and finer ones would merge and move in MIDI files that follow a beat."""
    from zoo.music.midi import on_grid, open_score

    grids = [grid, *(finer for finer in GRIDS if finer > grid)]
    merged, moved, notes = Counter[int](), Counter[int](), 0
    for file in files:
        try:
            score, beats = open_score(file, tracks=tracks)
            found = [on_grid(score, each, beats=beats) for each in grids]
        except DataError:
            continue  # a scan says of skipped files why
        if found[0][0].kind == "unaligned":
            continue
        notes += len(score.start)
        for each, (_, quantised) in zip(grids, found, strict=True):
            merged[each] += sum(quantised.losses.get(name, 0) for name in MERGED)
            moved[each] += quantised.losses.get("moved", 0)
    return [GridCost(each, notes, merged[each], moved[each]) for each in grids]


def recommended(costs: Mapping[int, GridCost], grid: int) -> GridCost | None:
    """The coarsest grid that is worth using instead; None where the present one does."""
    if grid not in costs or costs[grid].share <= FEW:
        return None
    finer = [cost for cost in costs.values() if cost.grid > grid and cost.share * ENOUGH <= costs[grid].share]
    return min(finer, key=lambda cost: cost.grid, default=None)
