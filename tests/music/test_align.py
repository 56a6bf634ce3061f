"""Alignment: synthetic files are read back on the grid and in the bars that they were made with."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from zoo.music.align import Alignment, align
from zoo.music.beats import Beats, read_beats
from zoo.music.meter import Meter, TimeSignature
from zoo.music.midi import examine_midi
from zoo.music.roll import Notes, Roll
from zoo.music.score import Score
from zoo.music.writing import midi_bytes

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "200"))
DIVISION = 480
FRAME = DIVISION // 4
SIGNATURES = [(2, 4), (3, 4), (4, 4), (5, 4), (6, 8), (9, 8), (12, 8), (7, 8)]


def score(frames, ticks=None, signatures=(), tempos=(), lengths=None, pitch=None, markers=()):
    """A score of notes in these frames of sixteenths, or at these ticks if given."""
    frames = np.asarray(frames, np.int64)
    start = np.sort(frames * FRAME if ticks is None else np.asarray(ticks, np.int64))
    length = np.full(len(start), FRAME) if lengths is None else np.asarray(lengths) * FRAME
    return Score(
        division=DIVISION,
        start=start,
        end=start + length,
        pitch=np.full(len(start), 60) if pitch is None else np.asarray(pitch),
        velocity=np.full(len(start), 64, np.uint8),
        channel=np.zeros(len(start), np.int64),
        tempos=tempos,
        signatures=signatures,
        markers=markers,
        last=int(start.max(initial=0)) + FRAME,
    )


def frames_of(alignment: Alignment, music: Score) -> list[int]:
    return np.floor(alignment.positions(music.start) + 0.5).astype(int).tolist()


@dataclass(frozen=True)
class File:
    """A file as a program might write it, with its true frames and meter."""

    music: Score
    frames: NDArray[np.int64]
    meter: Meter
    delay: int


NEVER = st.just(0)


@st.composite
def files(draw, late=NEVER):
    """Notes at random sixteenths, with an upbeat, jitter, tempos, and changes of meter.

    Either only the notes are late or early, by up to two fifths of a frame, or everything is `late`.
    """
    signature = draw(st.sampled_from(SIGNATURES))
    bar = int(TimeSignature(0, *signature).bar(4))
    upbeat = draw(st.one_of(st.just(0), st.integers(1, bar - 1)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = np.cumsum(rng.integers(1, 6, draw(st.integers(40, 120))))
    delay = draw(late)
    shift = delay or draw(st.integers(-2 * FRAME // 5, 2 * FRAME // 5))
    max_jitter = draw(st.sampled_from([0, FRAME // 10, FRAME // 5]))
    jitter = rng.integers(-max_jitter, max_jitter + 1, len(frames))
    ticks = np.maximum(frames * FRAME + shift + jitter, 0)
    changes = [TimeSignature(upbeat - bar if upbeat else 0, *signature)]
    signatures = [(0, *((upbeat, 16) if upbeat % 4 else (upbeat // 4, 4)))] if upbeat else []
    signatures.append((upbeat * FRAME, *signature))
    other = draw(st.sampled_from(SIGNATURES))
    if draw(st.booleans()) and other != signature:
        line = upbeat + bar * draw(st.integers(2, 3))  # after a single bar, it would be an upbeat
        changes.append(TimeSignature(line, *other))
        signatures.append((line * FRAME, *other))
    signatures = [(tick + delay, upper, unit) for tick, upper, unit in signatures]
    tempos = draw(st.lists(st.tuples(st.integers(0, 9000), st.integers(200_000, 900_000)), max_size=3))
    music = score(frames, ticks, signatures, sorted(tempos))
    return File(music, frames, Meter(4, tuple(changes)), delay)


@given(files(), st.sampled_from([4, 8, 12]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_frames_and_bars_are_recovered_for_any_shift_and_jitter(file, grid):
    alignment = align(file.music, grid)
    sixteenths = alignment.positions(file.music.start) * 4 / grid
    assert np.floor(sixteenths + 0.5).astype(int).tolist() == file.frames.tolist()
    assert alignment.kind in ("stated", "shifted")
    if grid == 4:
        assert alignment.off_grid < 0.1
    after = np.arange(file.frames[-1])
    places, expected = alignment.meter.places(after * grid // 4), file.meter.places(after)
    assert (places.place * 4 / grid).tolist() == expected.place.tolist()
    assert (places.beat * 4 / grid).tolist() == expected.beat.tolist()


@given(files(late=st.integers(1, 16 * FRAME)))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_file_that_is_late_as_a_whole_keeps_its_bars(file):
    alignment = align(file.music)
    frames = np.floor(alignment.positions(file.music.start) + 0.5).astype(int)
    assert np.diff(frames).tolist() == np.diff(file.frames).tolist()
    places, expected = alignment.meter.places(frames), file.meter.places(file.frames)
    assert places.place.tolist() == expected.place.tolist()


@pytest.mark.parametrize("grid", [4, 6, 8, 12, 24])
def test_music_on_the_grid_of_the_file_is_not_shifted(grid):
    frames = np.arange(0, 400, 3)
    music = score(frames, signatures=((0, 3, 4),))
    alignment = align(music, grid)
    assert alignment.kind == "stated"
    assert np.allclose(alignment.positions(music.start), frames * grid / 4)
    assert alignment.meter == Meter.of(3, 4, grid=grid)


@pytest.mark.parametrize("swing", [(0, 320), (0, 160, 320)])
def test_swing_and_triplets_are_on_the_grid_of_the_file(swing):
    ticks = np.concatenate([quarter * DIVISION + np.array(swing) for quarter in range(40)])
    alignment = align(score([], ticks))
    assert alignment.kind == "stated"
    assert np.allclose(alignment.positions(np.array([480, 960])), [4, 8])
    twelve = align(score([], ticks), 12)
    assert twelve.off_grid == 0


@pytest.mark.parametrize("late", [50, -35, 100, 75])
def test_triplets_off_the_grid_are_moved_to_the_beat(late):
    """Triplets that begin with a low and long note, late or early by up to a sixteenth."""
    quarters = np.repeat(np.arange(1, 41), 3)
    parts = np.tile([0, 160, 320], 40)
    pitch = np.tile([40, 60, 64], 40)
    music = score([], quarters * DIVISION + parts + late, lengths=np.tile([4, 1, 1], 40), pitch=pitch)
    alignment = align(music, 12)
    assert alignment.kind == "shifted"
    assert alignment.off_grid == 0
    assert np.allclose(alignment.positions(music.start), quarters * 12 + parts / 40)


def test_a_free_performance_is_unaligned():
    rng = np.random.default_rng(0)
    music = score([], np.cumsum(rng.integers(30, 400, 300)))
    alignment = align(music)
    assert alignment.kind == "unaligned"
    assert alignment.off_grid > 0.4
    assert np.allclose(alignment.positions(music.start), music.start / FRAME)


def test_a_file_with_few_notes_is_not_shifted():
    assert align(score([], [50, 170, 290])).kind == "stated"


def song(bars=64, seed=0):
    """Chords on the beat that change with the bar, low notes on the first, and a melody in eighths."""
    rng = np.random.default_rng(seed)
    notes = []
    for bar in range(bars):
        root = int(rng.choice([48, 53, 55, 57]))
        notes.append((16 * bar, root - 12, 12))
        for beat in range(4):
            notes += [(16 * bar + 4 * beat, root + step, 3) for step in (0, 4, 7)]
        notes += [(16 * bar + 2 * eighth, int(72 + rng.integers(12)), 2) for eighth in range(8)]
    notes.sort()
    frames, pitch, lengths = zip(*notes, strict=True)
    return np.array(frames), np.array(pitch), np.array(lengths)


@pytest.mark.parametrize("late", [0, 4, 5, 11, 14])
@pytest.mark.parametrize("part", [0, 37])
def test_without_time_signatures_bars_begin_at_accents(late, part):
    frames, pitch, lengths = song()
    ticks = (frames + late) * FRAME + part
    alignment = align(score(frames, ticks, (), (), lengths, pitch))
    assert alignment.meter == Meter.of(offset=-late % 16)


def test_a_meter_that_contradicts_the_accents_is_ignored():
    frames, pitch, lengths = song()
    music = score(frames, (frames + 5) * FRAME + 37, ((0, 2, 4),), (), lengths, pitch)
    assert align(music).meter == Meter.of(offset=11)
    assert align(replace(music, signatures=((0, 1, 4),))).meter == Meter.of(offset=11)


def test_bars_begin_at_markers():
    markers = [((16 * bar + 6) * FRAME, "section") for bar in (0, 8, 16, 24)]
    assert align(score(range(0, 400, 2), markers=markers)).meter == Meter.of(offset=10)
    assert align(score(range(0, 400, 2), markers=markers[:2])).meter == Meter()


def test_short_music_before_the_first_time_signature_is_an_upbeat():
    music = score(range(0, 80, 2), signatures=((DIVISION, 3, 4),))
    assert align(music).meter == Meter.of(3, 4, offset=8)
    later = score(range(0, 80, 2), signatures=((8 * DIVISION, 3, 4),))
    assert align(later).meter == Meter(4, (TimeSignature(), TimeSignature(32, 3, 4)))


def test_a_very_late_note_needs_no_memory():
    frames, pitch, lengths = song(8)
    frames[-1] = 2**40
    assert align(score(frames, frames * FRAME + 37, (), (), lengths, pitch), 48).kind == "shifted"


def test_a_short_first_bar_is_an_upbeat():
    music = score(range(0, 80, 2), signatures=((0, 1, 4), (DIVISION, 4, 4)))
    assert align(music).meter == Meter.of(offset=12)


def test_a_first_bar_cut_short_by_a_repeated_time_signature_is_an_upbeat():
    music = score(range(0, 80, 2), signatures=((0, 3, 4), (DIVISION, 3, 4)))
    assert align(music).meter == Meter.of(3, 4, offset=8)


def test_a_repeated_time_signature_changes_nothing():
    music = score(range(0, 80, 2), signatures=((0, 4, 4), (8 * DIVISION, 4, 4)))
    assert align(music).meter == Meter()
    cut = score(range(0, 80, 2), signatures=((0, 4, 4), (6 * DIVISION, 4, 4)))
    assert align(cut).meter == Meter(4, (TimeSignature(), TimeSignature(24, 4, 4)))


def test_the_grid_follows_beats_and_bars_follow_downbeats():
    """A performance that slows down, in 3/4 with an upbeat of a quarter note."""
    lengths = 0.4 + 0.01 * np.arange(40)
    seconds = 0.7 + np.concatenate([[0], np.cumsum(lengths)])
    downbeat = np.arange(len(seconds)) % 3 == 1
    sixteenths = np.interp(np.arange(0, 160) / 4, np.arange(len(seconds)), seconds)
    ticks = np.rint(sixteenths * DIVISION * 2).astype(int)
    music = score([], ticks)
    alignment = align(music, beats=Beats(seconds, downbeat))
    assert alignment.kind == "annotated"
    places = frames_of(alignment, music)
    assert places == list(range(places[0], places[0] + 160))
    assert places[0] >= 0
    assert str(alignment.meter) == "3/4"
    assert alignment.meter.places(np.array([places[0] + 4])).place.tolist() == [0]
    assert alignment.off_grid == 0
    assert alignment.off_grid_before > 0.3


@pytest.mark.parametrize("missing", [[9, 10], [4], [14], [30]])
@pytest.mark.parametrize("marked", [True, False])
def test_missing_beats_are_filled_in(missing, marked):
    downbeat = marked & (np.arange(32) % 4 == 0)
    beats = Beats(np.delete(np.arange(32) * 0.5, missing), np.delete(downbeat, missing))
    music = score(range(0, 124, 2))
    alignment = align(music, beats=beats)
    assert frames_of(alignment, music) == list(range(0, 124, 2))
    assert alignment.meter == Meter()


def test_a_long_beat_in_a_complete_bar_is_one_beat():
    """In a bar with four beats none is missing, however long one of them is."""
    lengths = np.full(31, 0.5)
    lengths[9] = 1.5
    seconds = np.concatenate([[0], np.cumsum(lengths)])
    music = score([], np.rint(seconds * 2 * DIVISION).astype(int))
    alignment = align(music, beats=Beats(seconds, np.arange(32) % 4 == 0))
    assert frames_of(alignment, music) == list(range(0, 128, 4))
    assert alignment.meter == Meter()


def test_a_bar_with_fewer_beats_is_a_change_of_meter():
    downbeat = np.isin(np.arange(32), [0, 4, 8, 10, 14, 18, 22, 26, 30])
    alignment = align(score(range(0, 124, 2)), beats=Beats(np.arange(32) * 0.5, downbeat))
    assert alignment.meter.changes == (TimeSignature(), TimeSignature(32, 2, 4), TimeSignature(40, 4, 4))


@pytest.mark.parametrize("beat", [Fraction(1, 2), Fraction(3, 2)])
def test_an_annotated_time_signature_defines_the_length_of_a_beat(beat):
    """Bars of 6/8, counted in eighths or in dotted quarters, then bars of 2/4, counted in quarters."""
    count = int(3 / beat)
    seconds = np.concatenate([np.arange(4 * count) * float(beat) / 2, 6 + np.arange(17) * 0.5])
    downbeat = np.concatenate([np.arange(4 * count) % count == 0, np.arange(17) % 2 == 0])
    beats = Beats(seconds, downbeat, ((0, 6, 8), (4 * count, 2, 4)))
    music = score(range(0, 100, 2))
    alignment = align(music, beats=beats)
    assert alignment.meter.changes == (TimeSignature(0, 6, 8), TimeSignature(48, 2, 4))
    assert frames_of(alignment, music) == list(range(0, 100, 2))


@pytest.mark.parametrize("first", [0, 3])
def test_the_bars_of_the_file_begin_at_a_single_downbeat(first):
    music = score(range(0, 96, 2), signatures=((0, 3, 4),))
    beats = Beats(np.arange(24) * 0.5, np.arange(24) == first)
    assert align(music, beats=beats).meter == Meter.of(3, 4)


def test_a_bar_of_more_beats_than_a_file_can_state_can_be_written():
    beats = Beats(np.arange(320) * 0.5, np.isin(np.arange(320), [0, 300]))
    alignment = align(score(range(0, 1280, 4)), beats=beats)
    silence = np.zeros((1280, 88), np.bool_)
    assert len(midi_bytes(Roll(silence, silence, None, meter=alignment.meter))) > 0
    assert alignment.meter.places(np.array([8])).place.tolist() == [0]


def test_beats_are_in_order_on_a_coarse_grid():
    music = score(range(0, 96, 2))
    beats = Beats(np.arange(48) * 0.25, np.arange(48) % 6 == 0, ((0, 6, 8),))
    alignment = align(music, 1, beats)
    assert np.allclose(alignment.positions(music.start), np.arange(48) / 2)


def test_beats_in_compound_time_are_dotted():
    music = score(range(0, 96, 2), signatures=((0, 6, 8),))
    seconds = np.arange(0, 12) * 0.75
    alignment = align(music, beats=Beats(seconds, np.arange(12) % 2 == 0))
    assert alignment.meter == Meter.of(6, 8)
    assert frames_of(alignment, music) == list(range(0, 96, 2))


BEAT_FILES = {
    "two thirty-seconds": "0 db,1/16\n0.125 b\n",
    "bars of a sixteenth": "".join(f"{n / 8} db,1/16\n" for n in range(9)),
    "bars of thirty-seconds": "".join(f"{n / 16} db,{1 + n % 5}/32\n" for n in range(9)),
    "waltz": "".join(f"{n / 2} {'b' if n % 3 else 'db,3/4'}\n" for n in range(9)),
    "jig": "".join(f"{n / 4} {'b' if n % 6 else 'db,6/8'}\n" for n in range(24)),
    "table": "".join(f"{n / 2},{int(n % 4 == 0)}\n" for n in range(12)),
    "times": "0.3\n0.9\n1.4\n",
}


@pytest.mark.parametrize("grid", [1, 4, 12])
@pytest.mark.parametrize("listed", BEAT_FILES)
def test_positions_increase_for_any_beats_on_any_grid(listed, grid):
    beats = read_beats(BEAT_FILES[listed].encode(), "song.beats.txt")
    alignment = align(score(range(0, 96, 2)), grid, beats)
    places = alignment.positions(np.arange(0, 5000, 40))
    assert (np.diff(places) > 0).all()
    assert np.allclose(alignment.positions(alignment.ticks_at(places)), places)
    assert (np.diff(alignment.meter.bars(100).line) > 0).all()


@pytest.mark.parametrize("grid", [1, 4, 12])
@pytest.mark.parametrize(
    ("listed", "tempo"),
    [("two thirty-seconds", 480), ("bars of a sixteenth", 120), ("waltz", 120), ("jig", 120), ("table", 120)],
)
def test_music_on_steady_beats_has_their_tempo(tmp_path, listed, tempo, grid):
    song = tmp_path / "song.mid"
    Roll.from_notes(Notes(*(np.array([number]) for number in (0, 96, 40)), np.array([64], np.uint8))).write(
        song
    )
    song.with_name("song.beats.txt").write_text(BEAT_FILES[listed])
    reading = examine_midi(song, grid=grid)
    assert reading.alignment == "annotated"
    assert reading.roll.tempo == pytest.approx(tempo, rel=1e-3)


@pytest.mark.parametrize(
    ("listed", "changes"),
    [
        ("0 db,4/4\n.5 b\n1 b\n1.5 b\n2 db,3/4\n2.5 b\n3 b\n", [(0, 4, 4), (16, 3, 4)]),
        ("0 b\n.5 db,3/4\n1 b\n1.5 b\n", [(-8, 3, 4)]),
        ("0 db,4/4\n.5 b\n1 b\n1.5 b\n2 db,4/4\n", [(0, 4, 4)]),
    ],
)
def test_a_time_signature_at_the_last_downbeat_takes_effect(listed, changes):
    alignment = align(score(range(0, 48, 2)), beats=read_beats(listed.encode(), "song.beats.txt"))
    assert alignment.meter == Meter(4, tuple(TimeSignature(*change) for change in changes))
    assert alignment.meter_from == "annotated"


@pytest.mark.parametrize(("grid", "lines"), [(1, [2, 7, 11, 16]), (4, [8, 26, 44]), (12, [24, 78])])
def test_an_upbeat_to_bars_of_half_frames_does_not_move_the_downbeats(grid, lines):
    """Two quarter notes before bars of 9/8, stated by beats, by two time signatures, and by one."""
    ticks = np.arange(0, 20 * DIVISION, DIVISION // 2)
    beats = Beats(np.arange(32) * 0.25, np.arange(32) % 9 == 4, ((0, 9, 8),))
    for alignment in (
        align(score([], ticks), grid, beats),
        align(score([], ticks, signatures=((0, 2, 4), (2 * DIVISION, 9, 8))), grid),
        align(score([], ticks, signatures=((2 * DIVISION, 9, 8),)), grid),
    ):
        assert alignment.meter.bar_lines(lines[-1] + 1).tolist() == lines


def test_the_origin_of_the_meter_is_reported():
    frames, pitch, lengths = song()
    beats = Beats(np.arange(64) * 0.5, np.arange(64) % 3 == 0)
    upbeat = {"lengths": lengths, "pitch": pitch}
    plain = score(range(0, 80, 2))
    origins = {
        "stated": align(score(range(0, 80, 2), signatures=((0, 3, 4),))),
        "heard": align(score(frames + 5, **upbeat)),
        "annotated": align(plain, beats=beats),
        "assumed": align(plain),
    }
    assert {origin: alignment.meter_from for origin, alignment in origins.items()} == {
        origin: origin for origin in origins
    }


@pytest.mark.parametrize("signatures", [(), ((0, 3, 4),)])
def test_beats_without_downbeats_use_the_meter_of_the_file(signatures):
    music = score(range(0, 80, 2), signatures=signatures)
    alignment = align(music, beats=Beats(np.arange(40) * 0.5, np.zeros(40, np.bool_)))
    assert (alignment.kind, alignment.meter_from) == ("annotated", "stated" if signatures else "assumed")


def test_no_meter_is_inferred_in_short_or_unaligned_files():
    rng = np.random.default_rng(0)
    free = np.cumsum(rng.integers(30, 400, 300))
    for ticks in ([50, 170, 290], free):
        assert align(score([], ticks)).meter_from == "assumed"
        assert align(score([], ticks, signatures=((0, 3, 4),))).meter_from == "stated"


def test_a_contradicted_meter_is_replaced_by_an_inferred_one():
    frames, pitch, lengths = song()
    ticks = (frames + 4) * FRAME + 37
    assert align(score([], ticks, ((0, 4, 4),), (), lengths, pitch)).meter_from == "heard"
