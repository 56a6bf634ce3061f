"""Families: pieces that share music, so that no model is tested on another arrangement of training music.

Copies are found by their notes (`zoo.data.split`). In addition, two pieces are related if they share long
passages in any transposition: the same texture; the same melody with different chords, as in two
harmonisations of a hymn; the same bass line; or if one piece contains all notes of the other, as a song
contains those of its melody.

Families are the connected components of these links. A single false link joins two families, and a chain of
them could join a whole corpus, so common figures must not count. A run of tokens counts only if it has
several different tokens, unlike accompaniment figures and scales; a run that occurs in many pieces makes none
of them candidates; and a share is measured over the distinct runs of a piece as well as over its frames. If
notes are not enough, as in expressive performances, a rule can define families (`zoo.data.family_rule`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from zoo.data.placed import PlacedNotes
from zoo.data.runs import Runs, Tokens, View, line, texture
from zoo.music.roll import Roll

SERIES: dict[str, Callable[[Roll], Tokens]] = {
    "texture": texture,
    "melody": partial(line, top=True),
    "bass line": partial(line, top=False),
}
"""The tokens of a piece in each view."""
VIEWS = {
    "texture": View(run=5, different=5, fewest=6, share=0.4),
    "melody": View(run=8, different=4, fewest=10, share=0.3),
    "bass line": View(run=24, different=6, fewest=6, share=0.7),
}
"""Thresholds above which two pieces are related. They were tuned on 371 chorales, 1,034 folk tunes, 228 pop
songs and 337 piano pieces, so that no pieces of different datasets are related, but most chorales with the
same tune are."""
NOTES = "notes"
"""Relation of two pieces one of which contains the notes of the other."""
COPY = "copy"
"""Relation of two pieces that are identical up to transposition."""


@dataclass(frozen=True)
class Relation:
    """Two pieces that share music.

    Attributes:
        first: index of the first piece.
        second: index of the second piece, larger than `first`.
        view: what they share: "copy", "texture", "melody", "bass line" or "notes".
        share: shared part of the frames (or notes) of a piece, 0..1; the larger of the two pieces' values.
    """

    first: int
    second: int
    view: str
    share: float


class Fingerprints:
    """Finds related pieces; pieces are added one by one, and about 15 kB are kept of each."""

    def __init__(self) -> None:
        self._runs = {name: Runs(view) for name, view in VIEWS.items()}
        self._notes = PlacedNotes()

    def add(self, roll: Roll) -> None:
        """Add a piece; pieces are numbered from 0 in the order in which they are added."""
        for name, series in SERIES.items():
            self._runs[name].add(series(roll))
        self._notes.add(roll)

    def relations(self) -> list[Relation]:
        """All related pairs of pieces, once for each view in which they are related."""
        pairs_by_view = {name: list(runs.related()) for name, runs in self._runs.items()}
        pairs_by_view[NOTES] = list(self._notes.related())
        return [
            Relation(first, second, name, share)
            for name, pairs in pairs_by_view.items()
            for first, second, share in pairs
        ]


def copy_relations(patterns: Sequence[str], splits: Sequence[str | None]) -> Iterator[Relation]:
    """Relate each piece to the first copy of it in every split, including its own.

    This links all copies, and shows all that are in different splits, without listing every pair of them.

    Args:
        patterns: note pattern of each piece; see `zoo.data.split.pattern`.
        splits: split prescribed for each piece.
    """
    firsts: dict[str, dict[str | None, int]] = {}
    for piece, (pattern, split) in enumerate(zip(patterns, splits, strict=True)):
        firsts.setdefault(pattern, {}).setdefault(split, piece)
    pairs = {
        (min(piece, first), max(piece, first))
        for piece, pattern in enumerate(patterns)
        for first in firsts[pattern].values()
        if first != piece
    }
    yield from (Relation(*pair, COPY, 1.0) for pair in sorted(pairs))
