"""Studies: which combinations are compared, on which datasets and budget. Read without torch.

    title = "Which attention?"
    data = ["bach", "pop909"]
    seeds = 5

    [train]
    steps = 1000
    lr = [0.003, 0.01]

    [train.pop909]
    steps = 5000

    [[grid]]
    encoder = ["onset", "sounding"]
    attention = ["none", "none features=200", "history"]

A grid expands to the Cartesian product of its lists; slots that it does not name keep their
defaults. A dataset may have its own budget, as `pop909` here. Published results can be added to the tables:

    [[published]]
    name = "RNN-RBM"
    kind = "estimate"
    source = "Boulanger-Lewandowski, Bengio and Vincent 2012"
    nats = { JSB_Chorales = 6.27 }
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import field_validator

from zoo.bench.grid import Combination, combinations
from zoo.data.split import Split
from zoo.errors import Problem, UsageError, ZooError
from zoo.limits import read_toml
from zoo.parts import SLOTS, Settings, Slot, setting
from zoo.parts.kinds import FigureKind
from zoo.registry import Registry
from zoo.registry.fields import check
from zoo.registry.parse import raise_all
from zoo.train.settings import BUDGETS, TrainSettings


@dataclass(frozen=True)
class PublishedResult:
    """A row from the literature, for comparison.

    Attributes:
        name: name of the row.
        kind: kind of its figures.
        source: the publication.
        nats: name of the dataset -> nats per frame.
    """

    name: str
    kind: FigureKind
    source: str
    nats: Mapping[str, float]


class StudySettings(Settings):
    """The settings at the top of a study."""

    title: str = setting("", "the question of the study, the heading of its tables")
    data: tuple[str, ...] = setting(
        ("bach",), "names of datasets; zoo bench run --data NAME=PATH gives their paths"
    )
    seeds: int = setting(
        5, "number of trainings of each part, each from its own initial weights", ge=1, le=1000
    )
    split: Split = setting("test", "the split that is scored")

    @field_validator("data")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("names no dataset")
        if len(set(names)) < len(names):
            raise ValueError("names a dataset twice")
        return names


@dataclass(frozen=True)
class Study:
    """The combinations that are compared, the datasets, and the training budget.

    Attributes:
        path: the file it was read from.
        settings: its title, datasets, seeds and split.
        train: the training settings of all parts.
        overrides: dataset -> its training settings, for datasets with a table of their own.
        rates: the learning rates to try; each part uses the one with the lowest validation nats.
        combinations: the rows.
        published: rows from the literature.
    """

    path: Path
    settings: StudySettings
    train: TrainSettings
    rates: tuple[float, ...]
    combinations: tuple[Combination, ...]
    published: tuple[PublishedResult, ...] = ()
    overrides: Mapping[str, TrainSettings] = field(default_factory=dict)

    def train_on(self, data: str) -> TrainSettings:
        """The training settings for a dataset."""
        return self.overrides.get(data, self.train)

    @property
    def name(self) -> str:
        """The name of its file, without suffix."""
        return self.path.stem

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in which rows with different scores differ; `attention` if there is only one row."""
        return tuple(slot for slot in SLOTS if slot != "velocity" and self._differ_in(slot)) or ("attention",)

    @property
    def loud_slots(self) -> tuple[Slot, ...]:
        """The slots in which rows with different velocity scores differ."""
        return ("encoder", "velocity") if self._differ_in("encoder") else ("velocity",)

    @property
    def has_velocity(self) -> bool:
        """Whether a row models velocities."""
        return any(row.recipe.parts["velocity"].entry.name != "none" for row in self.combinations)

    def _differ_in(self, slot: Slot) -> bool:
        return len({row.labels[slot] for row in self.combinations}) > 1


def read_study(path: Path, registry: Registry) -> Study:
    """Read a study from a file.

    Raises:
        UsageError: the file is missing, is not TOML, or is not a valid study; lists all errors.
        PluginError: the only errors are in plugins.
    """
    content = _read(path)
    _refuse_other_toml(path, content)
    faults: list[ZooError] = []
    train, grids = content.pop("train", {}), content.pop("grid", [])
    published = tuple(_published(content.pop("published", []), faults))
    if isinstance(content.get("data"), str):
        content["data"] = [content["data"]]
    settings = _checked(StudySettings, content, "", faults)
    if not isinstance(train, dict):
        faults.append(UsageError(Problem("must be a table", "train", "write [train]")))
        train = {}
    # All rows get the whole budget, which is part of the comparison.
    train.setdefault("patience", 0)
    tables = {name: train.pop(name) for name in list(train) if isinstance(train[name], dict)}
    rates = _rates(train, faults)
    budget = _checked(TrainSettings, {**train, "lr": rates[0]}, "train", faults) if rates else None
    music = settings.data if settings else tuple(tables)
    # Without a valid [train], the tables that extend it would only repeat its errors.
    overrides = (
        {name: _override(name, table, train, music, faults) for name, table in tables.items()}
        if budget
        else {}
    )
    rows = tuple(combinations(grids, registry, faults))
    if not rows and not faults:
        hint = 'write [[grid]] and under it attention = ["none", "history"]'
        faults.append(UsageError(Problem("the study has no combinations", "grid", hint)))
    raise_all([_located(fault, path) for fault in faults])
    return Study(path, settings, budget, rates, rows, published, overrides)  # type: ignore[arg-type]


def is_study(path: Path) -> bool:
    """Whether a file may be meant as a study: a TOML file with a grid."""
    try:
        return "grid" in read_toml(path, "study")
    except (OSError, ValueError):
        return False


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path, "study")
    except OSError as error:
        reason = error.strerror or "unknown reason"
        what = f"cannot be read: {reason[0].lower()}{reason[1:]}"
        raise UsageError(Problem(what, str(path), "give the .toml file of a study")) from None
    except ValueError as error:
        raise UsageError(Problem(f"not a valid TOML file: {error}", str(path))) from None


def _refuse_other_toml(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse a file that is no study at all, instead of reporting each of its keys as unknown."""
    known = {*StudySettings.model_fields, "train", "grid", "published"}
    if "grid" not in content and not known & set(content):
        hint = 'a study lists parts, for example [[grid]] and under it attention = ["none", "history"]'
        raise UsageError(Problem("this file is not a study", str(path), hint))


def _located(fault: ZooError, path: Path) -> ZooError:
    """The error with the path of the study added."""
    problems = (
        Problem(p.what, f"{p.where} in {path}" if p.where else str(path), p.hint) for p in fault.problems
    )
    return type(fault)(*problems)


def _checked(model: type[Settings], given: Mapping[str, Any], head: str, faults: list[ZooError]) -> Any:
    try:
        checked = check(model, given, head)
    except TypeError:  # a date, which TOML has but settings do not
        faults.append(UsageError(Problem("values must be strings, numbers, booleans or lists", head)))
        return None
    if checked.problems:
        faults.append(UsageError(*checked.problems))
    return checked.settings


def _published(tables: Any, faults: list[ZooError]) -> Iterator[PublishedResult]:
    for table in tables if isinstance(tables, list) else [tables]:
        match table:
            case {
                "name": str(name),
                "kind": ("exact" | "bound" | "estimate") as kind,
                "source": str(source),
                "nats": dict(nats),
                **rest,
            } if not rest and all(type(value) in (int, float) and isfinite(value) for value in nats.values()):
                yield PublishedResult(name, kind, source, nats)
            case _:
                what = "must have a name, a kind (exact, bound or estimate), a source and nats"
                hint = (
                    'for example name = "RNN-RBM", kind = "estimate", source = "...", nats = { bach = 6.27 }'
                )
                faults.append(UsageError(Problem(what, "published", hint)))


def _override(
    name: str,
    table: Mapping[str, Any],
    train: Mapping[str, Any],
    music: Sequence[str],
    faults: list[ZooError],
) -> Any:
    """The training settings of one dataset: those of `[train]`, overridden by those of its table."""
    head = f"train.{name}"
    if name not in music:
        hint = f"the study is about {', '.join(music)}"
        faults.append(UsageError(Problem("the study has no such dataset", head, hint)))
    if "lr" in table:
        faults.append(
            UsageError(Problem("learning rates are the same for all datasets", head, "move lr to [train]"))
        )
    # A table that sets one kind of budget (steps, epochs, minutes) replaces the other kinds in [train].
    budgets = {key.rpartition(".")[2] for key in BUDGETS}
    common = {k: v for k, v in train.items() if k != "lr" and not (k in budgets and budgets & set(table))}
    return _checked(TrainSettings, {**common, **table}, head, faults)


def _rates(train: Mapping[str, Any], faults: list[ZooError]) -> tuple[float, ...]:
    """The learning rates: a number or a list of distinct numbers."""
    given = train.get("lr", TrainSettings.model_fields["lr"].default)
    rates = tuple(given) if isinstance(given, list) else (given,)
    if not rates:
        faults.append(
            UsageError(Problem("the list is empty", "train.lr", "remove it, or list learning rates"))
        )
    for rate in rates:
        _checked(TrainSettings, {"lr": rate}, "train", faults)
    duplicates = [rate for number, rate in enumerate(rates) if rate in rates[:number]]
    faults += [UsageError(Problem(f"{rate} is listed twice", "train.lr")) for rate in duplicates]
    return rates
