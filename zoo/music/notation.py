"""Notation: the notes of a roll in bars and voices, as a score of music21.

A voice is a sequence of notes and chords that do not overlap. Notes that begin and end together are a chord;
other notes that sound at the same time are in different voices. Notes are cut at bar lines and tied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from fractions import Fraction
from io import StringIO
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

from zoo.music.writing import signatures, track_name
from zoo.parts.piano import LOWEST_KEY

if TYPE_CHECKING:
    from zoo.music.meter import TimeSignature
    from zoo.music.roll import Roll

VOICES = 4
"""Maximum number of voices: notation programs have four on a staff."""


@dataclass(frozen=True)
class Bar:
    """A bar of a score, in frames; a bar line may be between two frames.

    Attributes:
        line: its first bar line.
        end: the next bar line.
        signature: the time signature that is written at its beginning; None if it is that of the bar before.
    """

    line: Fraction
    end: Fraction
    signature: TimeSignature | None


@dataclass(frozen=True)
class Tied:
    """A note or a part of one, in frames.

    Attributes:
        start: where it begins.
        end: where it ends.
        pitch: MIDI pitch.
        velocity: 1..127.
        tied_before: whether it continues a part before it.
        tied_after: whether a part after it continues it.
    """

    start: Fraction
    end: Fraction
    pitch: int
    velocity: int
    tied_before: bool = False
    tied_after: bool = False

    def cut(self, places: Iterable[Fraction]) -> Iterator[Tied]:
        """Its parts between places, which are sorted; those outside the note are ignored."""
        inside = [place for place in places if self.start < place < self.end]
        for start, end in pairwise([self.start, *inside, self.end]):
            before, after = start > self.start or self.tied_before, end < self.end or self.tied_after
            yield replace(self, start=start, end=end, tied_before=before, tied_after=after)


def score(roll: Roll, instrument: int) -> Any:
    """The roll as a `music21.stream.Score` of one part, which is ready to be written as it is.

    music21 would add rests to bars that are cut short, if it prepared the score itself.

    Args:
        roll: the music.
        instrument: General MIDI program, 0..127.
    """
    from music21 import instrument as instruments
    from music21 import stream

    part = stream.Part()  # type: ignore[no-untyped-call]
    sound = instruments.instrumentFromMidiProgram(instrument)
    sound.transposition = None  # at the pitch that sounds
    part.partName = sound.partName = track_name(instrument)
    part.insert(0, sound)
    tempos = roll.tempo_changes or ((0, roll.tempo),)
    bars = list(_bars(roll))
    held: dict[int, int] = {}
    for number, (bar, notes) in enumerate(zip(bars, _by_bar(roll, bars), strict=True), start=1):
        marks = [(frame, tempo) for frame, tempo in tempos if bar.line <= frame < bar.end]
        voices = _voices(notes, held)
        held = _held(voices, bar.end)
        measure = _measure(bar, voices, marks, roll.meter.grid)
        measure.number = number
        part.insert(_quarters(bar.line, roll.meter.grid), measure)
    _finish(part)
    return stream.Score([part])


def _finish(part: Any) -> None:
    """Add what depends on the notes of a part: clef, accidentals, beams, tuplets and the final bar line."""
    from music21 import clef, stream

    part.splitAtDurations(recurse=True)
    part.makeAccidentals(inPlace=True)
    with redirect_stderr(StringIO()):  # music21 prints which beams it has improved
        part.makeBeams(inPlace=True)
    for voice in part.recurse().getElementsByClass(stream.Voice):
        stream.makeNotation.makeTupletBrackets(voice, inPlace=True)
    measures = part.getElementsByClass(stream.Measure)
    measures.first().clef = clef.bestClef(part, recurse=True)
    measures.last().rightBarline = "final"


def _bars(roll: Roll) -> Iterator[Bar]:
    """The bars of the MIDI file of the roll: a change of the time signature cuts a bar short."""
    changes = list(signatures(roll.meter, roll.frames))
    ends = [*(change.frame for change in changes[1:]), None]
    for change, end in zip(changes, ends, strict=True):
        length = change.bar(roll.meter.grid)
        for number in count():
            line = change.frame + number * length
            if number and line >= (roll.frames if end is None else end):
                break
            following = line + length if end is None else min(line + length, Fraction(end))
            yield Bar(line, following, None if number else change)


def _by_bar(roll: Roll, bars: Sequence[Bar]) -> Iterator[list[Tied]]:
    """The notes in each bar, cut at the bar lines."""
    table = roll.notes()
    columns = (table.start, table.end, table.key + LOWEST_KEY, table.velocity)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    later = iter([Tied(Fraction(start), Fraction(end), *rest) for start, end, *rest in rows])
    held, following = [], next(later, None)
    for bar in bars:
        while following and following.start < bar.end:
            held.append(following)
            following = next(later, None)
        parts = [list(note.cut([bar.end])) for note in held]
        yield [first for first, *_ in parts]
        held = [rest for _, *rests in parts for rest in rests]


def _voices(notes: Sequence[Tied], before: Mapping[int, int]) -> list[list[list[Tied]]]:
    """The `VOICES` voices of a bar as lists of chords, of which some may be empty; higher notes come first.

    A note that is tied to the bar before stays in its voice if that is free. What does not fit into the
    first voices is in the last one, where chords are cut and tied at each change.

    Args:
        notes: the notes of the bar.
        before: the voice of each pitch that is held over the bar line before it.
    """
    chords = defaultdict(list)
    for note in notes:
        chords[note.start, note.end, before[note.pitch] if note.tied_before else None].append(note)
    voices: list[list[list[Tied]]] = [[] for _ in range(VOICES)]
    for chord in sorted(chords.values(), key=_order):
        first = chord[0]
        free = [n for n, voice in enumerate(voices[:-1]) if not voice or voice[-1][0].end <= first.start]
        same = before.get(first.pitch) if first.tied_before else None
        voices[same if same in free else next(iter(free), VOICES - 1)].append(chord)
    return [*voices[:-1], _one_voice(voices[-1])]


def _order(chord: Sequence[Tied]) -> tuple[Fraction, bool, int]:
    return chord[0].start, not chord[0].tied_before, -max(note.pitch for note in chord)


def _held(voices: Sequence[Sequence[Sequence[Tied]]], line: Fraction) -> dict[int, int]:
    """The voice of each pitch that is held over a bar line."""
    return {
        note.pitch: number
        for number, voice in enumerate(voices)
        for chord in voice
        for note in chord
        if note.tied_after and note.end == line
    }


def _one_voice(chords: Sequence[Sequence[Tied]]) -> list[list[Tied]]:
    """Chords that overlap as a sequence of chords, cut wherever one begins or ends."""
    places = sorted({place for (note, *_) in chords for place in (note.start, note.end)})
    sounding = defaultdict(list)
    for chord in chords:
        for note in chord:
            for part in note.cut(places):
                sounding[part.start].append(part)
    return [sounding[place] for place in sorted(sounding)]


def _measure(
    bar: Bar, voices: Sequence[Sequence[Sequence[Tied]]], tempos: Sequence[tuple[int, float]], grid: int
) -> Any:
    """A bar as a `music21.stream.Measure`."""
    from music21 import meter, stream, tempo

    measure = stream.Measure()
    if bar.signature:
        measure.insert(0, meter.TimeSignature(f"{bar.signature.beats}/{bar.signature.unit}"))
    for frame, speed in tempos:
        measure.insert(_quarters(frame - bar.line, grid), tempo.MetronomeMark(number=round(speed, 2)))
    used = [number for number, voice in enumerate(voices) if voice] or [0]
    for number in used:
        elements = list(_sequence(bar, voices[number], grid))
        for element in elements:  # only one voice has rests; those of the others are gaps
            element.style.hideObjectOnPrint = number != used[0] and element.isRest
        measure.insert(0, stream.Voice(elements, id=str(number + 1)))
    return measure


def _sequence(bar: Bar, voice: Sequence[Sequence[Tied]], grid: int) -> Iterator[Any]:
    """The chords of a voice and the rests between them, from bar line to bar line."""
    from music21 import note

    place = bar.line
    for chord in voice:
        if chord[0].start > place:
            yield note.Rest(_quarters(chord[0].start - place, grid))
        yield _chord(chord, grid)
        place = chord[0].end
    if place < bar.end:
        yield note.Rest(_quarters(bar.end - place, grid))


def _chord(tied: Sequence[Tied], grid: int) -> Any:
    """A note or a chord of music21."""
    from music21 import chord, note, tie

    length = _quarters(tied[0].end - tied[0].start, grid)
    heads = []
    for part in tied:
        head = note.Note(part.pitch, quarterLength=length)
        head.volume.velocity = part.velocity
        if part.tied_before or part.tied_after:
            ends = "stop" if part.tied_before else "start"
            kind = "continue" if part.tied_before and part.tied_after else ends
            head.tie = tie.Tie(kind)  # type: ignore[no-untyped-call]
        heads.append(head)
    return heads[0] if len(heads) == 1 else chord.Chord(heads)


def _quarters(frames: Fraction | int, grid: int) -> Fraction:
    return Fraction(frames) / grid
