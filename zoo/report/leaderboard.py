"""A leaderboard: the rows of studies as a page with filters, which opens from disk and fetches nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.bench.rows import StudyRow, StudyTable
from zoo.parts import SLOTS
from zoo.registry.values import write_value
from zoo.report.html import environment, read_file, security_policy
from zoo.train.settings import TrainSettings

COLUMNS = (
    ("music", "text"),
    ("recipe", "text"),
    ("nats", "number"),
    ("kind", "text"),
    ("interval", "number"),
    ("weights", "number"),
    ("study", "text"),
)
"""Headings of the columns by which rows can be sorted, and what is in them."""


@dataclass(frozen=True)
class LeaderboardRow:
    """A row of a leaderboard.

    Attributes:
        music: the dataset, its split, and how it was read if that differs from the present reading.
        name: name of a floor or a published figure; empty for a combination.
        parts: slot -> part; empty for a floor or a published figure.
        recipe: the words that build the model; empty for a floor or a published figure.
        value: nats per frame.
        kind: kind of the value.
        interval: 95 % interval; None if it is not known.
        weights: number of trained parameters.
        study: name of the study.
        command: the command that trains the model, or computes the floor; the source of a published figure.
    """

    music: str
    name: str
    value: float
    kind: str
    interval: tuple[float, float] | None
    study: str
    command: str
    parts: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    weights: int = 0

    @property
    def width(self) -> float:
        """The width of the interval, by which the column is sorted; infinite without one."""
        return self.interval[1] - self.interval[0] if self.interval else float("inf")


def leaderboard_rows(tables: Sequence[StudyTable]) -> list[LeaderboardRow]:
    """The rows of all tables, sorted by music and nats; a combination that is in several studies once."""
    distinct: dict[tuple[Any, ...], LeaderboardRow] = {}
    for table in tables:
        for row in (*_rows(table), *_published(table)):
            distinct.setdefault((row.music, row.recipe or row.name, row.value, row.kind), row)
    return sorted(distinct.values(), key=lambda row: (row.music, row.value))


def leaderboard_page(rows: Sequence[LeaderboardRow], title: str) -> str:
    """The HTML of a leaderboard."""
    from markupsafe import Markup

    style = read_file("page.css") + read_file("leaderboard.css")
    script = read_file("leaderboard.js")
    slots = {slot: sorted({row.parts[slot] for row in rows if slot in row.parts}) for slot in SLOTS}
    return (
        environment()
        .get_template("leaderboard.html")
        .render(
            title=title,
            rows=rows,
            columns=COLUMNS,
            musics=list(dict.fromkeys(row.music for row in rows)),
            slots={slot: parts for slot, parts in slots.items() if len(parts) > 1},
            style=Markup(style),
            script=Markup(script),
            policy=security_policy(style, script),
        )
    )


def _rows(table: StudyTable) -> Iterator[LeaderboardRow]:
    for row in table.rows:
        figure = row.figure(*table.terms)
        yield LeaderboardRow(
            music=_music(table),
            name=row.floor,
            value=figure.value,
            kind=figure.kind,
            interval=figure.interval,
            study=table.study.name,
            command=_command(row, table),
            parts={slot: label.split()[0] for slot, label in row.labels.items()},
            recipe=row.recipe,
            weights=sum(row.parameters.get(term, 0) for term in ("core", "decoder")),
        )


def _published(table: StudyTable) -> Iterator[LeaderboardRow]:
    for published in table.study.published:
        if table.data in published.nats:
            value, study = published.nats[table.data], table.study.name
            yield LeaderboardRow(
                _music(table), published.name, value, published.kind, None, study, published.source
            )


def _music(table: StudyTable) -> str:
    split = "" if table.study.settings.split == "test" else f", {table.study.settings.split} pieces"
    grid = f", grid {table.reading.grid}" if table.reading and table.reading.grid != 4 else ""
    return f"{table.data}{split}{grid}{', earlier reading' if table.is_earlier else ''}"


def _command(row: StudyRow, table: StudyTable) -> str:
    """The command that trains a combination from one seed, as its cells were trained."""
    if row.floor:
        return f"zoo bench run {table.study.name}.toml"
    defaults = TrainSettings()
    settings = table.study.train_on(table.data).model_dump(exclude={"lr"})
    words = [
        f"train.{name}={write_value(value)}"
        for name, value in settings.items()
        if value != getattr(defaults, name)
    ]
    rates = {term: rate for term, rate in row.rates.items() if row.parameters.get(term)}
    if len(set(rates.values())) == 1:
        words += [f"train.lr={rate:g}" for rate in set(rates.values()) if rate != defaults.lr]
    else:
        words += [f"train.lr_{term}={rate:g}" for term, rate in rates.items()]
    return shlex.join(["zoo", "train", *row.recipe.split(), f"data={table.data}", *words, "-o", "RUN"])


def write_leaderboard(tables: Sequence[StudyTable], folder: Path, title: str) -> Path:
    """Write `index.html`, a page of its own, to a folder.

    Raises:
        ZooError: it cannot be written.
    """
    from zoo.files import write_file, writing

    path = folder / "index.html"
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
    write_file(path, leaderboard_page(leaderboard_rows(tables), title))
    return path
