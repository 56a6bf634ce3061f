"""`zoo data show`: the pieces of a corpus, or one of them in detail."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.corpora import (
    as_json_option,
    counted,
    families,
    families_row,
    header,
    key_range,
    opened,
    signatures_row,
    table,
)
from zoo.cli.meters import in_order
from zoo.cli.tracks import Tracks, tracks_in_words, tracks_of
from zoo.counts import count, named, percent
from zoo.errors import Problem, UsageError
from zoo.music.meter import Meter

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.data import Corpus

METER_FROM = {
    "stated": "stated",
    "heard": "inferred from the notes",
    "annotated": "from the file of beats",
    "assumed": "assumed, the file has none",
}
"""The meaning of each `Piece.meter_from`."""


@click.command("show")
@click.argument("words", nargs=-1, required=True, metavar="NAME|PATH [PIECE] [KEY=VALUE]...")
@as_json_option
def show_command(words: tuple[str, ...], as_json: bool) -> None:
    """Show the pieces of a corpus, or one PIECE of it in detail.

    PIECE is the number of a piece, or a part of its title. Pieces of one family share music; a family has the
    number of its first piece. KEY=VALUE sets how files are read: grid=12, pedal=hold, family=RULE.
    """
    from zoo.cli.console import print_json, stdout

    music, piece = opened(words, "zoo data show", takes_piece=True)
    if piece is not None:
        facts = _to_json(music, _find(music, piece))
        if as_json:
            print_json(facts)
        else:
            stdout.print(_piece_table(facts))
    elif as_json:
        print_json(_listing(music))
    else:
        stdout.print(_pieces_table(music))
        stdout.print(table(("all pieces", ""), _overview(music)))


def _listing(corpus: Corpus) -> dict[str, Any]:
    """All pieces, ready for JSON."""
    pieces = [asdict(piece) for piece in corpus.pieces]
    return {
        **header(corpus),
        "meters_from": _meters_from(corpus),
        "families": families(corpus),
        "pieces": pieces,
    }


def _meters_from(corpus: Corpus) -> dict[str, int]:
    return dict(Counter(piece.meter_from for piece in corpus.pieces).most_common())


def _pieces_table(corpus: Corpus) -> Table:
    rows = [
        (
            str(number),
            piece.title,
            piece.split,
            str(piece.family + 1),
            f"{piece.frames:,}",
            str(piece.meter),
            piece.meter_from,
            piece.alignment,
        )
        for number, piece in enumerate(corpus.pieces, start=1)
    ]
    return table(("number", "title", "split", "family", "frames", "meter", "meter from", "grid"), rows)


def _overview(corpus: Corpus) -> list[tuple[str, str]]:
    """Counts of the pieces by the source of their meter, and by family."""
    return [signatures_row(_meters_from(corpus)), families_row(corpus)]


def _find(corpus: Corpus, piece: str) -> int:
    """The index of the piece with this number or title, or of the only piece whose title contains it."""
    titles = [piece.title for piece in corpus.pieces]
    if piece in titles:
        return titles.index(piece)
    if piece.isdecimal() and 1 <= int(piece) <= len(titles):
        return int(piece) - 1
    matches = [index for index, title in enumerate(titles) if piece.lower() in title.lower()]
    if len(matches) == 1:
        return matches[0]
    examples = ", ".join(titles[index] for index in matches[:3])
    what = f"{len(matches)} pieces have this in their title" if matches else "there is no such piece"
    hint = f"be more specific: {examples}" if matches else f"use a number from 1 to {len(titles)} or a title"
    raise UsageError(Problem(what, where=piece, hint=hint))


def _to_json(corpus: Corpus, index: int) -> dict[str, Any]:
    """One piece in detail."""
    from zoo.data.summary import summarise

    piece = corpus.pieces[index]
    seconds = round(piece.frames / corpus.grid / piece.tempo * 60, 1)
    summary = asdict(summarise(corpus.take([index])))
    del summary["pieces"], summary["families"]
    others = [other for other in corpus.pieces if other is not piece]
    on_the_grid = "onset" in corpus.planes  # frames of published datasets have other lengths
    return {
        "number": index + 1,
        **asdict(piece),
        "seconds": seconds if on_the_grid else None,
        **summary,
        "tracks": list(_tracks(corpus, piece.title)),
        "copies": [other.title for other in others if other.digest == piece.digest],
        "relatives": [other.title for other in others if other.family == piece.family],
    }


def _tracks(corpus: Corpus, title: str) -> Tracks:
    """The tracks of the MIDI file that a piece was read from; none of other corpora."""
    from zoo.data.folder import file_of

    file = file_of(corpus.name, title)
    return [] if file is None else tracks_of(file)


def _piece_table(facts: dict[str, Any]) -> Table:
    """One piece as a table."""
    minutes, seconds = divmod(round(facts["seconds"] or 0), 60)
    time = (
        f", {minutes}:{seconds:02} at {facts['tempo']:.0f} quarter notes per minute"
        if facts["seconds"]
        else ""
    )
    meter = in_order(Meter.from_json(facts["meter"]), facts["frames"])
    rows = [
        ("split", facts["split"]),
        ("length", f"{count(facts['frames'], 'frame')}{time}"),
        ("meter", f"{meter} ({METER_FROM[facts['meter_from']]})"),
        ("grid", _grid_words(facts)),
        ("notes", "unknown" if facts["notes"] is None else f"{facts['notes']:,}"),
        ("polyphony", f"{facts['polyphony']:.2f} keys on average, {facts['most']} at most"),
        ("silence", f"{facts['silence']:.1%} of the frames"),
        ("keys", key_range(facts["lowest"], facts["highest"])),
        ("loudness", "unknown" if facts["loudness"] is None else f"{facts['loudness']:.0f} of 127"),
        *([("tracks", tracks_in_words(facts["tracks"]))] if facts["tracks"] else []),
        ("copies", named(facts["copies"]) or "none"),
        ("family", named(facts["relatives"], 6) or "no other piece of the corpus shares music with it"),
        ("digest", facts["digest"]),
    ]
    return table((f"{facts['number']}", facts["title"]), rows)


def _grid_words(facts: dict[str, Any]) -> str:
    lost = f"; {counted(facts['losses'])}" if facts["losses"] else ""
    return f"{facts['alignment']}, {percent(facts['off_grid'])} of the notes off it{lost}"
