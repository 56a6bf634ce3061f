import numpy as np
import pytest

from zoo.measure.evaluation import Evaluation, Term, compare
from zoo.measure.figure import combined_kind, mean
from zoo.measure.interval import interval


def evaluation(*, frames=(10, 30), kinds=None, digests=None, struck=None, **nats):
    kinds = kinds or {}
    terms = {name: Term(np.array(values, float), kinds.get(name, "exact")) for name, values in nats.items()}
    return Evaluation(
        titles=tuple(f"piece {number}" for number in range(len(frames))),
        digests=digests or tuple(str(number) for number in range(len(frames))),
        frames=np.array(frames, float),
        terms=terms,
        struck=None if struck is None else np.array(struck, float),
    )


def test_a_frame_weighs_the_same_in_a_long_and_in_a_short_piece():
    found = evaluation(frames=(10, 30), codes=(10.0, 90.0), keys=(0.0, 0.0))
    per_piece = (10 / 10 + 90 / 30) / 2
    assert found.score().value == pytest.approx(100 / 40)
    assert found.score().value != per_piece
    assert (found.score().count, found.score().pieces) == (40, 2)


def test_the_score_is_full_where_the_music_knows_what_is_struck():
    whole = evaluation(codes=(10, 30), keys=(5, 15), residual=(1, 3), velocity=(8, 2), struck=(4, 1))
    part = evaluation(codes=(10, 30), keys=(5, 15))
    assert whole.is_full
    assert whole.score().value == pytest.approx(1 + 0.5 + 0.1)
    assert not part.is_full
    assert part.score().value == pytest.approx(1.5)


def test_loudness_is_counted_per_struck_note():
    found = evaluation(codes=(1, 1), keys=(0, 0), velocity=(8, 2), struck=(4, 1))
    assert found.figure("velocity").value == pytest.approx(2.0)
    assert found.figure("velocity").count == 5


@pytest.mark.parametrize(
    ("kinds", "sum_"),
    [
        (("exact", "exact"), "exact"),
        (("exact", "bound"), "bound"),
        (("estimate", "exact"), "estimate"),
        (("bound", "estimate"), "estimated bound"),
        (("estimated bound", "exact"), "estimated bound"),
    ],
)
def test_a_sum_inherits_every_weakness_of_its_terms(kinds, sum_):
    assert combined_kind(kinds) == sum_
    assert combined_kind(reversed(kinds)) == sum_


def test_standard_errors_of_estimates_add_in_squares():
    found = mean(np.array([10.0, 20.0]), np.array([1.0, 4.0]), "estimate", np.array([9.0, 16.0]))
    assert found.value == pytest.approx(6.0)
    assert found.error == pytest.approx(5.0 / 5.0)


def test_a_sum_of_estimates_has_the_errors_of_all_of_them():
    frames = np.array([10.0, 30.0])
    sure = Term(frames, "exact")
    rough = Term(frames, "estimate", np.array([4.0, 5.0]))
    bound = Term(frames, "estimated bound", np.array([20.0, 7.0]))
    names = ("a", "b")
    found = Evaluation(names, names, frames, {"codes": sure, "keys": rough, "residual": bound})
    assert found.score().error == pytest.approx(6 / 40)
    assert found.figure("codes", "keys").error == pytest.approx(3 / 40)
    assert found.figure("residual", "codes").error == pytest.approx(27**0.5 / 40)
    assert found.figure("codes").error is None
    assert found.total("keys", "residual").variance == pytest.approx([24, 12])


def test_the_difference_is_paired():
    chance = np.random.default_rng(0)
    hard = chance.normal(10, 3, size=40)
    worse, better = hard + 0.2 + chance.normal(0, 0.1, size=40), hard
    pieces = {"frames": (1,) * 40, "keys": (0,) * 40}
    found = compare(evaluation(codes=better, **pieces), evaluation(codes=worse, **pieces))
    assert found.value == pytest.approx(-0.2, abs=0.05)
    assert found.is_clear
    alone = interval(np.array([better]), np.ones(40))
    assert found.interval[1] - found.interval[0] < (alone[1] - alone[0]) / 5


def test_a_difference_of_nothing_is_not_clear():
    chance = np.random.default_rng(5)
    left, right = chance.normal(10, 1, size=(2, 50))
    pieces = {"frames": (1,) * 50, "keys": (0,) * 50}
    assert not compare(evaluation(codes=left, **pieces), evaluation(codes=right, **pieces)).is_clear


@pytest.mark.parametrize(
    ("first", "second", "mark"),
    [
        ("exact", "exact", ""),
        ("bound", "exact", "≤"),
        ("exact", "bound", "≥"),
        ("bound", "bound", "~"),
        ("estimate", "exact", "~"),
        ("bound", "estimate", "≲"),
        ("estimate", "estimated bound", "≳"),
    ],
)
def test_a_difference_says_what_it_promises(first, second, mark):
    left = evaluation(codes=(1, 2), keys=(0, 0), kinds={"codes": first})
    right = evaluation(codes=(1, 2), keys=(0, 0), kinds={"codes": second})
    assert compare(left, right).mark == mark


def test_only_the_same_pieces_and_the_same_share_of_the_score_compare():
    left = evaluation(codes=(1, 2), keys=(0, 0))
    with pytest.raises(ValueError, match="same pieces"):
        compare(left, evaluation(codes=(1, 2), keys=(0, 0), digests=("a", "b")))
    with pytest.raises(ValueError, match="leaves something out"):
        compare(left, evaluation(codes=(1, 2), keys=(0, 0), residual=(1, 1)))


def test_a_bound_above_an_exact_number_proves_nothing():
    low, high = {"codes": (1, 5.1), "keys": (0, 0)}, {"codes": (2, 8), "keys": (0, 0)}
    bound = {"codes": "bound"}
    assert compare(evaluation(**high), evaluation(**low)).is_clear
    assert not compare(evaluation(**high, kinds=bound), evaluation(**low)).is_clear
    assert compare(evaluation(**low, kinds=bound), evaluation(**high)).is_clear
    assert not compare(evaluation(**low), evaluation(**high, kinds=bound)).is_clear
