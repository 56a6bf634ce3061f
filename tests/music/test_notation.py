"""Notation: the notes of a MusicXML file, read back without music21, are those of the roll."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.music.meter import Meter, TimeSignature
from zoo.music.notes import Notes
from zoo.music.roll import Roll
from zoo.music.saving import musicxml_bytes
from zoo.parts.piano import LOWEST_KEY

pytest.importorskip("music21")

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
Sound = tuple[Fraction, Fraction, int]


class Written:
    """A MusicXML file: its notes with ties joined, in frames, and the length of its bars in quarter notes."""

    def __init__(self, content: bytes, grid: int) -> None:
        self.notes: list[Sound] = []
        self.bars: list[Fraction] = []
        self.voices: dict[tuple[int, str], list[tuple[Fraction, Fraction]]] = defaultdict(list)
        self._open: dict[int, Sound] = {}
        self._division = 1
        sounds: list[tuple[Fraction, Fraction, ElementTree.Element]] = []
        begin = Fraction(0)
        (part,) = ElementTree.fromstring(content).iter("part")
        for number, measure in enumerate(part.iter("measure")):
            length = Fraction(0)
            for element, start, end in self._timed(measure):
                length = max(length, end)
                if element.tag == "note" and element.find("chord") is None:
                    self.voices[number, element.findtext("voice", "1")].append((start, end))
                if element.find("pitch") is not None:
                    sounds.append(((begin + start) * grid, (begin + end) * grid, element))
            self.bars.append(length)
            begin += length
        for start, end, element in sorted(sounds, key=lambda sound: sound[:2]):
            self._add(element, start, end)
        assert not self._open, "a tie has no end"

    def _timed(
        self, measure: ElementTree.Element
    ) -> Iterator[tuple[ElementTree.Element, Fraction, Fraction]]:
        place = before = Fraction(0)
        for element in measure:
            self._division = int(element.findtext("divisions", self._division))
            length = Fraction(int(element.findtext("duration", 0)), self._division)
            if element.tag == "backup":
                place -= length
            elif element.find("chord") is not None:
                yield element, before, before + length
            else:
                before = place
                place += length
                yield element, before, place

    def _add(self, element: ElementTree.Element, start: Fraction, end: Fraction) -> None:
        octave = int(element.findtext("pitch/octave", ""))
        alter = int(element.findtext("pitch/alter", "0"))
        pitch = 12 * (octave + 1) + STEPS[element.findtext("pitch/step", "")] + alter
        ties = {tie.get("type") for tie in element.iter("tie")}
        if "stop" in ties:
            begun = self._open.pop(pitch)
            assert begun[1] == start, "a tie leads to a note that is elsewhere"
            start = begun[0]
        if "start" in ties:
            assert pitch not in self._open
            self._open[pitch] = (start, end, pitch)
        else:
            self.notes.append((start, end, pitch))


def of(notes: Notes) -> list[Sound]:
    columns = (notes.start, notes.end, notes.key + LOWEST_KEY)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def polyphonic(meter: Meter, seed: int, notes: int = 30) -> Roll:
    """Random notes that overlap in all ways."""
    draw = np.random.default_rng(seed)
    frames = 12 * meter.grid
    start = draw.integers(0, frames - 1, notes)
    end = np.minimum(start + draw.integers(1, 4 * meter.grid, notes), frames)
    key = draw.integers(20, 60, notes)
    velocity = np.full(notes, 64, np.uint8)
    return Roll.from_notes(Notes(start, end, key, velocity), frames, meter=meter)


@pytest.mark.parametrize("grid", [1, 4, 6, 12, 13, 48])
@pytest.mark.parametrize("signature", [(4, 4), (3, 4), (6, 8), (7, 8)])
def test_notes_that_overlap_are_written_at_their_places(grid: int, signature: tuple[int, int]) -> None:
    roll = polyphonic(Meter.of(*signature, grid=grid), seed=grid)
    written = Written(musicxml_bytes(roll, "new"), grid)
    assert sorted(written.notes) == of(roll.notes())
    assert set(written.bars) == {Fraction(4 * signature[0], signature[1])}


@pytest.mark.parametrize(
    "meter",
    [
        Meter.of(offset=12),
        Meter.of(3, 4, offset=7, grid=12),  # no time signature is as short as this upbeat
        Meter(4, (TimeSignature(0, 4, 4), TimeSignature(16, 6, 8), TimeSignature(25, 2, 4))),
        Meter.of(3, 8, grid=1),  # bar lines between two frames
    ],
    ids=str,
)
def test_notes_are_at_their_places_after_upbeats_and_changes_of_meter(meter: Meter) -> None:
    roll = polyphonic(meter, seed=1)
    written = Written(musicxml_bytes(roll, "new"), meter.grid)
    assert sorted(written.notes) == of(roll.notes())


def test_more_notes_than_voices_are_tied_in_the_last_of_four() -> None:
    """Notation programs have four voices on a staff."""
    count = 20
    start = np.arange(count)
    notes = Notes(start, start + count, 20 + start, np.full(count, 64, np.uint8))
    written = Written(musicxml_bytes(Roll.from_notes(notes), "new"), 4)
    assert sorted(written.notes) == of(notes)
    assert {voice for _, voice in written.voices} == {"1", "2", "3", "4"}


def test_notes_of_a_voice_do_not_overlap() -> None:
    roll = polyphonic(Meter.of(), seed=3, notes=100)
    written = Written(musicxml_bytes(roll, "new"), 4)
    assert max(len(places) for places in written.voices.values()) > 1
    for places in written.voices.values():
        ends = [end for _, end in sorted(places)]
        assert all(start >= end for (start, _), end in zip(sorted(places)[1:], ends, strict=False))


def test_chords_and_single_lines_need_one_voice() -> None:
    notes = Notes(np.array([0, 0, 4]), np.array([4, 4, 8]), np.array([39, 43, 41]), np.full(3, 64, np.uint8))
    written = Written(musicxml_bytes(Roll.from_notes(notes), "new"), 4)
    assert sorted(written.notes) == of(notes)
    assert [voice for _, voice in written.voices] == ["1"]


def test_silence_is_bars_of_rest() -> None:
    written = Written(musicxml_bytes(Roll.from_notes(polyphonic(Meter.of(), 0, 0).notes(), 40), "new"), 4)
    assert written.notes == []
    assert written.bars == [4, 4, 4]


def test_durations_without_note_values_are_an_error() -> None:
    with pytest.raises(UsageError, match="grid of 17 frames"):
        musicxml_bytes(polyphonic(Meter.of(grid=17), seed=0), "new")


def test_a_score_is_at_the_pitch_that_sounds() -> None:
    """A clarinet is written a tone higher in its part."""
    roll = polyphonic(Meter.of(), seed=2)
    assert sorted(Written(musicxml_bytes(roll, "new", 71), 4).notes) == of(roll.notes())
