"""The results of benchmarks/speed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """The results of all speed benchmarks in a folder."""

    folder: Path

    def read(self, name: str) -> Any:
        """The content of a result file."""
        return json.loads((self.folder / f"{name}.json").read_text("utf-8"))

    @cached_property
    def parts(self) -> list[Row]:
        """The rows of the benchmarks of parts."""
        rows: list[Row] = self.read("parts")["rows"]
        return rows

    def group(self, name: str) -> list[Row]:
        """The rows of a group, in the order in which they were measured."""
        return [row for row in self.parts if row["group"] == name]

    def row(self, group: str, name: str) -> Row:
        """A row of a group."""
        return next(row for row in self.group(group) if row["name"] == name)

    @cached_property
    def rate(self) -> float:
        """Operations a millisecond in a large matrix product."""
        product = self.row("a product of two matrices", "float32")
        return float(product["operations"] / product["ms"])

    def share(self, row: Row) -> float:
        """The share of the machine's matrix rate that a row reaches."""
        return float(row["operations"] / row["ms"] / self.rate)

    @cached_property
    def passages(self) -> dict[int, Row]:
        """Folders of passages by the number of pieces."""
        return {row["reading"]["pieces"]: row for row in self.folders if row["name"] == "passages"}

    @cached_property
    def folders(self) -> list[Row]:
        """The folders that were read."""
        rows: list[Row] = self.read("folders")["rows"]
        return rows

    def demo_ratio(self, name: str, other: str, time: str) -> float:
        """How many times as many frames one version trains on as another in a second of some time."""
        rates = (
            median(row["frames"] / row[time] for row in self.read("demo")["rows"] if row["name"] == version)
            for version in (name, other)
        )
        return float(next(rates) / next(rates))

    def demo_nats(self, name: str) -> float:
        """The median of the validation nats of a version."""
        rows = self.read("demo")["rows"]
        return float(median(sum(row["nats"].values()) for row in rows if row["name"] == name))

    def beside(self, others: int) -> list[Row]:
        """The runs of training beside some busy processes."""
        return [row for row in self.read("busy")["rows"] if row["others"] == others]

    @property
    def kept(self) -> float:
        """What remains of the frames per second of processor time beside two busy processes (median)."""
        pairs = zip(self.beside(0), self.beside(2), strict=True)
        rate = "frames_per_processor_second"
        return float(median(beside[rate] / alone[rate] for alone, beside in pairs))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The exponent of the power of the size by which the time grows, fitted to all points."""
    sizes, times = zip(*points, strict=True)
    return linear_regression([log(size) for size in sizes], [log(time) for time in times]).slope
