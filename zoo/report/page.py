"""The page: the sections of a report in one file of HTML, with its style, scripts and music inside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.files import write_file
from zoo.report.piece import Piece

if TYPE_CHECKING:
    from jinja2 import Environment

    from zoo.report.learning import Training
    from zoo.report.recipe import Made

SCRIPTS = ("piano.js", "player.js", "votes.js")
MARGIN = 2
"""Keys that a roll shows above the highest note and below the lowest."""


@dataclass(frozen=True)
class Report:
    """What a page shows.

    Attributes:
        title: its heading.
        pieces: the music; pieces of one group stand side by side.
        results: what was measured, each as `zoo.measure.to_json.evaluations_to_json` or
            `zoo.bench.formatted.table_to_json` gives it.
        trainings: how runs learned.
        recipes: how models were made.
        command: the command that made the page; empty where a program did.
    """

    title: str
    pieces: Sequence[Piece] = ()
    results: Sequence[Mapping[str, Any]] = ()
    trainings: Sequence[Training] = ()
    recipes: Sequence[Made] = ()
    command: str = ""


def write_report(report: Report, path: str | Path) -> None:
    """Write a report as a page of its own, which opens in any browser and fetches nothing.

    Raises:
        ZooError: the file cannot be written; an older one of that name is then untouched.
    """
    write_file(path, page(report))


def page(report: Report) -> str:
    """The HTML that `write_report` writes."""
    from markupsafe import Markup

    from zoo.report.likeness import likeness_tables
    from zoo.report.score import score_tables, scores_by_name

    style, script = _file("page.css"), "\n".join(map(_file, SCRIPTS))
    groups = _groups(report.pieces)
    shown = {
        "groups": groups,
        "scores": [table for result in report.results for table in score_tables(result)],
        "charts": _charts(report.trainings),
        "likenesses": [table for result in report.results for table in likeness_tables(result)],
    }
    played = [piece for pieces in groups.values() for piece in pieces]
    return (
        _environment()
        .get_template("page.html")
        .render(
            **shown,
            report=report,
            sections=_sections(report, shown),
            compares=any(len(pieces) > 1 for pieces in groups.values()),
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            music=Markup(_music(played, scores_by_name(report.results))),
        )
    )


def _charts(trainings: Sequence[Training]) -> list[Any]:
    if not trainings:
        return []
    from zoo.report.learning import charts

    return list(charts(trainings))


def _sections(report: Report, shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(anchor, name) of the sections that there are, in their order."""
    anchors = {"groups": "Listen", "scores": "Score", "charts": "Learning", "likenesses": "Resemblance"}
    names = [name for content, name in anchors.items() if shown[content]]
    names += ["Recipe"] if report.recipes or report.command else []
    return [(name.lower(), name) for name in names]


def _groups(pieces: Sequence[Piece]) -> dict[str, list[Piece]]:
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.group, []).append(piece)
    return groups


def _music(pieces: Sequence[Piece], scores: Mapping[str, Any]) -> str:
    """The pieces as JSON that does not end the element it stands in, with the scores of their models."""
    told: list[dict[str, Any]] = [piece.to_json() for piece in pieces]
    keys = [note[2] for piece in told for note in piece["notes"]] or [60]
    identity = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
    content = {
        "id": identity,
        "low": min(keys) - MARGIN,
        "high": max(keys) + MARGIN,
        "models": {piece.name: scores[piece.name] for piece in pieces if piece.name in scores},
        "pieces": told,
    }
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def _policy(style: str, script: str) -> str:
    """A content security policy that allows this style and this script, and nothing else."""
    allowed = {"script-src": script, "style-src": style}
    hashed = (f"{kind} 'sha256-{_hash(text)}'" for kind, text in allowed.items())
    return "; ".join(["default-src 'none'", *hashed, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _file(name: str) -> str:
    return files("zoo.report").joinpath("page", name).read_text("utf-8")


@cache
def _environment() -> Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("zoo.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
