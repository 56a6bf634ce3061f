"""`zoo bench run --dry-run`: what a run of a study would train, and which stored results it cannot use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zoo.counts import count

if TYPE_CHECKING:
    from zoo.bench.forecast import Forecast

SHOWN = 8
"""Number of different reasons that are printed for a dataset."""

LATER = "decided later: needed after the first results, which choose learning rates"
"""The meaning of a column."""


def print_forecasts(forecasts: Sequence[Forecast], jobs: int | None) -> None:
    """Print a table of the datasets, and why stored results with the same parts are not used.

    Args:
        forecasts: one for each dataset.
        jobs: number of parallel cells; None if it is not known.
    """
    from zoo.cli.console import stdout, visible

    stdout.print(_table(forecasts))
    seconds = sum(forecast.seconds for forecast in forecasts)
    untimed = sum(forecast.without_estimate for forecast in forecasts)
    missing = sum(len(forecast.missing) + forecast.open for forecast in forecasts)
    if not missing:
        stdout.print("nothing to train: all cells are stored")
    elif seconds:
        parallel = f", about {duration(seconds / jobs)} with {jobs} at a time" if jobs and jobs > 1 else ""
        stdout.print(f"about {duration(seconds)} of training{parallel}")
    if any(forecast.open for forecast in forecasts):
        stdout.print(LATER)
    if untimed:
        what = count(untimed, "cell")
        stdout.print(f"{what}: no estimate, since no result of the same kind is stored on the same music")
    if any(forecast.unused for forecast in forecasts):
        stdout.print("\nstored results of the same parts that this study cannot use:")
    for forecast in forecasts:
        for reasons, names in forecast.reasons[:SHOWN]:
            why = "; ".join(map(str, reasons))
            stdout.print(visible(f"  {forecast.data}: {count(len(names), 'result')}: {why}"), soft_wrap=True)
        more = len(forecast.reasons) - SHOWN
        if more > 0:
            stdout.print(visible(f"  {forecast.data}: results with {count(more, 'other difference')}"))


def forecast_to_json(forecast: Forecast) -> dict[str, Any]:
    """A forecast as JSON."""
    return {
        "data": forecast.data,
        "cells": len(forecast.stored) + len(forecast.missing) + forecast.open,
        "stored": [cell.name for cell in forecast.stored],
        "missing": [cell.name for cell in forecast.missing],
        "open": forecast.open,
        "seconds": round(forecast.seconds, 1),
        "without_estimate": forecast.without_estimate,
        "unused": [
            {"name": name, "reasons": [asdict(reason) for reason in reasons]}
            for name, reasons in forecast.unused.items()
        ],
    }


def duration(seconds: float) -> str:
    """A rough duration: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _table(forecasts: Sequence[Forecast]) -> Any:
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("music", overflow="fold")
    for heading in ("cells", "stored", "to train", "decided later", "time"):
        table.add_column(heading, justify="right")
    for forecast in forecasts:
        stored, missing = len(forecast.stored), len(forecast.missing) + forecast.open
        numbers = (stored + missing, stored, missing, forecast.open)
        table.add_row(visible(forecast.data), *map(str, numbers), _time(forecast) if missing else "–")
    return table


def _time(forecast: Forecast) -> str:
    if not forecast.without_estimate:
        return duration(forecast.seconds)
    return f"> {duration(forecast.seconds)}" if forecast.seconds else "unknown"
