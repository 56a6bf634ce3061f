"""Resemblance: nothing lies between music and itself, and what is made different is said to be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo.measure.resemblance import Resemblance, corrected, passage_frames, resemble
from zoo.music.roll import Roll

SOUNDING = frozenset({"sounding"})


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
    assert found["longest copy"].generated < 40 < 70 < found["longest copy"].held_out <= 80


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
    assert {likeness.verdict for likeness in found.likenesses} == {"not clear"}


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
