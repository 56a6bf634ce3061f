"""Studies: which combinations are compared, on which music, with how much training. Read without torch.

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

A grid stands for every combination of what it lists; a slot that it does not name keeps its default.
Music may have a budget of its own, as `pop909` here. Rows of the literature may stand beside them:

    [[published]]
    name = "RNN-RBM"
    kind = "estimate"
    source = "Boulanger-Lewandowski, Bengio and Vincent 2012"
    nats = { JSB_Chorales = 6.27 }
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from zoo.bench.grid import Combination, combinations
from zoo.errors import Problem, UsageError, ZooError
from zoo.learn.settings import BUDGETS, TrainSettings
from zoo.limits import read_bytes
from zoo.measure.figure import Kind
from zoo.parts import SLOTS, Settings, Slot, setting
from zoo.registry import Registry
from zoo.registry.fields import check
from zoo.registry.parse import raise_all

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class Published:
    """A row of the literature, to stand beside what is measured here.

    Attributes:
        name: what the row is called.
        kind: what its figures promise.
        source: where they were published.
        nats: name of the music -> nats per frame.
    """

    name: str
    kind: Kind
    source: str
    nats: Mapping[str, float]


class StudySettings(Settings):
    """What a study says of itself."""

    title: str = setting("", "what the study asks, the heading of its tables")
    data: tuple[str, ...] = setting(
        ("bach",), "music by name; zoo bench run --data NAME=PATH says where it lies"
    )
    seeds: int = setting(
        5, "how often each part is trained, each time from other first weights", ge=1, le=1000
    )
    split: Split = setting("test", "which pieces are scored")

    @field_validator("data")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("it names no music")
        if len(set(names)) < len(names):
            raise ValueError("it names some music twice")
        return names


@dataclass(frozen=True)
class Study:
    """What is compared, on what, and how long everything is trained.

    Attributes:
        path: the file it was read from.
        settings: its title, music, seeds and split.
        train: how everything is trained.
        own: how it is trained on music that has settings of its own, by the name of the music.
        rates: learning rates, of which each part takes the one that validation likes best.
        combinations: the rows.
        published: rows of the literature.
    """

    path: Path
    settings: StudySettings
    train: TrainSettings
    rates: tuple[float, ...]
    combinations: tuple[Combination, ...]
    published: tuple[Published, ...] = ()
    own: Mapping[str, TrainSettings] = field(default_factory=dict)

    def train_on(self, data: str) -> TrainSettings:
        """How everything is trained on some music."""
        return self.own.get(data, self.train)

    @property
    def name(self) -> str:
        """What it is called: the name of its file."""
        return self.path.stem

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in which the score of its rows may differ; of one row alone its attention."""
        return tuple(slot for slot in SLOTS if slot != "velocity" and self._differ_in(slot)) or ("attention",)

    @property
    def loud_slots(self) -> tuple[Slot, ...]:
        """The slots in which loudness may differ, which no other part changes."""
        return ("encoder", "velocity") if self._differ_in("encoder") else ("velocity",)

    @property
    def has_velocity(self) -> bool:
        """Whether a row has a part that says how loud notes are."""
        return any(row.recipe.parts["velocity"].entry.name != "none" for row in self.combinations)

    def _differ_in(self, slot: Slot) -> bool:
        return len({row.labels[slot] for row in self.combinations}) > 1


def read_study(path: Path, registry: Registry) -> Study:
    """The study that a file describes.

    Raises:
        UsageError: the file is not there, is not TOML, or describes no study; everything that is wrong.
        PluginError: nothing is wrong but a plugin.
    """
    content = _read(path)
    _refuse_others(path, content)
    faults: list[ZooError] = []
    train, grids = content.pop("train", {}), content.pop("grid", [])
    published = tuple(_published(content.pop("published", []), faults))
    if isinstance(content.get("data"), str):
        content["data"] = [content["data"]]
    settings = _checked(StudySettings, content, "", faults)
    if not isinstance(train, dict):
        faults.append(UsageError(Problem("it takes a table", "train", "write [train]")))
        train = {}
    tables = {name: train.pop(name) for name in list(train) if isinstance(train[name], dict)}
    rates = _rates(train, faults)
    budget = _checked(TrainSettings, {**train, "lr": rates[0]}, "train", faults) if rates else None
    music = settings.data if settings else tuple(tables)
    own = {name: _own(name, table, train, music, faults) for name, table in tables.items()} if budget else {}
    rows = tuple(combinations(grids, registry, faults))
    if not rows and not faults:
        cure = 'write [[grid]] and under it attention = ["none", "history"]'
        faults.append(UsageError(Problem("it compares nothing", "grid", cure)))
    raise_all([_located(fault, path) for fault in faults])
    return Study(path, settings, budget, rates, rows, published, own)  # type: ignore[arg-type]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bytes(path, "study").decode())
    except OSError as error:
        what = f"cannot be read: {(error.strerror or 'unknown reason').lower()}"
        raise UsageError(Problem(what, str(path), "name the .toml file of a study")) from None
    except ValueError as error:
        raise UsageError(Problem(f"this is not TOML: {error}", str(path))) from None


def _refuse_others(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse a file that is no study at all, before each of its words is called a mistake."""
    known = {*StudySettings.model_fields, "train", "grid", "published"}
    if "grid" not in content and not known & set(content):
        cure = 'a study lists parts, such as [[grid]] and under it attention = ["none", "history"]'
        raise UsageError(Problem("this is no study", str(path), cure))


def _located(fault: ZooError, path: Path) -> ZooError:
    """The error with the file it was found in."""
    found = (
        Problem(p.what, f"{p.where} in {path}" if p.where else str(path), p.cure) for p in fault.problems
    )
    return type(fault)(*found)


def _checked(model: type[Settings], given: Mapping[str, Any], head: str, faults: list[ZooError]) -> Any:
    try:
        found = check(model, given, head)
    except TypeError:  # a date, which TOML has and settings have not
        faults.append(UsageError(Problem("it takes texts and numbers", head)))
        return None
    if found.problems:
        faults.append(UsageError(*found.problems))
    return found.settings


def _published(tables: Any, faults: list[ZooError]) -> Iterator[Published]:
    for table in tables if isinstance(tables, list) else [tables]:
        match table:
            case {
                "name": str(name),
                "kind": ("exact" | "bound" | "estimate") as kind,
                "source": str(source),
                "nats": dict(nats),
                **rest,
            } if not rest and all(type(value) in (int, float) and isfinite(value) for value in nats.values()):
                yield Published(name, kind, source, nats)
            case _:
                what = "it takes a name, a kind (exact, bound or estimate), a source and nats"
                cure = 'such as name = "RNN-RBM", kind = "estimate", source = "...", nats = { bach = 6.27 }'
                faults.append(UsageError(Problem(what, "published", cure)))


def _own(
    name: str,
    table: Mapping[str, Any],
    train: Mapping[str, Any],
    music: Sequence[str],
    faults: list[ZooError],
) -> Any:
    """How everything is trained on one music: what its table says, and otherwise as on the others."""
    head = f"train.{name}"
    if name not in music:
        cure = f"the study is about {', '.join(music)}"
        faults.append(UsageError(Problem("the study names no such music", head, cure)))
    if "lr" in table:
        faults.append(
            UsageError(Problem("learning rates are the same on all music", head, "move lr to [train]"))
        )
    budgets = {key.rpartition(".")[2] for key in BUDGETS}
    common = {k: v for k, v in train.items() if k != "lr" and not (k in budgets and budgets & set(table))}
    return _checked(TrainSettings, {**common, **table}, head, faults)


def _rates(train: Mapping[str, Any], faults: list[ZooError]) -> tuple[float, ...]:
    """The learning rates: one, or a short list of them, each once."""
    given = train.get("lr", TrainSettings.model_fields["lr"].default)
    rates = tuple(given) if isinstance(given, list) else (given,)
    if not rates:
        faults.append(
            UsageError(Problem("it names no learning rate", "train.lr", "leave it out, or name some"))
        )
    for rate in rates:
        _checked(TrainSettings, {"lr": rate}, "train", faults)
    twice = [rate for number, rate in enumerate(rates) if rate in rates[:number]]
    faults += [UsageError(Problem(f"{rate} stands there twice", "train.lr")) for rate in twice]
    return rates
