"""Statistics of a corpus: its size, density and range, and how well the music fits the grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.data.corpus import Corpus
from zoo.data.piece import Piece
from zoo.music.meter import Meter
from zoo.music.quantise import STILL_PLAYED
from zoo.music.roll import Roll
from zoo.parts.piano import KEYS, LOWEST_KEY


@dataclass(frozen=True)
class Summary:
    """Statistics of some pieces.

    Attributes:
        pieces: number of pieces.
        families: number of families; pieces that share music belong to one family.
        frames: total length.
        notes: number of onsets; None if onsets are unknown.
        polyphony: mean number of sounding keys per frame.
        most: maximum number of sounding keys in a frame.
        silence: share of the frames in which no key sounds.
        lowest: MIDI pitch of the lowest sounding key; None if there is none.
        highest: MIDI pitch of the highest sounding key; None if there is none.
        loudness: mean velocity of the onsets, 1..127; None if velocities are unknown.
        meters: number of pieces by time signature, or list of time signatures.
        meters_from: number of pieces by how their meter was found: stated in the file, heard in its notes,
            annotated in a beat file, or assumed; see `zoo.music.barline.FoundMeter`.
        alignments: number of pieces by how their grid was found; see `zoo.music.align`.
        off_grid: share of the notes that are more than a quarter of a frame off the grid.
        losses: number of notes that reading left out, moved or changed, by kind of loss.
        spread: entropy in nats of the position of onsets in the bar, pooled over all pieces; for the most
            common length of bar. None if onsets are unknown.
        spread_inside: the same within each piece, averaged over notes. If bar lines are correct, both are
            small and similar; their difference is the mutual information of piece and position, which is
            large if bar lines are shifted differently from piece to piece.
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

    @property
    def written(self) -> int | None:
        """Number of notes in the files: those that were read and those that were left out."""
        if self.notes is None:
            return None
        return self.notes + sum(number for kind, number in self.losses.items() if kind not in STILL_PLAYED)


def summarise(corpus: Corpus) -> Summary:
    """Statistics of all pieces of a corpus; one piece is in memory at a time."""
    tally = _Tally()
    for index in range(len(corpus.pieces)):
        tally.add(corpus.roll(index), corpus.pieces[index])
    return tally.summary(corpus.planes)


class _Tally:
    """Counts over the pieces added so far."""

    def __init__(self) -> None:
        self.pieces = self.notes = self.velocity_sum = 0
        self.chord_sizes = np.zeros(KEYS + 1, np.int64)
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
        self.chord_sizes += np.bincount(roll.sounding.sum(1), minlength=KEYS + 1)
        self.keys += roll.sounding.sum(0)
        self.notes += 0 if roll.onset is None else int(roll.onset.sum())
        self.velocity_sum += 0 if roll.velocity is None else int(roll.velocity.sum())

    def _add_places(self, onsets: NDArray[np.int64], meter: Meter) -> None:
        """Count the onsets (T,) of a piece by position in the bar, separately for each length of bar."""
        places = meter.places(np.arange(len(onsets)))
        for length in np.unique(places.length[onsets > 0]):
            in_such_bars = places.length == length
            counts = np.bincount(places.place[in_such_bars], onsets[in_such_bars], minlength=length)
            self.places.setdefault(int(length), []).append(counts.astype(np.float64))

    def _spread(self) -> tuple[float | None, float | None]:
        if not self.places:
            return None, None
        pieces = max(self.places.values(), key=lambda counts: sum(map(np.sum, counts)))
        counts = np.stack(pieces)
        inside = counts.sum(1) @ _entropy(counts) / counts.sum()
        return float(_entropy(counts.sum(0, keepdims=True))[0]), float(inside)

    def summary(self, planes: frozenset[str]) -> Summary:
        frames = int(self.chord_sizes.sum())
        pitches = np.flatnonzero(self.keys) + LOWEST_KEY
        spread, inside = self._spread()
        return Summary(
            pieces=self.pieces,
            families=len(self.families),
            frames=frames,
            notes=self.notes if "onset" in planes else None,
            polyphony=float(self.keys.sum() / max(frames, 1)),
            most=int(np.flatnonzero(self.chord_sizes).max(initial=0)),
            silence=float(self.chord_sizes[0] / max(frames, 1)),
            lowest=int(pitches[0]) if len(pitches) else None,
            highest=int(pitches[-1]) if len(pitches) else None,
            loudness=self.velocity_sum / self.notes if "velocity" in planes and self.notes else None,
            meters=dict(self.meters.most_common()),
            meters_from=dict(self.meters_from.most_common()),
            alignments=dict(self.alignments.most_common()),
            off_grid=self.off_grid / max(self.notes, 1),
            losses=dict(self.losses.most_common()),
            spread=spread,
            spread_inside=inside,
        )


def _entropy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in nats (N,) of the distributions given by counts (N, positions)."""
    shares = counts / counts.sum(1, keepdims=True)
    entropy: NDArray[np.float64] = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
    return entropy
