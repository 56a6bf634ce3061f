"""Resemblance: nothing lies between music and itself, and what is made different is said to be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import DataError
from zoo.measure.passages import halves, passage_frames, passage_meters
from zoo.measure.resemblance import Resemblance, corrected, resemble
from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import Roll

SOUNDING = frozenset({"sounding"})
WALTZ = Meter.of(3, 4)
MARCH = Meter()
FIVE = Meter.of(5, 4)


def named(found):
    return {likeness.measure: likeness for likeness in found.likenesses}


@pytest.fixture
def corpus(corpus_of, noise):
    return corpus_of([noise(seed, 80 + 8 * (seed % 5)) for seed in range(24)])


def passages(corpus, frames=80):
    rolls = (corpus.roll(index) for index in range(len(corpus.pieces)))
    return [Roll(roll.onset[:frames], roll.sounding[:frames]) for roll in rolls]


def test_passages_are_whole_bars_that_three_of_four_pieces_have(corpus_of, noise):
    def frames(*lengths):
        return passage_frames(corpus_of([noise(n, length) for n, length in enumerate(lengths)]))

    assert frames(20, 70, 90, 100) == 64
    assert frames(17, 400) == 16
    assert frames(900, 400, 800) == 256
    assert frames(15, 400) == frames(400) == 0


@pytest.fixture
def mixed(corpus_of, noise):
    """A corpus of pieces of given lengths and meters."""

    def make(*pieces, grid=4):
        rolls = [replace(noise(n, frames), meter=meter) for n, (frames, meter) in enumerate(pieces)]
        return corpus_of(rolls, name=f"mixed {pieces}", grid=grid)

    return make


def test_passages_are_whole_bars_of_each_pieces_own_meter(mixed):
    assert passage_frames(mixed(*[(100, WALTZ)] * 4)) == 96
    assert passage_frames(mixed((150, WALTZ), (150, MARCH), (150, WALTZ), (150, MARCH))) == 144
    assert passage_frames(mixed((100, Meter.of(offset=15)), (100, MARCH))) == 96
    assert passage_frames(mixed((98, Meter.of(offset=12)), (98, MARCH))) == 80
    changing = Meter(4, (TimeSignature(), TimeSignature(32, 3, 4)))
    assert passage_frames(mixed(*[(100, changing)] * 2)) == 92


def test_the_longest_passages_are_as_long_on_any_grid(mixed):
    assert passage_frames(mixed(*[(2000, Meter.of(grid=12))] * 2, grid=12)) == 64 * 12
    assert passage_frames(mixed(*[(2000, Meter.of(7, 8, grid=12))] * 2, grid=12)) == 18 * 42


def test_where_meters_share_no_length_that_three_of_four_have_half_or_fewer_do(mixed):
    seven = Meter.of(7, 8)
    assert passage_frames(mixed(*[(100, MARCH)] * 3, *[(100, seven)] * 1)) == 96
    assert passage_frames(mixed(*[(100, MARCH)] * 2, *[(100, seven)] * 2)) == 98
    assert passage_frames(mixed((100, MARCH), (100, seven), (100, FIVE), (100, WALTZ))) == 96
    assert passage_frames(mixed((13, WALTZ), (17, MARCH))) == 0


def test_held_out_passages_begin_at_a_bar_line_and_keep_their_meter(mixed):
    corpus = mixed((110, Meter.of(3, 4, offset=8)), (110, MARCH), (110, FIVE), (110, Meter.of(offset=12)))
    first, second = halves(corpus, 96, at_most=2)
    rolls = {roll.meter: roll for roll in (*first, *second)}
    assert set(rolls) == {WALTZ, MARCH}
    assert [roll.frames for roll in (*first, *second)] == [96] * 3
    np.testing.assert_array_equal(rolls[WALTZ].sounding, corpus.roll(0).sounding[4:100])


def test_generated_passages_are_shared_out_among_the_meters_of_held_out_ones(mixed):
    upbeat = Meter.of(3, 4, offset=8)
    corpus = mixed((110, upbeat), (110, WALTZ), (110, MARCH), (110, FIVE), (20, MARCH))
    assert passage_meters(corpus, 96, 32) == [(WALTZ, 21), (MARCH, 11)]
    assert passage_meters(corpus, 96, 1) == [(WALTZ, 1)]
    assert passage_meters(corpus, 97, 32) == []
    changing = Meter(4, (TimeSignature(), TimeSignature(32, 2, 4), TimeSignature(48, 3, 4)))
    assert passage_meters(mixed((110, changing)), 96, 2) == [(WALTZ, 2)]
    fine = mixed((330, Meter.of(6, 8, grid=12)), grid=12)
    assert passage_meters(fine, 144, 5) == [(Meter.of(6, 8, grid=12), 5)]


def test_music_on_another_grid_is_refused(mixed, corpus, noise):
    fine = mixed(*[(400, Meter.of(grid=12))] * 4, grid=12)
    written = [noise(n, 96) for n in range(4)]
    with pytest.raises(DataError, match=r"generated: 4; mixed .*: 12; noise for training: 4") as caught:
        resemble(written, fine, corpus)
    assert "one grid" in str(caught.value)
    with pytest.raises(DataError, match="generated: 4, 12"):
        resemble([*written, replace(written[0], meter=Meter.of(grid=12))], corpus, corpus)
    with pytest.raises(DataError, match="for training: 12"):
        resemble(written, corpus, fine)


def test_lengths_are_in_quarter_notes(mixed):
    corpus = mixed(*[(192, Meter.of(grid=12))] * 6, grid=12)
    rolls = [corpus.roll(index) for index in range(6)]
    found = named(resemble(rolls, corpus, corpus))
    assert found["longest copy"].unit == found["note length"].unit == "quarters"
    assert 15 < found["longest copy"].generated <= 16
    notes = np.concatenate([roll.notes().end - roll.notes().start for roll in rolls])
    assert found["note length"].generated == pytest.approx(notes.mean() / 12)


def test_music_drawn_alike_is_not_told_apart(corpus, noise):
    found = resemble([noise(100 + seed, 80) for seed in range(16)], corpus, corpus.take([0]))
    assert found.frames == 80
    assert found.passages == (16, 12, 12)
    for likeness in found.likenesses:
        assert likeness.verdict != "different", likeness.measure
        assert likeness.interval is not None
        assert likeness.passages == (16, 12, 12)


def test_chances_are_corrected_for_all_measures_of_a_table(corpus, noise):
    found = resemble([noise(100 + seed, 80) for seed in range(16)], corpus, corpus.take([0])).likenesses
    chances = dict(zip((0.01, 0.04, 0.02, 0.015), found, strict=False))
    given = [replace(one, chance=chance, corrected=chance) for chance, one in chances.items()]
    of_four = corrected(given)
    assert [one.corrected for one in of_four] == pytest.approx([0.04, 0.045, 0.045, 0.045])
    assert [one.measure for one in of_four] == [one.measure for one in given]
    assert [one.verdict for one in corrected([*of_four, *of_four])] == ["not clear"] * 8
    assert [one.corrected for one in corrected([replace(found[0], chance=0.9)] * 2)] == [1, 1]


def test_one_or_two_passages_are_too_few_for_a_verdict(corpus, noise):
    written = [replace(noise(100 + seed, 80), sounding=np.ones((80, 88), np.bool_)) for seed in range(3)]
    for few in (written[:1], written[:2]):
        assert {one.verdict for one in resemble(few, corpus, corpus.take([0])).likenesses} == {"too few"}
    found = resemble(written, corpus, corpus.take([0]))
    assert found.passages == (3, 3, 3)
    assert {one.verdict for one in found.likenesses} == {"not clear"}
    less = replace(found.likenesses[0], passages=(9, 9, 2), corrected=0.0)
    assert (less.verdict, replace(less, passages=(9, 9, 3)).verdict) == ("too few", "different")


def test_few_tables_of_music_drawn_alike_call_any_measure_different(corpus_of, noise):
    """Measure by measure, at 5 % each, it is nine of these thirty."""
    wrong = 0
    for first in range(0, 1200, 40):
        corpus = corpus_of([noise(seed, 32) for seed in range(first, first + 24)])
        written = [noise(seed, 32) for seed in range(first + 24, first + 40)]
        found = resemble(written, corpus, corpus.take([]), resamples=400).likenesses
        wrong += any(likeness.verdict == "different" for likeness in found)
    assert wrong <= 4


def test_a_floor_is_zero_where_both_halves_are_one_and_so_is_the_distance(corpus_of, noise):
    twice = [noise(seed, 80) for seed in (1, 1)]
    # another loudness makes it another piece of the same notes
    twice[1] = replace(twice[1], velocity=np.where(twice[1].onset, 9, 0).astype(np.uint8))
    corpus = corpus_of(twice)
    for likeness in resemble(passages(corpus), corpus, corpus.take([])).likenesses:
        assert likeness.distance == likeness.floor == pytest.approx(0, abs=1e-12)


def test_what_is_different_is_told(corpus):
    def up_an_octave_at_times(roll):
        high = np.roll(roll.sounding, 12, axis=1)
        return Roll(roll.onset | np.roll(roll.onset, 12, axis=1), roll.sounding | high)

    found = named(resemble([up_an_octave_at_times(roll) for roll in passages(corpus)], corpus, corpus))
    polyphony = found["keys at once"]
    assert polyphony.verdict == "different"
    assert polyphony.generated > polyphony.held_out + 1
    assert polyphony.distance == pytest.approx(polyphony.generated - polyphony.held_out, rel=0.05)
    low, high = polyphony.interval
    assert polyphony.floor < low < polyphony.distance < high
    assert found["longest copy"].generated < 10 < 18 < found["longest copy"].held_out <= 20


def test_where_onsets_are_unknown_what_hangs_on_them_is_absent(corpus_of, noise):
    rolls = [noise(seed, 80) for seed in range(12)]
    whole = corpus_of(rolls)
    silent = corpus_of([Roll(None, roll.sounding) for roll in rolls], SOUNDING, "sounds")
    known, unknown = named(resemble(rolls, whole, whole)), named(resemble(rolls, silent, silent))
    assert set(known) - set(unknown) == {"groove consistency", "note length"}
    for name, likeness in unknown.items():
        assert likeness.generated == pytest.approx(known[name].generated), name


def test_silent_passages_are_left_out_of_what_they_cannot_have(corpus):
    silent = Roll(np.zeros((80, 88), np.bool_), np.zeros((80, 88), np.bool_))
    half = named(resemble([*passages(corpus)[:5], silent, silent], corpus, corpus))
    assert half["scale consistency"].passages == (5, 7, 7)
    assert half["silent frames"].passages == (7, 7, 7)
    none = named(resemble([silent, silent], corpus, corpus))
    assert "scale consistency" not in none
    assert none["silent frames"].generated == none["empty bars"].generated == 1
    assert none["longest copy"].generated == 0


def test_one_passage_has_a_distance_and_no_interval(corpus):
    found = resemble(passages(corpus)[:1], corpus, corpus)
    assert found.passages == (1, 1, 1)
    assert all(likeness.interval is None for likeness in found.likenesses)
    assert {likeness.verdict for likeness in found.likenesses} == {"too few"}


def test_it_is_the_same_each_time_and_all_of_it_is_json(corpus, noise):
    written = [noise(100 + seed, 80) for seed in range(4)]
    first, again = (resemble(written, corpus, corpus, seed=3) for _ in range(2))
    assert first == again
    told = json.loads(json.dumps(first.to_json(), allow_nan=False))
    assert Resemblance.from_json(told) == first
    assert told["frames"] == 80
    assert told["passages"] == [4, 4, 4]
    classes = next(found for found in told["measures"] if found["measure"] == "pitch classes")
    assert (classes["metric"], classes["unit"], classes["generated"]) == ("jensen-shannon", None, None)
    assert classes["verdict"] in ("different", "not clear")


def test_passages_that_do_not_compare_are_refused(corpus, noise):
    with pytest.raises(ValueError, match="equally long"):
        resemble([noise(1, 32), noise(2, 48)], corpus, corpus)
    with pytest.raises(ValueError, match="equally long"):
        resemble([], corpus, corpus)
    with pytest.raises(ValueError, match="fewer than two"):
        resemble([noise(1, 500)], corpus, corpus)
