"""Quantising ticks to frames, and counting what it loses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.music.quantise import quantise
from zoo.music.score import Score
from zoo.parts.piano import KEYS, LOWEST_KEY

DIVISION = 480
SIXTEENTH = 120


class EvenGrid:
    """A grid on which tick 0 is frame 0."""

    def __init__(self, grid=4, division=DIVISION):
        self.grid, self.division = grid, division

    def positions(self, ticks):
        return ticks * self.grid / self.division


def score_of(*rows, division=DIVISION):
    """A score of (start, end, pitch) in ticks."""
    rows = sorted(rows)
    start, end, pitch = np.array(rows, np.int64).reshape(-1, 3).T
    return Score(division, start, end, pitch, np.full(len(rows), 80, np.uint8), np.zeros_like(pitch))


def read(*rows, grid=4):
    """(start, end, pitch) in frames, the losses, and the notes left out."""
    quantised = quantise(score_of(*rows), EvenGrid(grid))
    notes = quantised.notes
    columns = (notes.start, notes.end, notes.key + LOWEST_KEY)
    played = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return played, dict(quantised.losses), dict(quantised.left_out)


def test_notes_on_the_grid_lose_nothing():
    assert read((0, 480, 60), (480, 720, 62)) == ([(0, 4, 60), (4, 6, 62)], {}, {})


def test_half_a_frame_is_rounded_up():
    assert read((60, 300, 60), (59, 299, 62))[0] == [(0, 2, 62), (1, 3, 60)]


def test_a_grace_note_before_the_beat_stays_before_it():
    played, losses, _ = read((0, 440, 59), (440, 480, 61), (480, 960, 62))
    assert played == [(0, 4, 59), (3, 4, 61), (4, 8, 62)]
    assert losses["grace notes"] == 1
    assert "moved" not in losses
    assert "merged" not in losses


@pytest.mark.parametrize("ticks", [1, 5, 20, 30, 40, 59])
@pytest.mark.parametrize("grid", [4, 6, 8, 12])
def test_a_grace_note_of_any_length_does_not_coincide_with_its_main_note(ticks, grid):
    played, _, _ = read((0, 400, 59), (480 - ticks, 480, 61), (480, 960, 62), grid=grid)
    start = {pitch: start for start, _, pitch in played}
    assert start[62] == grid
    assert start[61] == (grid - 1 if ticks <= 240 // grid else round((480 - ticks) * grid / 480))
    assert start[61] < start[62]


def test_a_grace_note_on_the_beat_is_moved_before_it():
    played, losses, _ = read((0, 400, 59), (480, 510, 61), (510, 960, 62))
    assert played == [(0, 3, 59), (3, 4, 61), (4, 8, 62)]
    assert losses["grace notes"] == 1


def test_several_grace_notes_may_precede_a_note():
    slide = [(480 - 15 * left, 480 - 15 * (left - 1), 65 - left) for left in (3, 2, 1)]
    played, losses, _ = read((0, 400, 48), *slide, (480, 960, 65))
    assert [row for row in played if row[2] in (62, 63, 64)] == [(3, 4, 62), (3, 4, 63), (3, 4, 64)]
    assert (4, 8, 65) in played
    assert losses["grace notes"] == 3


def test_a_grace_note_without_length_is_moved_before_its_main_note():
    played, losses, _ = read((0, 400, 48), (480, 480, 64), (480, 960, 65), (480, 960, 53))
    assert played == [(0, 3, 48), (3, 4, 64), (4, 8, 53), (4, 8, 65)]
    assert losses["grace notes"] == 1


def test_a_note_of_a_chord_without_length_is_kept_in_the_chord():
    played, losses, left_out = read((480, 480, 60), (480, 960, 64), (480, 480, 67), (480, 480, 68))
    assert played == [(4, 5, 60), (4, 5, 67), (4, 5, 68), (4, 8, 64)]
    assert (losses, left_out) == ({"lengthened": 3}, {})


def test_a_grace_note_before_the_first_frame_is_left_out():
    played, losses, left_out = read((0, 30, 61), (30, 960, 62))
    assert (played, left_out) == ([(0, 8, 62)], {"grace notes before the first frame": 1})
    assert "grace notes" not in losses


def test_an_uneven_chord_has_no_grace_notes():
    played, losses, _ = read((465, 480, 60), (470, 960, 64), (500, 960, 67))
    assert [start for start, _, _ in played] == [4, 4, 4]
    assert losses == {"merged": 1, "lengthened": 1}


def test_short_early_notes_are_on_the_beat():
    early = [(480 * beat - 12, 480 * beat, 60) for beat in range(1, 9)]
    assert [start for start, _, _ in read(*early)[0]] == [4 * beat for beat in range(1, 9)]


def test_a_trill_of_thirty_seconds_keeps_its_duration():
    trill = [(60 * turn, 60 * turn + 60, 60 + 2 * (turn % 2)) for turn in range(16)]
    played, losses, _ = read(*trill)
    assert played == [(frame, frame + 1, pitch) for frame in range(8) for pitch in (60, 62)]
    assert losses == {"merged": 8, "moved": 8}


def test_every_second_of_repeated_thirty_seconds_is_lost():
    played, losses, _ = read(*[(60 * turn, 60 * turn + 60, 60) for turn in range(16)])
    assert played == [(frame, frame + 1, 60) for frame in range(8)]
    assert losses == {"struck again": 8, "moved": 8}


def test_a_finer_grid_loses_no_thirty_seconds():
    played, losses, _ = read(*[(60 * turn, 60 * turn + 60, 60) for turn in range(16)], grid=8)
    assert (len(played), losses) == (16, {})


def test_a_run_keeps_its_order():
    run = [(0, 30, 60), (31, 60, 62), (61, 90, 64), (91, 119, 65), (120, 480, 67)]
    played, losses, _ = read(*run)
    assert played == [(0, 1, 60), (0, 1, 62), (0, 1, 64), (0, 1, 65), (1, 4, 67)]
    assert losses["merged"] == 3


def test_triplets_and_swing_fit_a_grid_of_twelve():
    swing = [
        (480 * beat + late, 480 * beat + off, 60) for beat in range(8) for late, off in ((0, 320), (320, 480))
    ]
    triplets = [(160 * turn, 160 * turn + 160, 72 + turn % 3) for turn in range(24)]
    assert read(*swing, *triplets, grid=12)[1:] == ({}, {})
    losses = read(*swing, *triplets)[1]
    assert losses["moved"] == 8 + 16
    fast = [(80 * turn, 80 * turn + 80, 72 + turn % 2) for turn in range(6)]
    assert read(*fast)[1] == {"merged": 2, "moved": 4}
    assert read(*fast, grid=12)[1] == {}


def test_a_held_note_continues_where_another_voice_strikes_its_key():
    assert read((0, 1920, 60), (960, 1440, 60))[0] == [(0, 8, 60), (8, 16, 60)]
    repeats = [(480 * beat, 480 * beat + 60, 60) for beat in range(1, 8)]
    played, losses, _ = read((0, 64 * SIXTEENTH, 60), *repeats)
    assert played == [(4 * beat, 4 * beat + 4, 60) for beat in range(7)] + [(28, 64, 60)]
    assert "doubled" not in losses


def test_a_unison_is_one_press():
    assert read((0, 480, 60), (0, 960, 60))[::2] == ([(0, 8, 60)], {})
    assert read((0, 480, 60), (5, 960, 60))[1] == {"doubled": 1}


def test_notes_outside_the_keyboard_are_counted():
    played, _, left_out = read((0, 480, 20), (0, 480, 21), (0, 480, 108), (0, 480, 109), (0, 480, 127))
    assert [pitch for _, _, pitch in played] == [21, 108]
    assert left_out == {"outside the 88 keys": 3}
    assert read() == ([], {}, {})


def test_changed_lengths_are_counted():
    assert read((0, 10, 60))[1] == {"lengthened": 1}
    assert read((50, 310, 60))[1] == {"moved": 1, "lengthened": 1}
    assert read((70, 290, 60))[1] == {"moved": 1, "shortened": 1}


rows = st.tuples(st.integers(0, 6000), st.integers(0, 900), st.integers(40, 48)).map(
    lambda row: (row[0], row[0] + row[1], row[2])
)


@given(st.lists(rows, min_size=1, max_size=60), st.integers(1, 48))
@settings(max_examples=200, deadline=None)
def test_notes_are_moved_by_a_frame_and_a_half_at_most(notes, grid):
    played, losses, left_out = read(*notes, grid=grid)
    starts = {(start, pitch) for start, _, pitch in played}
    lost = losses.get("struck again", 0) + losses.get("doubled", 0)
    assert len(notes) == len(played) + lost + sum(left_out.values())
    for start, _, pitch in notes:
        place = start * grid / DIVISION
        near = {(round(place) + step, pitch) for step in (-2, -1, 0, 1)}
        assert near & starts or left_out
    for start, end, pitch in played:
        sounds = [(on, off) for on, off, p in notes if p == pitch and on * grid / DIVISION < start + 1.5]
        assert end <= max(start + 1, max(off for _, off in sounds) * grid / DIVISION + 0.5)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 9), st.integers(0, KEYS - 1)), min_size=1))
@settings(max_examples=200, deadline=None)
def test_jitter_of_a_fifth_of_a_frame_changes_nothing(notes):
    rng = np.random.default_rng(len(notes))
    notes = [(start + 1, start + 1 + length, key + LOWEST_KEY) for start, length, key in notes]
    exact = [tuple(SIXTEENTH * place for place in row[:2]) + row[2:] for row in notes]
    jitter = rng.integers(-23, 24, (len(notes), 2)).tolist()
    jittered = [(on + a, off + b, pitch) for (on, off, pitch), (a, b) in zip(exact, jitter, strict=True)]
    assert read(*jittered)[0] == read(*exact)[0]
