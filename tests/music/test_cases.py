"""Small files, read from their bytes to notes on the grid.

The first half needs the reference data next to the repository; the second half creates its own files.
"""

import csv
import io

import mido
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.music.guard import MidiError
from zoo.music.midi import examine_bytes, examine_midi, read_midi
from zoo.parts.piano import KEYS, LOWEST_KEY

C4, D4, E4, G4, A4, D5 = 60, 62, 64, 67, 69, 74
PAIR = [(0, 4, C4), (4, 8, D4)]
"""C4 for a quarter note, then D4 for one."""

NOTES = {
    "overlap_same_pitch_fifo.mid": [(0, 4, C4), (4, 16, C4)],
    "art_of_fugue_ononoffoff.mid": [(0, 8, A4), (8, 12, D5), (8, 24, A4)],
    "unison_zero_plus_held.mid": PAIR,
    "two_tracks_unison.mid": [(0, 8, C4), (8, 16, C4)],
    "never_released_end.mid": [(0, 4, C4), (4, 16, E4)],
    "cc123.mid": [(0, 4, C4), (0, 4, E4), (4, 8, G4)],
    "on_off_across_tracks.mid": PAIR,
    "ntrks_less.mid": [(0, 4, C4), (0, 4, E4), (4, 8, D4)],
    "ntrks_more.mid": PAIR,
    "pan_ntrks_unknown_chunk_counted.mid": PAIR,
    "len_too_long_last.mid": PAIR,
    "len_too_long_first.mid": [(0, 4, C4), (0, 4, E4), (4, 8, D4)],
    "len_ffffffff.mid": PAIR,
    "missing_last_byte.mid": PAIR,
    "odd_pad_between.mid": [(0, 4, C4), (0, 4, E4)],
    "riff.rmi": PAIR,
    "format2_single.mid": PAIR,
    "velocity_bad.mid": PAIR,
    "drums_gs11.mid": PAIR,
    "ch10_melodic_gm2.mid": PAIR,
    "sfx_programs.mid": PAIR,
    "grace.mid": [(0, 4, 59), (3, 4, 61), (4, 8, D4)],
    "thirtyseconds.mid": [(frame, frame + 1, C4) for frame in range(8)],
    "trill32.mid": [(frame, frame + 1, pitch) for frame in range(8) for pitch in (C4, D4)],
    "two_keys_one_frame.mid": [(0, 1, C4), (0, 1, D4), (0, 1, E4), (0, 1, 65), (1, 4, G4)],
    "chorale_upbeat_ts.mid": [(0, 4, C4), (4, 20, D4)],
}
"""(first frame, frame after the last, pitch) of every note."""

METERS = {
    "chorale_upbeat_ts.mid": ("4/4", 12),
    "waltz.mid": ("3/4", 0),
    "threefour.mid": ("3/4", 0),
}
"""Time signature, and the number of frames missing from the first bar."""

REPORTED_IN = {
    "never_released_end.mid": "repairs",
    "velocity_bad.mid": "repairs",
    "ntrks_more.mid": "repairs",
    "len_ffffffff.mid": "repairs",
    "drums_gs11.mid": "left_out",
    "sfx_programs.mid": "left_out",
    "grace.mid": "losses",
    "trill32.mid": "losses",
    "thirtyseconds.mid": "losses",
}
"""The attribute of the reading that reports a fault in the file."""


def rows(roll):
    notes = roll.notes()
    columns = (notes.start, notes.end, notes.key + LOWEST_KEY)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.fixture(scope="module")
def cases(shared):
    return shared / "cases" / "reading"


@pytest.mark.parametrize("name", NOTES)
def test_a_case_has_the_expected_notes(cases, name):
    assert rows(read_midi(cases / name)) == sorted(NOTES[name])


@pytest.mark.parametrize("name", METERS)
def test_a_case_has_the_expected_bars(cases, name):
    meter = read_midi(cases / name).meter
    assert (str(meter), meter.offset) == METERS[name]


@pytest.mark.parametrize("name", REPORTED_IN)
def test_a_case_reports_its_faults(cases, name):
    assert sum(getattr(examine_midi(cases / name), REPORTED_IN[name]).values()) > 0


def test_all_cases_are_read_or_rejected(cases):
    """Every listed MIDI file is read, or rejected with its own message."""
    with (cases / "cases.tsv").open(encoding="utf-8") as table:
        names = [row["file"] for row in csv.DictReader(table, delimiter="\t")]
    midi = [name for name in names if name.endswith((".mid", ".rmi", ".gz"))]
    assert set(NOTES) | set(METERS) | set(REPORTED_IN) <= set(midi)
    messages = {}
    for name in midi:
        try:
            roll = read_midi(cases / name)
        except MidiError as error:
            messages[name] = error.what
        else:
            assert roll.onset is not None
            assert not (roll.onset & ~roll.sounding).any()
    rejected = {"gz.mid.gz", "clip2.mid", "leading_junk.mid", "five_byte_vlq.mid", "smpte25.mid"}
    assert set(messages) <= rejected | {"stray_far.mid"}
    assert len(set(messages.values())) == len(messages)


def test_a_note_without_length_does_not_sound_for_bars(cases):
    notes = rows(read_midi(cases / "zero_off_first.mid"))
    assert [note for note in notes if note[0] == 16] == [(16, 20, C4)]
    assert all(end <= 1 or end == 16 for start, end, _ in notes if start == 0)


def test_a_rest_at_the_end_is_read_on_request(cases):
    assert read_midi(cases / "primer_rest.mid").frames == 20
    assert read_midi(cases / "primer_rest.mid", rest=True).frames == 32


def test_a_late_file_is_shifted_onto_its_grid(cases):
    reading = examine_midi(cases / "constant_phase.mid")
    assert reading.roll.onset is not None
    struck = reading.roll.onset.sum(axis=1)
    assert sorted(set(struck[struck > 0].tolist())) == [4]
    assert (struck > 0).sum() == 64
    assert reading.alignment == "shifted"
    assert reading.off_grid == 0


def test_a_held_note_is_not_cut_by_another_voice(cases):
    roll = read_midi(cases / "held_in_unison.mid")
    assert roll.frames == 64
    assert roll.sounding[:, C4 - LOWEST_KEY].all()
    assert roll.onset is not None
    assert roll.onset[:, C4 - LOWEST_KEY].sum() > 2


def file_of(*tracks, meta=(), end=0, division=480):
    """The content of a file: a track of (tick, meta message), then tracks of (start, end, pitch) in ticks."""
    midi = mido.MidiFile(ticks_per_beat=division)
    for number, notes in enumerate((meta, *tracks)):
        events = list(notes)
        if number:
            events = [(tick, mido.Message("note_on", note=pitch, velocity=80)) for tick, _, pitch in notes]
            events += [(tick, mido.Message("note_off", note=pitch)) for _, tick, pitch in notes]
        events.sort(key=lambda event: (event[0], event[1].type == "note_on"))
        now, track = 0, mido.MidiTrack()
        for tick, message in events:
            track.append(message.copy(time=tick - now))
            now = tick
        track.append(mido.MetaMessage("end_of_track", time=max(end - now, 0)))
        midi.tracks.append(track)
    content = io.BytesIO()
    midi.save(file=content)
    return content.getvalue()


def signature(tick, beats, unit):
    return tick, mido.MetaMessage("time_signature", numerator=beats, denominator=unit)


def read(*tracks, grid=4, **how):
    return examine_bytes(file_of(*tracks, **how), "made.mid", grid=grid)


def quarters(bars, beats):
    """A low note on each downbeat and high notes on the other beats."""
    return [
        (480 * (bar * beats + beat), 480 * (bar * beats + beat) + 480, 60 if beat else 36)
        for bar in range(bars)
        for beat in range(beats)
    ]


def test_a_voice_holds_its_key_through_notes_of_another_voice():
    long, short = [(0, 1920, 60)], [(480, 600, 60), (960, 1080, 60)]
    assert rows(read(long, short).roll) == [(0, 4, 60), (4, 8, 60), (8, 16, 60)]
    assert rows(read(long, [(0, 120, 60)]).roll) == [(0, 16, 60)]


def test_notes_that_do_not_fit_the_grid_are_counted():
    trill = [(60 * turn, 60 * turn + 60, 60 + 2 * (turn % 2)) for turn in range(16)]
    reading = read(trill)
    assert (reading.roll.frames, reading.losses) == (8, {"merged": 8, "moved": 8})
    assert reading.off_grid == 0.5
    finer = read(trill, grid=8)
    assert (finer.roll.frames, finer.losses, finer.off_grid) == (16, {}, 0)


def test_a_grace_note_does_not_coincide_with_its_main_note():
    reading = read([(0, 440, 59), (440, 480, 61), (480, 960, 62)])
    assert rows(reading.roll) == [(0, 4, 59), (3, 4, 61), (4, 8, 62)]
    assert reading.losses["grace notes"] == 1


@pytest.mark.parametrize(("beats", "unit", "frames"), [(3, 4, 12), (5, 4, 20), (6, 8, 12), (7, 8, 14)])
def test_bars_follow_the_time_signature(beats, unit, frames):
    reading = read(quarters(24, 1), meta=[signature(0, beats, unit)])
    assert str(reading.roll.meter) == f"{beats}/{unit}"
    assert reading.roll.meter.bar_lines(3 * frames).tolist() == [0, frames, 2 * frames]


def test_an_upbeat_and_a_change_of_meter():
    meta = [signature(0, 1, 4), signature(480, 4, 4), signature(480 * 9, 3, 4)]
    meter = read(quarters(30, 1), meta=meta).roll.meter
    assert meter.offset == 12
    assert meter.bar_lines(64).tolist() == [4, 20, 36, 48, 60]


def test_a_rest_at_the_end():
    reading = read([(0, 480, 60)], end=3840)
    assert (reading.roll.frames, reading.end) == (4, 32)


def test_tempo_changes_are_read():
    meta = [
        (0, mido.MetaMessage("set_tempo", tempo=500_000)),
        (960, mido.MetaMessage("set_tempo", tempo=1_000_000)),
    ]
    roll = read(quarters(4, 1), meta=meta).roll
    assert roll.tempo_changes == ((0, 120), (8, 60))
    assert roll.tempo == pytest.approx(80)
    assert read(quarters(4, 1), meta=meta[:1]).roll.tempo_changes == ()


def test_a_tempo_change_within_a_frame_keeps_the_total_time():
    tempos = [(0, 500_000), (930, 2_000_000), (940, 400_000)]
    meta = [(tick, mido.MetaMessage("set_tempo", tempo=tempo)) for tick, tempo in tempos]
    roll = read(quarters(4, 1), meta=meta).roll
    assert [frame for frame, _ in roll.tempo_changes] == [0, 7, 8]
    seconds = 930 / 480 * 0.5 + 10 / 480 * 2 + 980 / 480 * 0.4
    assert roll.frames / 4 / roll.tempo * 60 == pytest.approx(seconds)


def test_notes_with_a_constant_delay_are_shifted_onto_the_grid():
    late = [(start + 58, end + 58, pitch) for start, end, pitch in quarters(16, 4)]
    reading = read(late)
    assert reading.alignment == "shifted"
    assert {start % 4 for start, _, _ in rows(reading.roll)} == {rows(reading.roll)[0][0] % 4}
    assert (reading.off_grid, reading.losses) == (0, {})


def test_the_pedal_holds_notes_on_request():
    content = file_of([(0, 120, 60), (960, 1080, 62)])
    midi = mido.MidiFile(file=io.BytesIO(content))
    midi.tracks[1].insert(0, mido.Message("control_change", control=64, value=127))
    last = midi.tracks[1].pop()
    midi.tracks[1] += [mido.Message("control_change", control=64, value=0, time=360), last]
    pedalled = io.BytesIO()
    midi.save(file=pedalled)
    as_written = examine_bytes(pedalled.getvalue(), "made.mid").roll
    held = examine_bytes(pedalled.getvalue(), "made.mid", pedal="hold").roll
    assert rows(as_written) == [(0, 1, 60), (8, 9, 62)]
    assert rows(held) == [(0, 12, 60), (8, 12, 62)]


@pytest.mark.parametrize("grid", [0, 49])
def test_an_invalid_grid_is_rejected(grid):
    with pytest.raises(UsageError, match="1 to 48"):
        read(quarters(1, 4), grid=grid)


def test_keys_outside_the_keyboard_are_counted():
    reading = read([(0, 480, 20), (0, 480, 60), (0, 480, 109)])
    assert reading.left_out == {"outside the 88 keys": 2}
    assert reading.roll.sounding.shape == (4, KEYS)


def test_a_beat_file_defines_the_beats(tmp_path):
    played = [(int(480 * 1.3 * beat) + 77, int(480 * 1.3 * beat) + 400, 60) for beat in range(16)]
    (tmp_path / "free.mid").write_bytes(file_of(played))
    lines = [f"{(480 * 1.3 * beat + 77) / 960:.6f},{int(beat % 4 == 0)}" for beat in range(17)]
    (tmp_path / "free.beats.csv").write_text("\n".join(lines) + "\n")
    reading = examine_midi(tmp_path / "free.mid")
    assert reading.alignment == "annotated"
    assert np.diff([start for start, _, _ in rows(reading.roll)]).tolist() == [4] * 15
    assert reading.roll.tempo == pytest.approx(120 / 1.3, rel=0.01)


def test_beats_that_make_a_piece_too_long_are_rejected(tmp_path):
    (tmp_path / "long.mid").write_bytes(file_of([(0, 480 * 4000, 60)]))
    (tmp_path / "long.beats.csv").write_text("0.0,1\n0.01,0\n0.02,0\n")
    with pytest.raises(MidiError, match="beats of its beat file") as caught:
        examine_midi(tmp_path / "long.mid")
    assert caught.value.code == "too-long"
