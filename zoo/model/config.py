"""The configuration of a bundle, config.json: read once, with the types of all fields checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoo.errors import BundleError
from zoo.limits import parse_json
from zoo.model.sealed import CONFIG, damaged, parsed, read_bundle
from zoo.music.grid import FINEST_GRID, GRID
from zoo.parts.kinds import FigureKind

LISTED = 5
"""Number of invalid fields that an error message lists."""
MOST = 2**53
"""Maximum of counts; every integer up to it is a float."""

Count = Annotated[int, Field(ge=0, le=MOST)]
Grid = Annotated[int, Field(ge=1, le=FINEST_GRID)]
Beats = Annotated[int, Field(ge=1, le=255)]
"""Upper number of a time signature in a MIDI file."""
BeatUnit = Literal[1, 2, 4, 8, 16, 32, 64, 128]
"""Lower number of a time signature in a MIDI file."""


class StrictModel(BaseModel):
    """Fields that are checked strictly; a default only means that a field may be absent.

    Fields of other names are allowed.
    """

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, defer_build=True)


class _Music(StrictModel):
    name: str = ""
    digest: str = ""
    pieces: Count = 0
    frames: Count = 0
    pedal: Literal["keep", "hold"] = "keep"
    meter: Annotated[tuple[Beats, BeatUnit], Field(strict=False)] = (4, 4)  # JSON has lists only


class StoredMusic(_Music):
    """Music that a part was trained on."""

    name: str
    digest: str


class _Data(_Music):
    piece_digests: list[str] = []
    validation_digests: list[str] = []
    grid: Grid = GRID
    family: str = ""
    in_memory: bool = False


class _Training(StrictModel):
    settings: dict[str, bool | int | float | str | None] = {}
    seed: int = 0
    steps: Count = 0
    seconds: Annotated[float, Field(ge=0, le=MOST)] = 0.0
    stopped: str = ""
    continued: bool = False
    threads: Count = 1
    ranks: Count = 1
    best_step: dict[str, Count] = {}
    began_from: dict[str, str] = {}
    from_python: str = ""


class _Score(StrictModel):
    nats: float
    kind: FigureKind
    interval: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    pieces: Count
    full_score: bool = True


class _Scores(StrictModel):
    validation: dict[str, float] = {}
    validation_kinds: dict[str, FigureKind] = {}
    validation_score: _Score | None = None


class _Part(StrictModel):
    source: str | None = None
    trained_on: list[StoredMusic] = []


class _GridSize(StrictModel):
    frames_per_quarter: Grid


class _Recipe(StrictModel):
    parts: dict[str, Any]


class _Config(StrictModel):
    recipe: _Recipe
    grid: _GridSize
    parts: dict[str, _Part] = {}
    code: dict[str, str] | None = None
    versions: dict[str, str] = {}
    data: _Data | None = None
    piece_digests: dict[str, list[str]] = {}
    validation_digests: dict[str, list[str]] = {}
    training: _Training | None = None
    scores: _Scores | None = None


def read_config(folder: Path) -> dict[str, Any]:
    """Read and verify a bundle except its weights; returns the content of its config.json.

    Raises:
        BundleError: files are missing, damaged, changed or from a newer version, or fields of config.json
            are missing or have wrong types.
    """
    content, path = read_bundle(folder)[CONFIG], folder / CONFIG
    config = parsed(content, path)
    try:
        parse_json(content)
    except ValueError:
        what = "contains a number that is not finite, or text that is not Unicode"
        raise BundleError(damaged(what, str(path))) from None
    check_fields(config, _Config, path)
    return config


def check_fields(content: Mapping[str, Any], model: type[StrictModel], path: Path) -> None:
    """Check the content of a JSON file.

    Raises:
        BundleError: fields are missing or have wrong types; lists the first ones.
    """
    try:
        model.model_validate(content)
    except ValidationError as error:
        names = list(dict.fromkeys(".".join(map(str, detail["loc"])) for detail in error.errors()))
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        what = f"has missing or invalid fields: {', '.join(names[:LISTED])}{more}"
        raise BundleError(damaged(what, str(path))) from None
