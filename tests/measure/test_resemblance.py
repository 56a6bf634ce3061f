"""Resemblance: the choice of passages, distances and floors, and the error rate of verdicts."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import DataError
from zoo.measure.passages import halves, passage_frames, passage_meters
from zoo.measure.resemblance import Resemblance, correct_p_values, resemble
from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import Roll

SOUNDING = frozenset({"sounding"})
WALTZ = Meter.of(3, 4)
MARCH = Meter()
FIVE = Meter.of(5, 4)


def by_measure(resemblance):
    return {likeness.measure: likeness for likeness in resemblance.likenesses}


@pytest.fixture
def corpus(corpus_of, noise):
    return corpus_of([noise(seed, 80 + 8 * (seed % 5)) for seed in range(24)])


def passages(corpus, frames=80):
    rolls = (corpus.roll(index) for index in range(len(corpus.pieces)))
    return [Roll(roll.onset[:frames], roll.sounding[:frames]) for roll in rolls]


def test_passages_are_whole_bars_that_three_quarters_of_the_pieces_have(corpus_of, noise):
    def frames(*lengths):
        return passage_frames(corpus_of([noise(n, length) for n, length in enumerate(lengths)]))

    assert frames(20, 70, 90, 100) == 64
    assert frames(17, 400) == 16
    assert frames(900, 400, 800) == 256
    assert frames(15, 400) == frames(400) == 0


@pytest.fixture
def mixed(corpus_of, noise):
    """Make a corpus of pieces (frames, meter)."""

    def make(*pieces, grid=4):
        rolls = [replace(noise(n, frames), meter=meter) for n, (frames, meter) in enumerate(pieces)]
        return corpus_of(rolls, name=f"mixed {pieces}", grid=grid)

    return make


def test_passages_are_whole_bars_in_the_meter_of_each_piece(mixed):
    assert passage_frames(mixed(*[(100, WALTZ)] * 4)) == 96
    assert passage_frames(mixed((150, WALTZ), (150, MARCH), (150, WALTZ), (150, MARCH))) == 144
    assert passage_frames(mixed((100, Meter.of(offset=15)), (100, MARCH))) == 96
    assert passage_frames(mixed((98, Meter.of(offset=12)), (98, MARCH))) == 80
    changing = Meter(4, (TimeSignature(), TimeSignature(32, 3, 4)))
    assert passage_frames(mixed(*[(100, changing)] * 2)) == 92


def test_the_maximum_length_does_not_depend_on_the_grid(mixed):
    assert passage_frames(mixed(*[(2000, Meter.of(grid=12))] * 2, grid=12)) == 64 * 12
    assert passage_frames(mixed(*[(2000, Meter.of(7, 8, grid=12))] * 2, grid=12)) == 18 * 42


def test_fewer_pieces_suffice_if_meters_are_mixed(mixed):
    seven = Meter.of(7, 8)
    assert passage_frames(mixed(*[(100, MARCH)] * 3, *[(100, seven)] * 1)) == 96
    assert passage_frames(mixed(*[(100, MARCH)] * 2, *[(100, seven)] * 2)) == 98
    assert passage_frames(mixed((100, MARCH), (100, seven), (100, FIVE), (100, WALTZ))) == 96
    assert passage_frames(mixed((13, WALTZ), (17, MARCH))) == 0


def test_held_out_passages_start_at_a_bar_line_and_keep_their_meter(mixed):
    corpus = mixed((110, Meter.of(3, 4, offset=8)), (110, MARCH), (110, FIVE), (110, Meter.of(offset=12)))
    first, second = halves(corpus, 96, at_most=2)
    rolls = {roll.meter: roll for roll in (*first, *second)}
    assert set(rolls) == {WALTZ, MARCH}
    assert [roll.frames for roll in (*first, *second)] == [96] * 3
    np.testing.assert_array_equal(rolls[WALTZ].sounding, corpus.roll(0).sounding[4:100])


def test_meters_of_generated_passages_are_proportional_to_held_out_ones(mixed):
    upbeat = Meter.of(3, 4, offset=8)
    corpus = mixed((110, upbeat), (110, WALTZ), (110, MARCH), (110, FIVE), (20, MARCH))
    assert passage_meters(corpus, 96, 32) == [(WALTZ, 21), (MARCH, 11)]
    assert passage_meters(corpus, 96, 1) == [(WALTZ, 1)]
    assert passage_meters(corpus, 97, 32) == []
    changing = Meter(4, (TimeSignature(), TimeSignature(32, 2, 4), TimeSignature(48, 3, 4)))
    assert passage_meters(mixed((110, changing)), 96, 2) == [(WALTZ, 2)]
    fine = mixed((330, Meter.of(6, 8, grid=12)), grid=12)
    assert passage_meters(fine, 144, 5) == [(Meter.of(6, 8, grid=12), 5)]


def test_music_on_different_grids_is_an_error(mixed, corpus, noise):
    fine = mixed(*[(400, Meter.of(grid=12))] * 4, grid=12)
    generated = [noise(n, 96) for n in range(4)]
    with pytest.raises(DataError, match=r"generated: 4; mixed .*: 12; noise for training: 4") as error:
        resemble(generated, fine, corpus)
    assert "the same grid" in str(error.value)
    with pytest.raises(DataError, match="generated: 4, 12"):
        resemble([*generated, replace(generated[0], meter=Meter.of(grid=12))], corpus, corpus)
    with pytest.raises(DataError, match="for training: 12"):
        resemble(generated, corpus, fine)


def test_lengths_are_in_quarter_notes(mixed):
    corpus = mixed(*[(192, Meter.of(grid=12))] * 6, grid=12)
    rolls = [corpus.roll(index) for index in range(6)]
    resemblance = by_measure(resemble(rolls, corpus, corpus))
    assert resemblance["longest copy"].unit == resemblance["note length"].unit == "quarters"
    assert 15 < resemblance["longest copy"].generated <= 16
    notes = np.concatenate([roll.notes().end - roll.notes().start for roll in rolls])
    assert resemblance["note length"].generated == pytest.approx(notes.mean() / 12)


def test_music_of_the_same_distribution_is_not_different(corpus, noise):
    resemblance = resemble([noise(100 + seed, 80) for seed in range(16)], corpus, corpus.take([0]))
    assert resemblance.frames == 80
    assert resemblance.passages == (16, 12, 12)
    for likeness in resemblance.likenesses:
        assert likeness.verdict != "different", likeness.measure
        assert likeness.interval is not None
        assert likeness.passages == (16, 12, 12)


def test_p_values_are_corrected_for_the_number_of_measures(corpus, noise):
    resemblance = resemble([noise(100 + seed, 80) for seed in range(16)], corpus, corpus.take([0])).likenesses
    p_values = (0.01, 0.04, 0.02, 0.015)
    likenesses = [
        replace(likeness, chance=p_value, corrected=p_value)
        for likeness, p_value in zip(resemblance, p_values, strict=False)
    ]
    corrected = correct_p_values(likenesses)
    assert [likeness.corrected for likeness in corrected] == pytest.approx([0.04, 0.045, 0.045, 0.045])
    assert [likeness.measure for likeness in corrected] == [likeness.measure for likeness in likenesses]
    twice = correct_p_values([*corrected, *corrected])
    assert [likeness.verdict for likeness in twice] == ["not clear"] * 8
    high = correct_p_values([replace(resemblance[0], chance=0.9)] * 2)
    assert [likeness.corrected for likeness in high] == [1, 1]


def test_verdicts_need_three_passages(corpus, noise):
    generated = [replace(noise(100 + seed, 80), sounding=np.ones((80, 88), np.bool_)) for seed in range(3)]
    for few in (generated[:1], generated[:2]):
        likenesses = resemble(few, corpus, corpus.take([0])).likenesses
        assert {likeness.verdict for likeness in likenesses} == {"too few"}
    resemblance = resemble(generated, corpus, corpus.take([0]))
    assert resemblance.passages == (3, 3, 3)
    assert {likeness.verdict for likeness in resemblance.likenesses} == {"not clear"}
    too_few = replace(resemblance.likenesses[0], passages=(9, 9, 2), corrected=0.0)
    assert (too_few.verdict, replace(too_few, passages=(9, 9, 3)).verdict) == ("too few", "different")


def test_false_positives_are_rare(corpus_of, noise):
    """Without the correction, nine of these thirty tables have a false positive."""
    false_positives = 0
    for first in range(0, 1200, 40):
        corpus = corpus_of([noise(seed, 32) for seed in range(first, first + 24)])
        generated = [noise(seed, 32) for seed in range(first + 24, first + 40)]
        resemblance = resemble(generated, corpus, corpus.take([]), resamples=400).likenesses
        false_positives += any(likeness.verdict == "different" for likeness in resemblance)
    assert false_positives <= 4


def test_equal_music_has_distance_and_floor_zero(corpus_of, noise, monkeypatch):
    # Pieces with the same notes are of one family, of which one passage is compared.
    monkeypatch.setattr("zoo.measure.passages._with_passage", lambda held_out, frames: [0, 1])
    twice = [noise(seed, 80) for seed in (1, 1)]
    # other velocities make it a different piece with the same notes
    twice[1] = replace(twice[1], velocity=np.where(twice[1].onset, 9, 0).astype(np.uint8))
    corpus = corpus_of(twice)
    for likeness in resemble(passages(corpus), corpus, corpus.take([])).likenesses:
        assert likeness.distance == likeness.floor == pytest.approx(0, abs=1e-12)


def test_different_music_is_reported_as_different(corpus):
    def double_at_the_octave(roll):
        high = np.roll(roll.sounding, 12, axis=1)
        return Roll(roll.onset | np.roll(roll.onset, 12, axis=1), roll.sounding | high)

    resemblance = by_measure(
        resemble([double_at_the_octave(roll) for roll in passages(corpus)], corpus, corpus)
    )
    polyphony = resemblance["keys at once"]
    assert polyphony.verdict == "different"
    assert polyphony.generated > polyphony.held_out + 1
    assert polyphony.distance == pytest.approx(polyphony.generated - polyphony.held_out, rel=0.05)
    low, high = polyphony.interval
    assert polyphony.floor < low < polyphony.distance < high
    assert resemblance["longest copy"].generated < 10 < 18 < resemblance["longest copy"].held_out <= 20


def test_measures_that_need_onsets_are_left_out_without_them(corpus_of, noise):
    rolls = [noise(seed, 80) for seed in range(12)]
    whole = corpus_of(rolls)
    silent = corpus_of([Roll(None, roll.sounding) for roll in rolls], SOUNDING, "sounds")
    known, unknown = by_measure(resemble(rolls, whole, whole)), by_measure(resemble(rolls, silent, silent))
    assert set(known) - set(unknown) == {"groove consistency", "note length"}
    for name, likeness in unknown.items():
        assert likeness.generated == pytest.approx(known[name].generated), name


def test_passages_with_undefined_measures_are_left_out(corpus):
    silent = Roll(np.zeros((80, 88), np.bool_), np.zeros((80, 88), np.bool_))
    half = by_measure(resemble([*passages(corpus)[:5], silent, silent], corpus, corpus))
    assert half["scale consistency"].passages == (5, 7, 7)
    assert half["silent frames"].passages == (7, 7, 7)
    none = by_measure(resemble([silent, silent], corpus, corpus))
    assert "scale consistency" not in none
    assert none["silent frames"].generated == none["empty bars"].generated == 1
    assert none["longest copy"].generated == 0


def test_a_single_passage_has_a_distance_but_no_interval(corpus):
    resemblance = resemble(passages(corpus)[:1], corpus, corpus)
    assert resemblance.passages == (1, 1, 1)
    assert all(likeness.interval is None for likeness in resemblance.likenesses)
    assert {likeness.verdict for likeness in resemblance.likenesses} == {"too few"}


def test_resemblance_is_deterministic_and_can_be_stored_as_json(corpus, noise):
    generated = [noise(100 + seed, 80) for seed in range(4)]
    first, again = (resemble(generated, corpus, corpus, seed=3) for _ in range(2))
    assert first == again
    content = json.loads(json.dumps(first.to_json(), allow_nan=False))
    assert Resemblance.from_json(content) == first
    assert content["frames"] == 80
    assert content["passages"] == [4, 4, 4]
    classes = next(
        resemblance for resemblance in content["measures"] if resemblance["measure"] == "pitch classes"
    )
    assert (classes["metric"], classes["unit"], classes["generated"]) == ("jensen-shannon", None, None)
    assert classes["verdict"] in ("different", "not clear")


def test_invalid_passages_are_an_error(corpus, noise):
    with pytest.raises(ValueError, match="same length"):
        resemble([noise(1, 32), noise(2, 48)], corpus, corpus)
    with pytest.raises(ValueError, match="same length"):
        resemble([], corpus, corpus)
    with pytest.raises(ValueError, match="fewer than two"):
        resemble([noise(1, 500)], corpus, corpus)


def test_versions_of_one_piece_count_as_one_passage(corpus_of, noise):
    """Otherwise equal music is called different: eight versions of a piece are not eight observations."""
    versions = [noise(seed, 80).transposed(up) for seed in range(3) for up in range(8)]
    held_out = corpus_of(versions, name="versions")
    assert len({piece.family for piece in held_out.pieces}) == 3
    first, second = halves(held_out, 80, at_most=24)
    assert (len(first), len(second)) == (2, 1)
    assert sum(share for _, share in passage_meters(held_out, 80, 12)) == 12
    generated = [noise(100 + seed, 80) for seed in range(12)]
    resemblance = resemble(generated, held_out, held_out.take([0]))
    assert all(likeness.verdict != "different" for likeness in resemblance.likenesses)
    with pytest.raises(ValueError, match="fewer than two families"):
        halves(held_out.take([n for n, piece in enumerate(held_out.pieces) if piece.family == 0]), 80, 4)
