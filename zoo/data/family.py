"""Families: pieces that share music, so that no model is tested on what it was trained on in other clothes.

Copies are found by their notes (`zoo.data.split`). Beyond that two pieces are related that share long
passages in any transposition: the same texture; the same melody under other chords, as two harmonisations of
one hymn have it; the same bass line; or all notes of one lie in the other, as those of a tune lie in the tune
with its chords.

Relatives of relatives are one family, so that a single false link joins two of them, and chains of links
could join a whole corpus. Hence what two pieces share has to be more than a cliché. A run counts only where
it has several different tokens, unlike accompaniment figures and scales; a run of many pieces makes no two
of them candidates; and a share is of the different runs of a piece as well as of its frames. Where notes
cannot tell, as in free performances, a rule can (`zoo.data.family_rule`).
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
"""How a piece becomes the tokens of each view."""
VIEWS = {
    "texture": View(run=5, different=5, fewest=6, share=0.4),
    "melody": View(run=8, different=4, fewest=10, share=0.3),
    "bass line": View(run=24, different=6, fewest=6, share=0.7),
}
"""What makes two pieces related. The numbers are set so that among 371 chorales, 1,034 folk tunes, 228 pop
songs and 337 piano pieces no two of different sets are related, while most chorales of one tune are."""
NOTES = "notes"
"""What pieces share of which one lies inside the other."""
COPY = "copy"
"""What pieces share that are the same, note for note, in any key."""


@dataclass(frozen=True)
class Relation:
    """Two pieces that share music.

    Attributes:
        first: number of a piece.
        second: number of another, larger.
        view: what they share: "copy", "texture", "melody", "bass line" or "notes".
        share: the larger of the shares that each has of it, 0..1: of its frames, or of its notes.
    """

    first: int
    second: int
    view: str
    share: float


class Fingerprints:
    """What pieces that are added one by one have in common; some 15 kB a piece are kept of them."""

    def __init__(self) -> None:
        self._runs = {name: Runs(view) for name, view in VIEWS.items()}
        self._notes = PlacedNotes()

    def add(self, roll: Roll) -> None:
        """Take a piece into account; pieces are numbered from 0 as they are added."""
        for name, series in SERIES.items():
            self._runs[name].add(series(roll))
        self._notes.add(roll)

    def relations(self) -> list[Relation]:
        """All pairs of pieces that share much, once for each view in which they do."""
        found = {name: list(runs.related()) for name, runs in self._runs.items()}
        found[NOTES] = list(self._notes.related())
        return [
            Relation(first, second, name, share)
            for name, pairs in found.items()
            for first, second, share in pairs
        ]


def copied(patterns: Sequence[str], splits: Sequence[str | None]) -> Iterator[Relation]:
    """Copies as relations: each piece with the first of its pattern in every split, one's own included.

    So every copy is linked, and every one that crosses splits is seen, without naming all pairs of hundreds.

    Args:
        patterns: of all pieces; see `zoo.data.split.pattern`.
        splits: in which they are to be.
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
