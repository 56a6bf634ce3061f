"""The page: all sections of a report in one HTML file that embeds its style, scripts and music."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.files import encodable, write_file
from zoo.report.html import encoded, environment, read_file, security_policy
from zoo.report.piece import ListeningPiece

if TYPE_CHECKING:
    from zoo.report.learning import Training
    from zoo.report.recipe import RecipeSummary

PLAYER = ("piano.js", "player.js")
"""The scripts that draw and play pieces."""
SCRIPTS = (*PLAYER, "votes.js")
MARGIN = 2
"""Number of keys that a piano roll shows above the highest note and below the lowest."""


@dataclass(frozen=True)
class Report:
    """The content of a page.

    Attributes:
        title: heading of the page.
        pieces: the music; pieces of the same group are shown side by side.
        results: measurements, as returned by `zoo.measure.to_json.evaluations_to_json` or
            `zoo.bench.formatted.table_to_json`.
        trainings: learning curves of runs.
        recipes: how models were built and trained.
        command: the command that wrote the page; empty if it was written from Python.
    """

    title: str
    pieces: Sequence[ListeningPiece] = ()
    results: Sequence[Mapping[str, Any]] = ()
    trainings: Sequence[Training] = ()
    recipes: Sequence[RecipeSummary] = ()
    command: str = ""


def write_report(report: Report, path: str | Path) -> None:
    """Write a report as a self-contained page that opens in any browser, without a network.

    Raises:
        ZooError: the file cannot be written; an existing file is then unchanged.
    """
    write_file(path, report_bytes(report))


def report_bytes(report: Report) -> bytes:
    """The content of the file that `write_report` writes."""
    return encoded(page(report))


def page(report: Report) -> str:
    """The HTML of a report."""
    from markupsafe import Markup

    from zoo.report.resemblance import resemblance_tables
    from zoo.report.score import score_tables, scores_by_model

    style, script = read_file("page.css"), "\n".join(map(read_file, SCRIPTS))
    groups = _group(report.pieces)
    content = {
        "groups": groups,
        "scores": [table for result in report.results for table in score_tables(result)],
        "charts": _charts(report.trainings),
        "resemblances": [table for result in report.results for table in resemblance_tables(result)],
    }
    # The scripts find the piece of a card by its position on the page.
    pieces_in_order = [piece for pieces in groups.values() for piece in pieces]
    return (
        environment()
        .get_template("page.html")
        .render(
            **content,
            report=report,
            pieces=report.pieces,
            sections=_sections(report, content),
            can_vote=any(len(pieces) > 1 for pieces in groups.values()),
            style=Markup(style),
            script=Markup(script),
            policy=security_policy(style, script),
            music=Markup(pieces_to_json(pieces_in_order, scores_by_model(report.results))),
        )
    )


def _charts(trainings: Sequence[Training]) -> list[Any]:
    if not trainings:
        return []
    from zoo.report.learning import charts

    return list(charts(trainings))


def _sections(report: Report, content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(anchor, name) of all sections that are not empty, in the order of the page."""
    headings = {"groups": "Listen", "scores": "Score", "charts": "Learning", "resemblances": "Resemblance"}
    names = [name for section, name in headings.items() if content[section]]
    names += ["Recipe"] if report.recipes or report.command else []
    return [(name.lower(), name) for name in names]


def _group(pieces: Sequence[ListeningPiece]) -> dict[str, list[ListeningPiece]]:
    groups: dict[str, list[ListeningPiece]] = {}
    for piece in pieces:
        groups.setdefault(piece.group, []).append(piece)
    return groups


def pieces_to_json(pieces: Sequence[ListeningPiece], scores: Mapping[str, Any]) -> str:
    """The pieces and the scores of their models by digest as JSON, escaped for a script element."""
    contents: list[dict[str, Any]] = [piece.to_json() for piece in pieces]
    keys = [note[2] for piece in contents for note in piece["notes"]] or [60]
    identity = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:12]
    content = {
        "id": identity,
        "low": min(keys) - MARGIN,
        "high": max(keys) + MARGIN,
        "models": {encodable(piece.name): scores[piece.model] for piece in pieces if piece.model in scores},
        "pieces": contents,
    }
    # A name that contains `</script>` must not end the element.
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
