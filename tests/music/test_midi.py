import os
import random
from dataclasses import replace

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zoo.errors import ZooError
from zoo.music.guard import MidiError
from zoo.music.meter import Meter, TimeSignature
from zoo.music.midi import examine_bytes, examine_midi, read_midi
from zoo.music.roll import Notes, Roll
from zoo.music.tempo import tempo_map
from zoo.parts.piano import KEYS, LOWEST_KEY

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "200"))
"""Number of examples for each property; set `ZOO_STRESS_EXAMPLES=100000` for a stress test."""


def notes_of(rows):
    start, length, key, velocity = np.array(list(rows), dtype=np.int64).reshape(-1, 4).T
    return Notes(start, start + length, key, velocity.astype(np.uint8))


def rows_of(notes):
    columns = (notes.start, notes.end, notes.key, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def same(first, second):
    planes = ("onset", "sounding", "velocity")
    return all(np.array_equal(getattr(first, plane), getattr(second, plane)) for plane in planes)


rows = st.tuples(st.integers(0, 99), st.integers(0, 20), st.integers(0, KEYS - 1), st.integers(1, 127))
crowded = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(40, 42), st.integers(1, 127))
scores = st.one_of(st.lists(rows, min_size=1, max_size=60), st.lists(crowded, min_size=1, max_size=60))


@given(rows=scores, tempo=st.floats(4, 1000))
@settings(max_examples=EXAMPLES, deadline=None)
def test_notes_are_restored_from_a_file(tmp_path_factory, rows, tempo):
    roll = Roll.from_notes(notes_of(rows), tempo=tempo)
    path = tmp_path_factory.getbasetemp() / "piece.mid"
    roll.write(path)
    restored = read_midi(path)
    assert same(roll, restored)
    assert restored.tempo == pytest.approx(roll.tempo, rel=1e-4)
    first = path.read_bytes()
    restored.write(path)
    assert path.read_bytes() == first


@st.composite
def meters(draw):
    """A meter on any grid: whole bars, optionally after an upbeat, with changes at bar lines."""
    grid = draw(st.integers(1, 48))
    kinds = [(beats, unit) for unit in (2, 4, 8, 16) for beats in range(1, 14)]
    fitting = [kind for kind in kinds if 4 * grid * kind[0] % kind[1] == 0]
    sections = st.lists(st.tuples(st.sampled_from(fitting), st.integers(2, 4)), min_size=1, max_size=4)
    changes, frame = [], 0
    for (beats, unit), bars in draw(sections):
        length = TimeSignature(0, beats, unit).bar(grid)
        if not changes:
            frame = -draw(st.integers(0, int(length) - 1))
        if not changes or (changes[-1].beats, changes[-1].unit) != (beats, unit):
            changes.append(TimeSignature(frame, beats, unit))
        frame += bars * int(length)
    assume(
        max(change.bar(grid) for change in changes) > grid
    )  # a meter with only very short bars is read as 4/4
    return Meter(grid, tuple(changes))


tempos = st.lists(st.tuples(st.integers(0, 99), st.integers(1, 2**24 - 1)), max_size=5).map(sorted)


@given(rows=scores, meter=meters(), events=tempos, rest=st.integers(0, 64))
@settings(max_examples=EXAMPLES, deadline=None)
def test_meter_grid_and_tempo_are_restored_from_a_file(tmp_path_factory, rows, meter, events, rest):
    last = meter.changes[-1].frame + 30 * meter.grid  # a bar has at most 26 quarter notes
    roll = Roll.from_notes(notes_of([*rows, (last, 1, 40, 64)]), meter=meter)
    mean, changes = tempo_map(events, roll.frames)
    roll = replace(roll, tempo=mean, tempo_changes=changes)
    path = tmp_path_factory.getbasetemp() / "metrical.mid"
    roll.padded(roll.frames + rest).write(path)
    restored = read_midi(path, grid=meter.grid)
    assert same(roll, restored)
    assert restored.meter == meter
    assert (restored.tempo, restored.tempo_changes) == (mean, changes)
    assert read_midi(path, grid=meter.grid, rest=True).frames == roll.frames + rest
    first = path.read_bytes()
    restored.padded(roll.frames + rest).write(path)
    assert path.read_bytes() == first


@given(rows=scores)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_roll_is_equivalent_to_its_notes(rows):
    roll = Roll.from_notes(notes_of(rows))
    notes = roll.notes()
    assert same(roll, Roll.from_notes(notes))
    assert roll.onset is not None
    assert roll.velocity is not None
    assert np.array_equal(roll.velocity > 0, roll.onset)
    assert not (roll.onset & ~roll.sounding).any()
    pressed = {(start, key) for start, _, key, _ in rows}
    assert {(start, key) for start, _, key, _ in rows_of(notes)} == pressed
    for start, end, key, velocity in rows_of(notes):
        here = [row for row in rows if (row[0], row[2]) == (start, key)]
        held = max(first + length for first, length, k, _ in rows if k == key and first <= start)
        longest = max(start + 1, held)
        next_press = min((onset for onset, k in pressed if k == key and onset > start), default=longest)
        assert (end, velocity) == (min(longest, next_press), max(row[3] for row in here))


def test_a_roll_without_onsets_or_velocities_has_notes():
    sounding = np.zeros((8, KEYS), dtype=np.bool_)
    sounding[2:5, 40] = sounding[6:8, 40] = True
    assert rows_of(Roll(None, sounding).notes()) == [(2, 5, 40, 64), (6, 8, 40, 64)]


def performance(path, resolution):
    """Write a file of three tracks (one of drums) with many tempo changes; its expected notes on the grid."""
    rng = random.Random(resolution)
    tempos = {rng.randrange(1, 99 * resolution): rng.randrange(200_000, 2_000_000) for _ in range(50)}
    events = [[(tick, mido.MetaMessage("set_tempo", tempo=tempo)) for tick, tempo in tempos.items()]]
    rows = []
    for channel in (0, 1, 9):
        events.append([])
        for pitch in range(15, 115):
            tick, length = rng.randrange(99 * resolution), rng.randrange(resolution // 4, 5 * resolution)
            velocity = rng.randint(1, 127)
            for at, loudness in ((tick, velocity), (tick + length, 0)):
                message = mido.Message("note_on", channel=channel, note=pitch, velocity=loudness)
                events[-1].append((at, message))
            if channel != 9 and 0 <= pitch - LOWEST_KEY < KEYS:
                start, end = (int(4 * at / resolution + 0.5) for at in (tick, tick + length))
                rows.append((start, end - start, pitch - LOWEST_KEY, velocity))
    midi = mido.MidiFile(ticks_per_beat=resolution)
    for track in events:
        now, messages = 0, mido.MidiTrack()
        for tick, message in sorted(track, key=lambda event: event[0]):
            messages.append(message.copy(time=tick - now))
            now = tick
        midi.tracks.append(messages)
    midi.save(path)
    return rows


@pytest.mark.parametrize("resolution", [24, 96, 100, 220, 480, 960, 10080])
def test_the_grid_does_not_depend_on_tempo_changes(tmp_path, resolution):
    path = tmp_path / "performance.mid"
    rows = performance(path, resolution)
    reading = examine_midi(path)
    assert same(reading.roll, Roll.from_notes(notes_of(rows)))
    assert reading.left_out == {"drums": 100, "outside the 88 keys": 24}
    assert reading.repairs == {}
    # at its mean tempo, the piece has the duration of the performance
    seconds = pretty_midi.PrettyMIDI(str(path)).get_end_time()
    assert 60 * reading.roll.frames / 4 / reading.roll.tempo == pytest.approx(seconds, rel=0.02)


def test_every_press_in_real_music_is_in_the_roll_or_counted(shared):
    files = sorted((shared / "data").glob("*/**/*.mid"))
    assert files
    for path in files[:: len(files) // 12]:
        messages = [message for track in mido.MidiFile(path).tracks for message in track]
        presses = [m for m in messages if m.type == "note_on" and m.velocity and m.channel != 9]
        reading = examine_midi(path)
        lost = sum(reading.losses.get(reason, 0) for reason in ("struck again", "doubled"))
        assert len(presses) == len(reading.roll.notes()) + lost + sum(reading.left_out.values())


def test_silence_can_be_written_but_not_read(tmp_path):
    path = tmp_path / "silence.mid"
    Roll.from_notes(Notes.none(), frames=16).write(path)
    assert pretty_midi.PrettyMIDI(str(path)).instruments == []
    with pytest.raises(MidiError, match="no notes") as caught:
        read_midi(path)
    assert caught.value.code == "no-notes"


def test_the_error_names_a_missing_folder(tmp_path):
    with pytest.raises(ZooError, match="missing"):
        Roll.from_notes(Notes.none()).write(tmp_path / "missing" / "piece.mid")


def assert_read_or_rejected(content):
    try:
        roll = examine_bytes(content, "fuzz.mid").roll
    except MidiError:
        return
    assert len(roll.notes()) > 0


digits = st.integers(0, 255)
numbers = st.one_of(st.integers(0, 127).map(lambda n: bytes([n])), st.binary(max_size=5))
events = st.one_of(
    st.tuples(numbers, st.integers(0x80, 0x9F), digits, digits).map(lambda e: e[0] + bytes(e[1:])),
    st.tuples(numbers, digits, st.binary(max_size=4)).map(lambda e: e[0] + bytes([e[1]]) + e[2]),
    st.tuples(numbers, digits, digits, st.binary(max_size=6)).map(
        lambda e: e[0] + bytes([0xFF, e[1], e[2] % 8]) + e[3]
    ),
)
tracks = st.lists(events, max_size=20).map(b"".join)
chunks = st.tuples(st.sampled_from([b"MTrk"] * 9 + [b"XFIH"]), tracks, st.sampled_from([0] * 9 + [-1, 1, 99]))


@st.composite
def files(draw):
    """Almost valid MIDI: the chunks are mostly valid, their contents mostly are not."""
    content = draw(st.lists(chunks, max_size=4))
    head = [
        draw(st.sampled_from([1, 1, 1, 0, 2])),
        len(content),
        draw(st.sampled_from([480, 1, 96, 32767, 0, 60000])),
    ]
    words = b"MThd\0\0\0\6" + b"".join(word.to_bytes(2) for word in head)
    for name, body, wrong in content:
        words += name + max(len(body) + wrong, 0).to_bytes(4) + body
    return words


@given(
    st.one_of(
        files(), st.binary(max_size=200), st.binary(max_size=200).map(lambda end: b"MThd\0\0\0\6" + end)
    )
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_bytes_are_read_or_rejected(content):
    assert_read_or_rejected(content)


@given(rows=scores, changes=st.lists(st.tuples(st.integers(0), digits, st.integers(0, 2)), max_size=5))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_damaged_file_is_read_or_rejected(tmp_path_factory, rows, changes):
    path = tmp_path_factory.getbasetemp() / "damaged.mid"
    Roll.from_notes(notes_of(rows)).write(path)
    content = bytearray(path.read_bytes())
    for at, byte, width in changes:
        at %= len(content)
        content[at : at + width] = bytes([byte])
    assert_read_or_rejected(bytes(content))
