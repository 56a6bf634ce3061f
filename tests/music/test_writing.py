"""The contents of written files, as read by mido."""

from fractions import Fraction

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import Notes, Roll
from zoo.music.writing import write_midi


def written(tmp_path, **roll):
    """Write a roll with one note of one frame, and read the file with mido."""
    ones = np.array([1])
    notes = Notes(ones - 1, ones, ones + 38, ones.astype(np.uint8))
    whole = Roll.from_notes(notes, roll.pop("frames", 0), meter=roll.pop("meter", None))
    path = tmp_path / "piece.mid"
    write_midi(Roll(whole.onset, whole.sounding, whole.velocity, meter=whole.meter, **roll), path)
    return mido.MidiFile(path)


def signatures(midi):
    tick, changes = 0, []
    for message in midi.tracks[0]:
        tick += message.time
        if message.type == "time_signature":
            changes.append((Fraction(tick, midi.ticks_per_beat), message.numerator, message.denominator))
    return changes


def test_the_bytes_of_a_file_do_not_change(tmp_path):
    key = np.array([39, 39, 43])
    notes = Notes(np.array([0, 4, 4]), np.array([4, 8, 6]), key, np.array([64, 80, 90], np.uint8))
    Roll.from_notes(notes, tempo=97).write(tmp_path / "piece.mid")
    assert (tmp_path / "piece.mid").read_bytes() == (
        b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0"
        b"MTrk\x00\x00\x00\x13\x00\xffQ\x03\tp=\x00\xffX\x04\x04\x02\x18\x08\x01\xff/\x00"
        b"MTrk\x00\x00\x00&\x00\xff\x03\x05Piano\x00\xc0\x00\x00\x90<@\x83`<\x00\x00<P\x00@Z\x81p@\x00\x81p<\x00"
        b"\x01\xff/\x00"
    )


@pytest.mark.parametrize(
    ("meter", "expected"),
    [
        (Meter.of(3, 4), [(0, 3, 4)]),
        (Meter.of(6, 8), [(0, 6, 8)]),
        (Meter.of(4, 4, offset=12), [(0, 1, 4), (1, 4, 4)]),
        (Meter.of(3, 4, offset=10), [(0, 1, 8), (Fraction(1, 2), 3, 4)]),
        (Meter.of(6, 8, offset=10), [(0, 1, 8), (Fraction(1, 2), 6, 8)]),
        (Meter.of(2, 2, offset=8), [(0, 1, 2), (2, 2, 2)]),
        (Meter.of(4, 4, offset=44, grid=12), [(0, 4, 4), (Fraction(1, 3), 4, 4)]),
        (Meter(4, (TimeSignature(-4, 3), TimeSignature(8, 5, 8))), [(0, 2, 4), (2, 5, 8)]),
        (Meter(4, (TimeSignature(), TimeSignature(32, 3))), [(0, 4, 4), (8, 3, 4)]),
    ],
)
def test_time_signatures_are_written_at_their_bar_lines(tmp_path, meter, expected):
    assert signatures(written(tmp_path, meter=meter, frames=40)) == expected


def test_the_meter_after_the_end_is_not_written(tmp_path):
    meter = Meter(4, (TimeSignature(), TimeSignature(32, 3)))
    assert signatures(written(tmp_path, meter=meter, frames=32)) == [(0, 4, 4)]
    upbeat = Meter(4, (TimeSignature(-4, 3), TimeSignature(8, 5, 8)))
    assert signatures(written(tmp_path, meter=upbeat)) == [(0, 2, 4), (2, 5, 8)]


@pytest.mark.parametrize("grid", [1, 2, 3, 4, 5, 7, 12, 24, 46, 47, 48])
def test_frames_are_whole_ticks_on_every_grid(tmp_path, grid):
    midi = written(tmp_path, meter=Meter.of(grid=grid), frames=3 * grid)
    assert midi.ticks_per_beat % grid == 0
    pressed = [message.time for message in midi.tracks[1] if message.type == "note_on"]
    assert pressed == [0, midi.ticks_per_beat // grid]


def test_the_track_ends_after_the_silence(tmp_path):
    midi = written(tmp_path, frames=32)
    assert sum(message.time for message in midi.tracks[1]) == 32 * 120
    assert sum(message.time for message in written(tmp_path).tracks[1]) == 121


@given(st.lists(st.integers(1, 2**24 - 1), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_tempo_changes_are_written_at_their_frames(tmp_path_factory, tempos):
    changes = tuple((8 * turn, 6e7 / tempo) for turn, tempo in enumerate(tempos))
    midi = written(tmp_path_factory.getbasetemp(), tempo_changes=changes, frames=999)
    tick, written_changes = 0, []
    for message in midi.tracks[0]:
        tick += message.time
        if message.type == "set_tempo":
            written_changes.append((tick, message.tempo))
    assert written_changes == [(960 * turn, tempo) for turn, tempo in enumerate(tempos)]


@pytest.mark.parametrize(("tempo", "expected"), [(1e9, 1), (1e-9, 2**24 - 1), (97, 618557)])
def test_a_tempo_out_of_range_is_clipped(tmp_path, tempo, expected):
    midi = written(tmp_path, tempo=tempo)
    assert [message.tempo for message in midi.tracks[0] if message.type == "set_tempo"] == [expected]


def test_a_roll_can_be_converted_to_pretty_midi() -> None:
    notes = Notes(
        *(np.array(column) for column in ([0, 4, 8], [4, 8, 16], [39, 43, 46])), np.full(3, 70, np.uint8)
    )
    played = Roll.from_notes(notes, tempo=90.0, meter=Meter.of(3, 4)).pretty_midi()
    assert [(note.pitch, note.velocity) for note in played.instruments[0].notes] == [
        (60, 70),
        (64, 70),
        (67, 70),
    ]
    assert [str(signature).split()[0] for signature in played.time_signature_changes] == ["3/4"]
    assert played.get_end_time() == pytest.approx(4 * 60 / 90)
