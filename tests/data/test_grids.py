"""The cost of a grid is what reading on it loses; a finer grid is recommended if it loses much less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo.data.grids import GRIDS, GridCost, grid_costs, recommended
from zoo.music.meter import Meter
from zoo.music.midi import examine_midi
from zoo.music.roll import Notes, Roll


def written(place: Path, start: np.ndarray, grid: int) -> Path:
    """Write a file of consecutive notes."""
    count = len(start)
    notes = Notes(start, start + 1, 40 + np.arange(count) % 12, np.full(count, 64, np.uint8))
    Roll.from_notes(notes, meter=Meter(grid)).write(place)
    return place


@pytest.fixture
def triplets(tmp_path: Path) -> Path:
    return written(tmp_path / "triplets.mid", np.arange(0, 480, 4), 12)


def test_costs_are_what_reading_loses_on_each_grid(triplets: Path, tmp_path: Path) -> None:
    trill = written(tmp_path / "trill.mid", np.arange(160), 8)
    costs = {cost.grid: cost for cost in grid_costs([triplets, trill], (), 4)}
    assert list(costs) == list(GRIDS)
    for grid, cost in costs.items():
        losses = [examine_midi(file, grid=grid).losses for file in (triplets, trill)]
        assert cost.moved == sum(loss.get("moved", 0) for loss in losses)
        assert cost.merged == sum(loss.get("merged", 0) + loss.get("struck again", 0) for loss in losses)
        assert cost.notes == 120 + 160
    assert (costs[24].merged, costs[24].moved) == (0, 0)
    assert costs[4].moved > 40 + 80 - 2


def test_beat_files_are_used_and_unreadable_files_are_not(tmp_path: Path, triplets: Path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"no music")
    assert {cost.notes for cost in grid_costs([tmp_path / "bad.mid", triplets], (), 4)} == {120}
    (tmp_path / "triplets.beats.csv").write_text("".join(f"{n / 6},{int(n % 4 == 0)}\n" for n in range(130)))
    on_beats = grid_costs([triplets], (), 4)
    assert [(cost.merged, cost.moved) for cost in on_beats] == [(0, 0)] * len(GRIDS)


def test_files_without_a_beat_are_left_out(tmp_path: Path) -> None:
    start = np.cumsum(np.random.default_rng(0).integers(3, 40, 300))
    free = written(tmp_path / "free.mid", start, 48)
    assert examine_midi(free).alignment == "unaligned"
    assert {cost.notes for cost in grid_costs([free], (), 4)} == {0}


def test_the_coarsest_sufficient_grid_is_recommended() -> None:
    def of(*shares: int) -> dict[int, GridCost]:
        return {grid: GridCost(grid, 1000, 0, moved) for grid, moved in zip(GRIDS, shares, strict=True)}

    assert recommended(of(200, 40, 200, 10, 0), 4) == GridCost(6, 1000, 0, 40)
    assert recommended(of(200, 60, 60, 60, 51), 4) is None
    assert recommended(of(10, 0, 0, 0, 0), 4) is None
    assert recommended({}, 4) is None
