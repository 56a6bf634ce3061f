"""Alignment: synthetic files come back on the grid and in the bars they were made in."""

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

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "200"))
DIVISION = 480
FRAME = DIVISION // 4
SIGNS = [(2, 4), (3, 4), (4, 4), (5, 4), (6, 8), (9, 8), (12, 8), (7, 8)]


def score(frames, ticks=None, signatures=(), tempos=(), lengths=None, pitch=None, markers=()):
    """A score whose notes are written in these frames of sixteenths, at these ticks if they are given."""
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


def placed(alignment: Alignment, music: Score) -> list[int]:
    return np.floor(alignment.positions(music.start) + 0.5).astype(int).tolist()


@dataclass(frozen=True)
class File:
    """A file as a program might write it, with the frames and the meter that it was made in."""

    music: Score
    frames: NDArray[np.int64]
    meter: Meter
    delay: int


NEVER = st.just(0)


@st.composite
def files(draw, late=NEVER):
    """Notes at random sixteenths, with an upbeat, jitter, tempos, and changes of meter.

    The notes alone are late or early by up to two fifths of a frame, or all that the file holds is `late`.
    """
    sign = draw(st.sampled_from(SIGNS))
    bar = int(TimeSignature(0, *sign).bar(4))
    upbeat = draw(st.one_of(st.just(0), st.integers(1, bar - 1)))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = np.cumsum(chance.integers(1, 6, draw(st.integers(40, 120))))
    delay = draw(late)
    shift = delay or draw(st.integers(-2 * FRAME // 5, 2 * FRAME // 5))
    most = draw(st.sampled_from([0, FRAME // 10, FRAME // 5]))
    jitter = chance.integers(-most, most + 1, len(frames))
    ticks = np.maximum(frames * FRAME + shift + jitter, 0)
    changes = [TimeSignature(upbeat - bar if upbeat else 0, *sign)]
    signatures = [(0, *((upbeat, 16) if upbeat % 4 else (upbeat // 4, 4)))] if upbeat else []
    signatures.append((upbeat * FRAME, *sign))
    other = draw(st.sampled_from(SIGNS))
    if draw(st.booleans()) and other != sign:
        line = upbeat + bar * draw(st.integers(2, 3))  # after one bar it would be an upbeat
        changes.append(TimeSignature(line, *other))
        signatures.append((line * FRAME, *other))
    signatures = [(tick + delay, upper, unit) for tick, upper, unit in signatures]
    tempos = draw(st.lists(st.tuples(st.integers(0, 9000), st.integers(200_000, 900_000)), max_size=3))
    music = score(frames, ticks, signatures, sorted(tempos))
    return File(music, frames, Meter(4, tuple(changes)), delay)


@given(files(), st.sampled_from([4, 8, 12]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_frames_and_bars_come_back_whatever_the_shift_and_the_jitter(file, grid):
    found = align(file.music, grid)
    sixteenths = found.positions(file.music.start) * 4 / grid
    assert np.floor(sixteenths + 0.5).astype(int).tolist() == file.frames.tolist()
    assert found.kind in ("stated", "shifted")
    if grid == 4:
        assert found.off_grid < 0.1
    after = np.arange(file.frames[-1])
    places, expected = found.meter.places(after * grid // 4), file.meter.places(after)
    assert (places.place * 4 / grid).tolist() == expected.place.tolist()
    assert (places.beat * 4 / grid).tolist() == expected.beat.tolist()


@given(files(late=st.integers(1, 16 * FRAME)))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_file_that_is_late_as_a_whole_keeps_its_notes_in_their_bars(file):
    found = align(file.music)
    frames = np.floor(found.positions(file.music.start) + 0.5).astype(int)
    assert np.diff(frames).tolist() == np.diff(file.frames).tolist()
    places, expected = found.meter.places(frames), file.meter.places(file.frames)
    assert places.place.tolist() == expected.place.tolist()


@pytest.mark.parametrize("grid", [4, 6, 8, 12, 24])
def test_music_on_the_files_own_grid_is_not_shifted(grid):
    frames = np.arange(0, 400, 3)
    music = score(frames, signatures=((0, 3, 4),))
    found = align(music, grid)
    assert found.kind == "stated"
    assert np.allclose(found.positions(music.start), frames * grid / 4)
    assert found.meter == Meter.of(3, 4, grid=grid)


@pytest.mark.parametrize("swing", [(0, 320), (0, 160, 320)])
def test_swing_and_triplets_are_on_the_files_own_grid(swing):
    ticks = np.concatenate([quarter * DIVISION + np.array(swing) for quarter in range(40)])
    found = align(score([], ticks))
    assert found.kind == "stated"
    assert np.allclose(found.positions(np.array([480, 960])), [4, 8])
    twelve = align(score([], ticks), 12)
    assert twelve.off_grid == 0


@pytest.mark.parametrize("late", [50, -35, 100, 75])
def test_triplets_beside_the_grid_are_put_on_the_beat(late):
    """Triplets that begin with a low and long note, late or early by up to a sixteenth."""
    quarters = np.repeat(np.arange(1, 41), 3)
    parts = np.tile([0, 160, 320], 40)
    pitch = np.tile([40, 60, 64], 40)
    music = score([], quarters * DIVISION + parts + late, lengths=np.tile([4, 1, 1], 40), pitch=pitch)
    found = align(music, 12)
    assert found.kind == "shifted"
    assert found.off_grid == 0
    assert np.allclose(found.positions(music.start), quarters * 12 + parts / 40)


def test_a_free_performance_is_unaligned():
    chance = np.random.default_rng(0)
    music = score([], np.cumsum(chance.integers(30, 400, 300)))
    found = align(music)
    assert found.kind == "unaligned"
    assert found.off_grid > 0.4
    assert np.allclose(found.positions(music.start), music.start / FRAME)


def test_few_notes_shift_nothing():
    assert align(score([], [50, 170, 290])).kind == "stated"


def song(bars=64, seed=0):
    """Chords on the beat that change with the bar, low notes on the first, and a melody in eighths."""
    chance = np.random.default_rng(seed)
    notes = []
    for bar in range(bars):
        root = int(chance.choice([48, 53, 55, 57]))
        notes.append((16 * bar, root - 12, 12))
        for beat in range(4):
            notes += [(16 * bar + 4 * beat, root + step, 3) for step in (0, 4, 7)]
        notes += [(16 * bar + 2 * eighth, int(72 + chance.integers(12)), 2) for eighth in range(8)]
    notes.sort()
    frames, pitch, lengths = zip(*notes, strict=True)
    return np.array(frames), np.array(pitch), np.array(lengths)


@pytest.mark.parametrize("late", [0, 4, 5, 11, 14])
@pytest.mark.parametrize("part", [0, 37])
def test_without_a_word_of_the_file_accents_say_where_bars_begin(late, part):
    frames, pitch, lengths = song()
    ticks = (frames + late) * FRAME + part
    found = align(score(frames, ticks, (), (), lengths, pitch))
    assert found.meter == Meter.of(offset=-late % 16)


def test_a_meter_that_the_accents_contradict_is_not_believed():
    frames, pitch, lengths = song()
    music = score(frames, (frames + 5) * FRAME + 37, ((0, 2, 4),), (), lengths, pitch)
    assert align(music).meter == Meter.of(offset=11)
    assert align(replace(music, signatures=((0, 1, 4),))).meter == Meter.of(offset=11)


def test_sections_that_are_marked_begin_bars():
    markers = [((16 * bar + 6) * FRAME, "section") for bar in (0, 8, 16, 24)]
    assert align(score(range(0, 400, 2), markers=markers)).meter == Meter.of(offset=10)
    assert align(score(range(0, 400, 2), markers=markers[:2])).meter == Meter()


def test_what_comes_before_the_first_signature_is_an_upbeat_if_it_is_short():
    music = score(range(0, 80, 2), signatures=((DIVISION, 3, 4),))
    assert align(music).meter == Meter.of(3, 4, offset=8)
    later = score(range(0, 80, 2), signatures=((8 * DIVISION, 3, 4),))
    assert align(later).meter == Meter(4, (TimeSignature(), TimeSignature(32, 3, 4)))


def test_a_note_far_away_costs_no_memory():
    frames, pitch, lengths = song(8)
    frames[-1] = 2**40
    assert align(score(frames, frames * FRAME + 37, (), (), lengths, pitch), 48).kind == "shifted"


def test_a_short_first_bar_is_an_upbeat():
    music = score(range(0, 80, 2), signatures=((0, 1, 4), (DIVISION, 4, 4)))
    assert align(music).meter == Meter.of(offset=12)


def test_a_first_bar_that_is_cut_short_by_the_same_signature_is_an_upbeat():
    music = score(range(0, 80, 2), signatures=((0, 3, 4), (DIVISION, 3, 4)))
    assert align(music).meter == Meter.of(3, 4, offset=8)


def test_a_signature_that_says_the_same_again_changes_nothing():
    music = score(range(0, 80, 2), signatures=((0, 4, 4), (8 * DIVISION, 4, 4)))
    assert align(music).meter == Meter()
    cut = score(range(0, 80, 2), signatures=((0, 4, 4), (6 * DIVISION, 4, 4)))
    assert align(cut).meter == Meter(4, (TimeSignature(), TimeSignature(24, 4, 4)))


def test_beats_bend_time_and_bars_follow_the_downbeats():
    """A performance that slows down, in 3/4 with an upbeat of a quarter note."""
    lengths = 0.4 + 0.01 * np.arange(40)
    seconds = 0.7 + np.concatenate([[0], np.cumsum(lengths)])
    downbeat = np.arange(len(seconds)) % 3 == 1
    sixteenths = np.interp(np.arange(0, 160) / 4, np.arange(len(seconds)), seconds)
    ticks = np.rint(sixteenths * DIVISION * 2).astype(int)
    music = score([], ticks)
    found = align(music, beats=Beats(seconds, downbeat))
    assert found.kind == "annotated"
    places = placed(found, music)
    assert places == list(range(places[0], places[0] + 160))
    assert places[0] >= 0
    assert str(found.meter) == "3/4"
    assert found.meter.places(np.array([places[0] + 4])).place.tolist() == [0]
    assert found.off_grid == 0
    assert found.off_grid_before > 0.3


@pytest.mark.parametrize("missing", [[9, 10], [4], [14], [30]])
@pytest.mark.parametrize("marked", [True, False])
def test_a_beat_that_is_missing_does_not_tear_the_grid(missing, marked):
    downbeat = marked & (np.arange(32) % 4 == 0)
    beats = Beats(np.delete(np.arange(32) * 0.5, missing), np.delete(downbeat, missing))
    music = score(range(0, 124, 2))
    found = align(music, beats=beats)
    assert placed(found, music) == list(range(0, 124, 2))
    assert found.meter == Meter()


def test_a_beat_that_is_held_is_one_beat():
    """A bar that has its four beats lacks none, however long one of them lasts."""
    lengths = np.full(31, 0.5)
    lengths[9] = 1.5
    seconds = np.concatenate([[0], np.cumsum(lengths)])
    music = score([], np.rint(seconds * 2 * DIVISION).astype(int))
    found = align(music, beats=Beats(seconds, np.arange(32) % 4 == 0))
    assert placed(found, music) == list(range(0, 128, 4))
    assert found.meter == Meter()


def test_a_bar_with_fewer_beats_is_a_change_of_meter():
    downbeat = np.isin(np.arange(32), [0, 4, 8, 10, 14, 18, 22, 26, 30])
    found = align(score(range(0, 124, 2)), beats=Beats(np.arange(32) * 0.5, downbeat))
    assert found.meter.changes == (TimeSignature(), TimeSignature(32, 2, 4), TimeSignature(40, 4, 4))


@pytest.mark.parametrize("each", [Fraction(1, 2), Fraction(3, 2)])
def test_a_signature_in_the_annotation_says_what_a_beat_is(each):
    """Bars of 6/8, counted in eighths or in dotted quarters, then bars of 2/4, counted in quarters."""
    count = int(3 / each)
    seconds = np.concatenate([np.arange(4 * count) * float(each) / 2, 6 + np.arange(17) * 0.5])
    downbeat = np.concatenate([np.arange(4 * count) % count == 0, np.arange(17) % 2 == 0])
    beats = Beats(seconds, downbeat, ((0, 6, 8), (4 * count, 2, 4)))
    music = score(range(0, 100, 2))
    found = align(music, beats=beats)
    assert found.meter.changes == (TimeSignature(0, 6, 8), TimeSignature(48, 2, 4))
    assert placed(found, music) == list(range(0, 100, 2))


@pytest.mark.parametrize("first", [0, 3])
def test_bars_of_the_file_begin_at_the_only_downbeat(first):
    music = score(range(0, 96, 2), signatures=((0, 3, 4),))
    beats = Beats(np.arange(24) * 0.5, np.arange(24) == first)
    assert align(music, beats=beats).meter == Meter.of(3, 4)


def test_on_a_coarse_grid_beats_keep_their_order():
    music = score(range(0, 96, 2))
    beats = Beats(np.arange(48) * 0.25, np.arange(48) % 6 == 0, ((0, 6, 8),))
    found = align(music, 1, beats)
    assert np.allclose(found.positions(music.start), np.arange(48) / 2)


def test_beats_that_count_in_compound_time_are_dotted():
    music = score(range(0, 96, 2), signatures=((0, 6, 8),))
    seconds = np.arange(0, 12) * 0.75
    found = align(music, beats=Beats(seconds, np.arange(12) % 2 == 0))
    assert found.meter == Meter.of(6, 8)
    assert placed(found, music) == list(range(0, 96, 2))


LISTED = {
    "two thirty-seconds": "0 db,1/16\n0.125 b\n",
    "bars of a sixteenth": "".join(f"{n / 8} db,1/16\n" for n in range(9)),
    "bars of thirty-seconds": "".join(f"{n / 16} db,{1 + n % 5}/32\n" for n in range(9)),
    "waltz": "".join(f"{n / 2} {'b' if n % 3 else 'db,3/4'}\n" for n in range(9)),
    "jig": "".join(f"{n / 4} {'b' if n % 6 else 'db,6/8'}\n" for n in range(24)),
    "table": "".join(f"{n / 2},{int(n % 4 == 0)}\n" for n in range(12)),
    "times": "0.3\n0.9\n1.4\n",
}


@pytest.mark.parametrize("grid", [1, 4, 12])
@pytest.mark.parametrize("listed", LISTED)
def test_any_beats_put_music_in_order_on_any_grid(listed, grid):
    beats = read_beats(LISTED[listed].encode(), "song.beats.txt")
    found = align(score(range(0, 96, 2)), grid, beats)
    places = found.positions(np.arange(0, 5000, 40))
    assert (np.diff(places) > 0).all()
    assert np.allclose(found.positions(found.ticks_at(places)), places)
    assert (np.diff(found.meter.bars(100).line) > 0).all()


@pytest.mark.parametrize("grid", [1, 4, 12])
@pytest.mark.parametrize(
    ("listed", "tempo"),
    [("two thirty-seconds", 480), ("bars of a sixteenth", 120), ("waltz", 120), ("jig", 120), ("table", 120)],
)
def test_music_on_steady_beats_is_as_fast_as_they_are(tmp_path, listed, tempo, grid):
    song = tmp_path / "song.mid"
    Roll.from_notes(Notes(*(np.array([number]) for number in (0, 96, 40)), np.array([64], np.uint8))).write(
        song
    )
    song.with_name("song.beats.txt").write_text(LISTED[listed])
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
def test_a_time_signature_at_the_last_downbeat_holds_from_there(listed, changes):
    found = align(score(range(0, 48, 2)), beats=read_beats(listed.encode(), "song.beats.txt"))
    assert found.meter == Meter(4, tuple(TimeSignature(*change) for change in changes))
    assert found.meter_from == "annotated"


@pytest.mark.parametrize(("grid", "lines"), [(1, [2, 7, 11, 16]), (4, [8, 26, 44]), (12, [24, 78])])
def test_an_upbeat_to_bars_of_half_frames_leaves_the_downbeats_where_they_are(grid, lines):
    """Two quarter notes before bars of 9/8, as beats, as two time signatures, and as one have it."""
    ticks = np.arange(0, 20 * DIVISION, DIVISION // 2)
    beats = Beats(np.arange(32) * 0.25, np.arange(32) % 9 == 4, ((0, 9, 8),))
    for found in (
        align(score([], ticks), grid, beats),
        align(score([], ticks, signatures=((0, 2, 4), (2 * DIVISION, 9, 8))), grid),
        align(score([], ticks, signatures=((2 * DIVISION, 9, 8),)), grid),
    ):
        assert found.meter.bar_lines(lines[-1] + 1).tolist() == lines


def test_a_meter_says_whether_it_was_stated_heard_annotated_or_assumed():
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
    assert {origin: found.meter_from for origin, found in origins.items()} == {
        origin: origin for origin in origins
    }


@pytest.mark.parametrize("signatures", [(), ((0, 3, 4),)])
def test_beats_without_downbeats_leave_the_meter_to_the_file(signatures):
    music = score(range(0, 80, 2), signatures=signatures)
    found = align(music, beats=Beats(np.arange(40) * 0.5, np.zeros(40, np.bool_)))
    assert (found.kind, found.meter_from) == ("annotated", "stated" if signatures else "assumed")


def test_in_a_file_of_few_notes_or_a_free_one_the_meter_is_not_heard():
    chance = np.random.default_rng(0)
    free = np.cumsum(chance.integers(30, 400, 300))
    for ticks in ([50, 170, 290], free):
        assert align(score([], ticks)).meter_from == "assumed"
        assert align(score([], ticks, signatures=((0, 3, 4),))).meter_from == "stated"


def test_a_stated_meter_that_is_not_believed_is_heard():
    frames, pitch, lengths = song()
    ticks = (frames + 4) * FRAME + 37
    assert align(score([], ticks, ((0, 4, 4),), (), lengths, pitch)).meter_from == "heard"
