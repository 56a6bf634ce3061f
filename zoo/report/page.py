"""The page: the sections of a report in one file of HTML, with its style, scripts and music inside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.files import write_file
from zoo.report.piece import Piece

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = ("piano.js", "player.js", "votes.js")
MARGIN = 2
"""Keys that a roll shows above the highest note and below the lowest."""


@dataclass(frozen=True)
class Report:
    """What a page shows.

    Attributes:
        title: its heading.
        pieces: the music; pieces of one group stand side by side.
        command: the command that made the page; empty where a program did.
    """

    title: str
    pieces: Sequence[Piece] = ()
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

    style, script = _file("page.css"), "\n".join(map(_file, SCRIPTS))
    groups = _groups(report.pieces)
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            groups=groups,
            compares=any(len(pieces) > 1 for pieces in groups.values()),
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            music=Markup(_music([piece for pieces in groups.values() for piece in pieces])),
        )
    )


def _groups(pieces: Sequence[Piece]) -> dict[str, list[Piece]]:
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.group, []).append(piece)
    return groups


def _music(pieces: Sequence[Piece]) -> str:
    """The pieces as JSON that does not end the element it stands in."""
    told: list[dict[str, Any]] = [piece.to_json() for piece in pieces]
    keys = [note[2] for piece in told for note in piece["notes"]] or [60]
    identity = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
    content = {
        "id": identity,
        "low": min(keys) - MARGIN,
        "high": max(keys) + MARGIN,
        "models": {},
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
