"""Corpora on the command line: parsing their names, and formatting what several commands show of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import Problem, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.data import Corpus

NUMBERS = {
    *("number", "pieces", "frames", "notes", "polyphony", "most", "silence", "loudness", "family", "share"),
    "MiB in the cache",
}
"""Columns that are aligned to the right."""

SHOWN = 6
"""Number of kinds, such as time signatures, whose counts a table shows."""

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def opened(
    words: Sequence[str], command: str, *, takes_piece: bool = False, scans: bool = False
) -> tuple[Corpus, str | None]:
    """Open the corpus that the words name; also return the piece, if one is named.

    Args:
        words: a name or path, `KEY=VALUE` for how files are read, and possibly a piece.
        command: the command, for hints.
        takes_piece: whether a piece may follow the corpus.
        scans: whether the command itself shows what was skipped.

    Raises:
        UsageError: no corpus is named, or there are too many words.
        DataError: the corpus cannot be read.
    """
    from zoo.cli.music import open_music
    from zoo.registry import open_registry, parse_recipe
    from zoo.train.keys import MusicKeys

    settings = [word for word in words if word.partition("=")[0] in MusicKeys.model_fields and "=" in word]
    names = [word for word in words if word not in settings]
    if not 1 <= len(names) <= 1 + takes_piece:
        what = "name one corpus" + (", and at most one piece" if takes_piece else "")
        example = f"such as {command} FOLDER{' PIECE' if takes_piece else ''} grid=12"
        raise UsageError(Problem(what, " ".join(names), example))
    keys = parse_recipe([*settings, f"data={names[0]}"], open_registry(), keys=MusicKeys).keys
    return open_music(keys, scans=scans), names[1] if len(names) > 1 else None


def header(corpus: Corpus) -> dict[str, Any]:
    """The name of a corpus and how it was read, ready for JSON."""
    planes = sorted(corpus.planes)
    return {"name": corpus.name, "digest": corpus.digest, "grid": corpus.grid, "planes": planes}


def families(corpus: Corpus) -> list[list[str]]:
    """The titles of each family with several pieces, the largest family first."""
    members: dict[int, list[str]] = {}
    for piece in corpus.pieces:
        members.setdefault(piece.family, []).append(piece.title)
    return sorted((titles for titles in members.values() if len(titles) > 1), key=len, reverse=True)


def not_held_out(corpus: Corpus) -> list[str]:
    """A sentence where too little music, or a published split, leaves nothing to judge a model by."""
    if corpus.split("test").pieces or not corpus.pieces:
        return []
    if corpus.split("valid").pieces:
        what = "no test piece is left, and `zoo evaluate` has nothing to score"
    else:
        what = "nothing is held out, so no score shows how well a model generalizes"
    return [f"{_why_no_test(corpus)}: {what}; add more pieces, or score other music with split=all"]


def _why_no_test(corpus: Corpus) -> str:
    number, families = len(corpus.pieces), len({piece.family for piece in corpus.pieces})
    if number == 1:
        return "there is one piece only"
    if families == 1:
        return f"the {number:,} pieces share music"
    if not corpus.split("valid").pieces:
        # Several families are only left together by a file that says which pieces are for training.
        return f"all {number:,} pieces are training pieces"
    return "there is too little music" if families == 2 else "the split of this file has no test pieces"


def families_row(corpus: Corpus) -> tuple[str, str]:
    """The number of families, as a row of a table."""
    from zoo.counts import count, named

    several = families(corpus)
    row = count(len({piece.family for piece in corpus.pieces}), "family")
    if several:
        largest = f"the largest has {len(several[0]):,}: {named(several[0])}"
        row += f", {len(several):,} of several pieces; {largest}"
    return "families", row


def signatures_row(meters_from: Mapping[str, int]) -> tuple[str, str]:
    """The sources of the time signatures, as a row of a table."""
    default = {"assumed": " (4/4)"}
    counts = (f"{number:,} {origin}{default.get(origin, '')}" for origin, number in meters_from.items())
    return "time signatures", ", ".join(counts)


def counted(counts: Mapping[str, int]) -> str:
    """The first few counts, and the sum of the others: `4/4 210, 3/4 15`, or `4/4 327; 4/4, 3/4 3`."""
    between = "; " if any("," in name for name in counts) else ", "
    # A single other kind takes no more room than its sum.
    shown = len(counts) if len(counts) == SHOWN + 1 else SHOWN
    listed = [f"{name} {number:,}" for name, number in list(counts.items())[:shown]]
    others = list(counts.values())[shown:]
    more = [f"{len(others):,} other kinds {sum(others):,}"] if others else []
    return between.join([*listed, *more])


def key_range(lowest: int | None, highest: int | None) -> str:
    """The range of MIDI pitches as note names: 60 is C4."""
    from zoo.music.roll import key_name
    from zoo.parts.piano import LOWEST_KEY

    if lowest is None or highest is None:
        return "-"
    return f"{key_name(lowest - LOWEST_KEY)} to {key_name(highest - LOWEST_KEY)}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, lines: bool = False) -> Table:
    """A table with right-aligned numbers.

    Args:
        headings: of the columns.
        rows: their cells, with control characters written out.
        lines: whether cells may have several lines; for text that does not come from files.
    """
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible

    formatted = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in headings:
        formatted.add_column(
            visible(heading), justify="right" if heading in NUMBERS else "left", overflow="fold"
        )
    for row in rows:
        formatted.add_row(*(visible(cell, lines=lines) for cell in row))
    return formatted
