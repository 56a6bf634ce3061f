"""A leaderboard: the rows of studies as a page with filters, which opens from disk and fetches nothing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.bench.rows import StudyRow, StudyTable
from zoo.music.grid import GRID
from zoo.parts import SLOTS
from zoo.report.html import encoded, environment, read_file, security_policy
from zoo.report.page import PLAYER, pieces_to_json
from zoo.report.piece import ListeningPiece
from zoo.report.recipe import local_words
from zoo.train.proposals import train_words
from zoo.train.settings import TrainSettings

COLUMNS = (
    ("music", "text"),
    ("recipe", "text"),
    ("nats", "number"),
    ("kind", "text"),
    ("interval", "number"),
    ("seeds", "number"),
    ("weights", "number"),
    ("origin", "text"),
)
"""Headings of the columns by which rows can be sorted, and what is in them."""
EARLIER = ", earlier reading"
"""How the name of music ends whose results are of another reading than the present one."""


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
        interval: 95 % interval over pieces, and over seeds if there are several; None if it is not known.
        weights: number of trained parameters.
        seeds: number of trainings; 0 for a row that is not trained.
        origin: name of the study, of the bundle or of the submission.
        command: the command that trains the model, or computes the floor; the source of a published figure.
        digest: digest of the music; empty for a published figure.
        outside: for a submission, which third-party parts it has; empty for all other rows.
        sample: music of the model; None without a bundle.
        split: which pieces of the dataset were scored.
        notes: remarks on the score, such as that the training music was read in another way.
    """

    music: str
    name: str
    value: float
    kind: str
    interval: tuple[float, float] | None
    origin: str
    command: str
    parts: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    weights: int = 0
    seeds: int = 0
    digest: str = ""
    outside: str = ""
    sample: ListeningPiece | None = None
    split: str = "test"
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """The width of the interval, by which the column is sorted; the largest number without one.

        JavaScript would read `inf` as not a number, by which nothing can be sorted.
        """
        return self.interval[1] - self.interval[0] if self.interval else sys.float_info.max


def leaderboard_rows(
    tables: Sequence[StudyTable], bundles: Sequence[LeaderboardRow] = ()
) -> list[LeaderboardRow]:
    """The rows of all tables and bundles, sorted by music and nats; a combination in several studies once.

    Different music of the same name has headings of its own.
    """
    digests: dict[str, dict[str, None]] = {}
    for table in tables:
        digests.setdefault(_music(table), {})[_digest(table)] = None
    for row in bundles:
        digests.setdefault(row.music, {})[row.digest] = None
    distinct: dict[tuple[Any, ...], LeaderboardRow] = {}
    for table in tables:
        for row in (*_rows(table), *_published(table)):
            renamed = _under_own_music(row, _digest(table), digests)
            distinct.setdefault((renamed.music, row.recipe or row.name, row.value, row.kind), renamed)
    rows = [*distinct.values(), *(_under_own_music(row, row.digest, digests) for row in bundles)]
    return sorted(rows, key=lambda row: (row.music.casefold(), row.value))


def _digest(table: StudyTable) -> str:
    return table.reading.digest if table.reading else ""


def _under_own_music(
    row: LeaderboardRow, digest: str, digests: Mapping[str, Mapping[str, None]]
) -> LeaderboardRow:
    """The row under the digest of its music, unless that is the first music or the only one of its name."""
    if digest == next(iter(digests[row.music])):
        return row
    return replace(row, music=f"{row.music}, music {digest[:12]}")


def leaderboard_page(rows: Sequence[LeaderboardRow], title: str) -> str:
    """The HTML of a leaderboard."""
    from markupsafe import Markup

    pieces = [row.sample for row in rows if row.sample]
    musics = list(dict.fromkeys(row.music for row in rows))
    style = read_file("page.css") + read_file("leaderboard.css")
    script = "\n".join(map(read_file, (*(PLAYER if pieces else ()), "leaderboard.js")))
    slots = {slot: sorted({row.parts[slot] for row in rows if slot in row.parts}) for slot in SLOTS}
    return (
        environment()
        .get_template("leaderboard.html")
        .render(
            title=title,
            rows=rows,
            pieces=pieces,
            groups={"": pieces} if pieces else {},
            can_vote=False,
            music=Markup(pieces_to_json(pieces, {})),
            columns=COLUMNS,
            musics=musics,
            # A row of training pieces says nothing about music that its model does not know.
            of_training=any(row.split == "train" for row in rows),
            earlier=any(music.endswith(EARLIER) for music in musics),
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
            origin=table.study.name,
            command=_command(row, table),
            digest=_digest(table),
            split=table.study.settings.split,
            parts={slot: label.split()[0] for slot, label in row.labels.items()},
            recipe=row.recipe,
            weights=sum(row.parameters.get(term, 0) for term in ("core", "decoder")),
            seeds=len(row.evaluations) if any(row.parameters.values()) else 0,
        )


def _published(table: StudyTable) -> Iterator[LeaderboardRow]:
    for published in table.study.published:
        if table.data in published.nats:
            value, study = published.nats[table.data], table.study.name
            yield LeaderboardRow(
                _music(table), published.name, value, published.kind, None, study, published.source
            )


def _music(table: StudyTable) -> str:
    grid = table.reading.grid if table.reading else GRID
    name = music_name(table.data, grid, table.study.settings.split)
    return f"{name}{EARLIER}" if table.is_earlier else name


def music_name(data: str, grid: int, split: str = "test") -> str:
    """How the page names music: the dataset, and the split and the grid unless they are the usual ones."""
    pieces = "" if split == "test" else f", {split} pieces"
    return f"{data}{pieces}" + ("" if grid == GRID else f", grid {grid}")


def _command(row: StudyRow, table: StudyTable) -> str:
    """The command that trains a combination from one seed, as its cells were trained."""
    if row.floor:
        return shlex.join(["zoo", "bench", "run", f"{table.study.name}.toml"])
    rates = {term: rate for term, rate in row.rates.items() if row.parameters.get(term)}
    if len(set(rates.values())) == 1:
        chosen = {"lr": next(iter(rates.values()))}
    else:
        chosen = {"lr": TrainSettings().lr, **{f"lr_{term}": rate for term, rate in rates.items()}}
    recipe = next(each.recipe for each in table.study.combinations if str(each.recipe) == row.recipe)
    words = train_words({**table.study.train_on(table.data).model_dump(), **chosen}, recipe.parts)
    command = ["zoo", "train", *row.recipe.split(), f"data={table.data}", *words, "-o", "RUN"]
    return shlex.join([*command, *local_words(recipe.parts.values())])


def write_leaderboard(rows: Sequence[LeaderboardRow], folder: Path, title: str) -> Path:
    """Write `index.html`, a page of its own, to a folder.

    Raises:
        ZooError: it cannot be written.
    """
    from zoo.files import write_file, writing

    path = folder / "index.html"
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
    write_file(path, encoded(leaderboard_page(rows, title)))
    return path
