"""A corpus in numbers: how much there is, how dense, how high and low, and how well it lies on its grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.data.corpus import Corpus
from zoo.data.piece import Piece
from zoo.music.meter import Meter
from zoo.music.roll import KEYS, LOWEST_KEY, Roll


@dataclass(frozen=True)
class Summary:
    """Some pieces in numbers.

    Attributes:
        pieces: how many.
        families: how many families they are of; pieces that share music are of one.
        frames: their length together.
        notes: how many keys are pressed; None where onsets are unknown.
        polyphony: keys that sound in a frame, on average over all frames.
        most: keys that sound in the fullest frame.
        silence: share of the frames in which no key sounds.
        lowest: MIDI pitch of the lowest key that sounds; None if none does.
        highest: and of the highest.
        loudness: mean velocity of the pressed keys, 1..127; None where velocities are unknown.
        meters: how many pieces have each time signature, or list of them.
        meters_from: how many pieces have their time signatures from where: stated in the file, heard in its
            notes, annotated beside it, or assumed; see `zoo.music.barline.FoundMeter`.
        alignments: how many pieces have their grid from where; see `zoo.music.align`.
        off_grid: share of the notes that lie more than a quarter frame from where they were put.
        losses: how many notes reading lost, moved or changed, by what happened to them.
        spread: entropy in nats of the place in the bar at which notes begin, over all pieces together; of the
            most common length of bar. None where onsets are unknown.
        spread_inside: the same inside pieces, on average over their notes. Where bars begin in the right
            place both are small and close to each other; the difference is what the piece tells about
            the place of its bar lines.
    """

    pieces: int
    families: int
    frames: int
    notes: int | None
    polyphony: float
    most: int
    silence: float
    lowest: int | None
    highest: int | None
    loudness: float | None
    meters: Mapping[str, int]
    meters_from: Mapping[str, int]
    alignments: Mapping[str, int]
    off_grid: float
    losses: Mapping[str, int]
    spread: float | None
    spread_inside: float | None


def summarise(corpus: Corpus) -> Summary:
    """All pieces of a corpus in numbers, one in memory at a time."""
    tally = _Tally()
    for index in range(len(corpus.pieces)):
        tally.add(corpus.roll(index), corpus.pieces[index])
    return tally.summary(corpus.planes)


class _Tally:
    """Counts over the pieces seen so far."""

    def __init__(self) -> None:
        self.pieces = self.notes = self.loud = 0
        self.chords = np.zeros(KEYS + 1, np.int64)
        self.keys = np.zeros(KEYS, np.int64)
        self.families = set[int]()
        self.meters, self.meters_from, self.alignments = Counter[str](), Counter[str](), Counter[str]()
        self.losses = Counter[str]()
        self.off_grid = 0.0
        self.places: dict[int, list[NDArray[np.float64]]] = {}

    def add(self, roll: Roll, piece: Piece) -> None:
        self.pieces += 1
        self.families.add(piece.family)
        self.meters[str(roll.meter)] += 1
        self.meters_from[piece.meter_from] += 1
        self.alignments[piece.alignment] += 1
        self.losses.update(piece.losses)
        if roll.onset is not None:
            self._add_places(roll.onset.sum(1), roll.meter)
            self.off_grid += piece.off_grid * int(roll.onset.sum())
        self.chords += np.bincount(roll.sounding.sum(1), minlength=KEYS + 1)
        self.keys += roll.sounding.sum(0)
        self.notes += 0 if roll.onset is None else int(roll.onset.sum())
        self.loud += 0 if roll.velocity is None else int(roll.velocity.sum())

    def _add_places(self, onsets: NDArray[np.int64], meter: Meter) -> None:
        """Count the onsets (T,) of a piece by the place in bars of each length."""
        places = meter.places(np.arange(len(onsets)))
        for length in np.unique(places.length[onsets > 0]):
            here = places.length == length
            counts = np.bincount(places.place[here], onsets[here], minlength=length)
            self.places.setdefault(int(length), []).append(counts.astype(np.float64))

    def _spread(self) -> tuple[float | None, float | None]:
        if not self.places:
            return None, None
        pieces = max(self.places.values(), key=lambda counts: sum(map(np.sum, counts)))
        counts = np.stack(pieces)
        inside = counts.sum(1) @ _entropy(counts) / counts.sum()
        return float(_entropy(counts.sum(0, keepdims=True))[0]), float(inside)

    def summary(self, planes: frozenset[str]) -> Summary:
        frames = int(self.chords.sum())
        heard = np.flatnonzero(self.keys) + LOWEST_KEY
        spread, inside = self._spread()
        return Summary(
            pieces=self.pieces,
            families=len(self.families),
            frames=frames,
            notes=self.notes if "onset" in planes else None,
            polyphony=float(self.keys.sum() / max(frames, 1)),
            most=int(np.flatnonzero(self.chords).max(initial=0)),
            silence=float(self.chords[0] / max(frames, 1)),
            lowest=int(heard[0]) if len(heard) else None,
            highest=int(heard[-1]) if len(heard) else None,
            loudness=self.loud / self.notes if "velocity" in planes and self.notes else None,
            meters=dict(self.meters.most_common()),
            meters_from=dict(self.meters_from.most_common()),
            alignments=dict(self.alignments.most_common()),
            off_grid=self.off_grid / max(self.notes, 1),
            losses=dict(self.losses.most_common()),
            spread=spread,
            spread_inside=inside,
        )


def _entropy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in nats (N,) of the distributions that counts (N, places) make."""
    shares = counts / counts.sum(1, keepdims=True)
    entropy: NDArray[np.float64] = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
    return entropy
