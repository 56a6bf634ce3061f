"""Forecasts: what a run of a study will train, how long it takes, and which stored results it cannot use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import zoo
from zoo.bench.cell import Cell, FloorsCell, budget
from zoo.bench.components import Component
from zoo.bench.needs import LocalDataset, Needs
from zoo.bench.reading import READING, MusicReading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.registry import Registry
from zoo.train.settings import LEGACY, STEPS, TrainSettings

Order = Mapping[str, Any]


@dataclass(frozen=True)
class Reason:
    """Why a stored result is not one that a study needs.

    Attributes:
        field: what differs, such as `train.validate_every`, `seed` or `music`.
        stored: its value in the stored result.
        study: its value in the study.
    """

    field: str
    stored: str
    study: str

    def __str__(self) -> str:
        return f"{self.field} is {self.stored}, the study has {self.study}"


@dataclass(frozen=True)
class Forecast:
    """The work of a future run of a study on one dataset.

    Attributes:
        data: name of the dataset.
        stored: cells whose results are used.
        missing: cells that will be trained and scored.
        open: number of further cells that will be needed once the first results are stored, at the learning
            rates that these choose.
        seconds: estimated training time of missing and open cells, of those that can be estimated.
        without_estimate: number of missing and open cells whose time cannot be estimated.
        unused: names of stored results with parts of the study that it cannot use -> why.
    """

    data: str
    stored: tuple[Cell | FloorsCell, ...]
    missing: tuple[Cell | FloorsCell, ...]
    open: int
    seconds: float
    without_estimate: int
    unused: Mapping[str, tuple[Reason, ...]]

    @property
    def reasons(self) -> list[tuple[tuple[Reason, ...], list[str]]]:
        """The reasons, each with the names of the results, the closest results first."""
        groups: dict[tuple[Reason, ...], list[str]] = {}
        for name, reasons in self.unused.items():
            groups.setdefault(reasons, []).append(name)
        return sorted(groups.items(), key=lambda group: (len(group[0]), -len(group[1])))


def forecasts(
    study: Study, results: Results, datasets: Mapping[str, LocalDataset], registry: Registry
) -> list[Forecast]:
    """The work that `Driver.run` would do, for each dataset. Nothing is trained or written.

    Raises:
        UsageError: as `Driver.run`, except for results of other music.
        ZooError: a result is damaged.
    """
    needs = Needs(study, results, datasets, registry)
    needs.refuse_unsuitable()
    known, possible = list(needs.known()), {cell.name for cell in needs.possible()}
    per_dataset = []
    for data in study.settings.data:
        every = results.every(data)
        seconds = _Timing(every.values())
        cells = [cell for cell in known if cell.data == data]
        done = {cell.name for cell in cells if needs.is_done(cell)}
        stored = tuple(cell for cell in cells if cell.name in done)
        missing = tuple(cell for cell in cells if cell.name not in done)
        parts = [component for component in needs.components if component.data == data]
        trials = [part.trials(study)[0] for part in parts]
        idle = {cell.name for part, cell in zip(parts, trials, strict=True) if _is_idle(part, cell, needs)}
        opened = [
            cell
            for part, trial in zip(parts, trials, strict=True)
            if trial.name not in idle
            for cell in _open(part, needs, study, cells)
        ]
        trained = [cell for cell in (*missing, *opened) if isinstance(cell, Cell) and cell.name not in idle]
        times = [seconds(cell) for cell in trained]
        floors: list[Cell | FloorsCell] = [cell for cell in needs.floors if cell.data == data]
        words = {_parts(cell.order("")) for cell in (*floors, *trials)}
        unused = {
            name: tuple(_reasons(result, study, data, datasets[data]))
            for name, result in every.items()
            if _parts(result["order"]) in words and (name not in possible or name in needs.outdated)
        }
        per_dataset.append(
            Forecast(
                data,
                stored,
                missing,
                len(opened),
                sum(time for time in times if time is not None),
                times.count(None),
                unused,
            )
        )
    return per_dataset


def _is_idle(component: Component, first: Cell, needs: Needs) -> bool:
    """Whether a component learns nothing, by the result of its first trial or its number of parameters."""
    from zoo.model.build import trained_parameters

    learns = needs.learns(first)
    return trained_parameters(component.recipe, component.term) == 0 if learns is None else not learns


def _open(component: Component, needs: Needs, study: Study, known: Sequence[Cell | FloorsCell]) -> list[Cell]:
    """Stand-ins for the cells that will be needed at a rate that is not chosen yet."""
    names = {cell.name for cell in known}
    count = needs.count_of(component) - sum(cell.name in names for cell in component.every(study))
    trials = component.trials(study)
    later = [cell for cell in trials if cell.name not in names]
    seeds = range(len(trials) // len(study.rates), study.settings.seeds)
    return [*later, *(component.cell(study, study.rates[0], seed) for seed in seeds)][: max(count, 0)]


def _parts(order: Order) -> tuple[str, str]:
    """The parts that a result is about."""
    return order["term"], order["plane"] if order["term"] == "floors" else order["recipe"]


def _reasons(result: Mapping[str, Any], study: Study, data: str, dataset: LocalDataset) -> Iterator[Reason]:
    """Everything in which a stored result with parts of the study differs from what the study needs."""
    order = result["order"]
    differences = [*_music(MusicReading.of(result), dataset), *_question(order, study, data)]
    if not differences:
        made = result.get("made", {}).get("polyzoo", "unknown")
        field = "the version of the training, the scoring or a part"
        differences.append(Reason(field, f"that of polyzoo {made}", f"that of polyzoo {zoo.__version__}"))
    yield from differences


def _music(reading: MusicReading, dataset: LocalDataset) -> Iterator[Reason]:
    if reading.number != READING:
        yield Reason("reading of the music", str(reading.number), str(READING))
    elif reading.digest != dataset.digest:
        yield Reason("music", reading.digest[:12], dataset.digest[:12])


def _question(order: Order, study: Study, data: str) -> Iterator[Reason]:
    if order["split"] != study.settings.split:
        yield Reason("split", order["split"], study.settings.split)
    if "train" not in order:
        return
    before = budget(TrainSettings(**{**LEGACY, **order["train"]}))
    now = budget(study.train_on(data))
    for name in sorted({*before, *now} - {"lr"}):
        values = tuple(settings.get(name, LEGACY.get(name)) for settings in (before, now))
        if values[0] != values[1]:
            yield Reason(f"train.{name}", *map(_as_text, values))
    if before["lr"] not in study.rates:
        yield Reason("train.lr", f"{before['lr']:g}", " or ".join(f"{rate:g}" for rate in study.rates))
    if order["seed"] >= study.settings.seeds:
        yield Reason("seed", str(order["seed"]), f"0 to {study.settings.seeds - 1}")


def _as_text(value: Any) -> str:
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class _Timing:
    """Estimates the time of trainings from stored ones with the same parts, or else of the same term."""

    def __init__(self, results: Iterable[Mapping[str, Any]]) -> None:
        self._speeds: dict[tuple[str, ...], list[float]] = {}
        for result in results:
            order, seconds = result["order"], result.get("seconds")
            if not seconds or not result.get("steps"):
                continue
            train = TrainSettings.model_construct(**{**LEGACY, **order["train"]})
            speed = seconds / _work(train, result["steps"])
            for key in ((order["term"], order["recipe"]), (order["term"],)):
                self._speeds.setdefault(key, []).append(speed)

    def __call__(self, cell: Cell) -> float | None:
        """Seconds of the training of a cell; None without anything to compare it with."""
        train = cell.train
        if train.minutes is not None:
            return 60 * train.minutes
        speeds = self._speeds.get((cell.term, str(cell.recipe))) or self._speeds.get((cell.term,))
        if not speeds or train.epochs is not None:
            return None
        return median(speeds) * _work(train, train.steps or STEPS)


def _work(train: TrainSettings, steps: int) -> float:
    """Frames that some steps compute."""
    return steps * train.accumulate * train.batch * (train.frames + train.past)
