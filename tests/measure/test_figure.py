import numpy as np
import pytest

from zoo.measure.evaluation import Evaluation, Term, compare
from zoo.measure.figure import mean
from zoo.measure.interval import interval
from zoo.parts.kinds import combined_kind


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


def test_all_frames_have_the_same_weight():
    score = evaluation(frames=(10, 30), codes=(10.0, 90.0), keys=(0.0, 0.0)).score()
    mean_of_pieces = (10 / 10 + 90 / 30) / 2
    assert score.value == pytest.approx(100 / 40)
    assert score.value != mean_of_pieces
    assert (score.count, score.pieces) == (40, 2)


def test_the_score_is_full_if_the_music_has_onsets():
    with_onsets = evaluation(codes=(10, 30), keys=(5, 15), residual=(1, 3), velocity=(8, 2), struck=(4, 1))
    without_onsets = evaluation(codes=(10, 30), keys=(5, 15))
    assert with_onsets.is_full
    assert with_onsets.score().value == pytest.approx(1 + 0.5 + 0.1)
    assert not without_onsets.is_full
    assert without_onsets.score().value == pytest.approx(1.5)


def test_velocity_is_scored_per_struck_note():
    figure = evaluation(codes=(1, 1), keys=(0, 0), velocity=(8, 2), struck=(4, 1)).figure("velocity")
    assert figure.value == pytest.approx(2.0)
    assert figure.count == 5


@pytest.mark.parametrize(
    ("kinds", "combined"),
    [
        (("exact", "exact"), "exact"),
        (("exact", "bound"), "bound"),
        (("estimate", "exact"), "estimate"),
        (("bound", "estimate"), "estimated bound"),
        (("estimated bound", "exact"), "estimated bound"),
    ],
)
def test_the_kind_of_a_sum(kinds, combined):
    assert combined_kind(kinds) == combined
    assert combined_kind(reversed(kinds)) == combined


@pytest.mark.parametrize(("more", "verdict"), [(1e-12, "not clear"), (1e-3, "higher")])
def test_a_difference_of_rounding_is_not_clear(more, verdict):
    frames, nats = (10.0,) * 5, np.array([11.0, 12, 13, 14, 15])
    first = evaluation(frames=frames, codes=nats + more, keys=nats)
    difference = compare(first, evaluation(frames=frames, codes=nats, keys=nats))
    assert difference.verdict == verdict
    assert not difference.is_left_open


def test_variances_of_pieces_add_up():
    figure = mean(np.array([10.0, 20.0]), np.array([1.0, 4.0]), "estimate", np.array([9.0, 16.0]))
    assert figure.value == pytest.approx(6.0)
    assert figure.error == pytest.approx(5.0 / 5.0)


def test_variances_of_terms_add_up():
    frames = np.array([10.0, 30.0])
    exact = Term(frames, "exact")
    estimate = Term(frames, "estimate", np.array([4.0, 5.0]))
    bound = Term(frames, "estimated bound", np.array([20.0, 7.0]))
    names = ("a", "b")
    result = Evaluation(names, names, frames, {"codes": exact, "keys": estimate, "residual": bound})
    assert result.score().error == pytest.approx(6 / 40)
    assert result.figure("codes", "keys").error == pytest.approx(3 / 40)
    assert result.figure("residual", "codes").error == pytest.approx(27**0.5 / 40)
    assert result.figure("codes").error is None
    assert result.total("keys", "residual").variance == pytest.approx([24, 12])


def test_the_difference_is_paired():
    rng = np.random.default_rng(0)
    better = rng.normal(10, 3, size=40)
    worse = better + 0.2 + rng.normal(0, 0.1, size=40)
    pieces = {"frames": (1,) * 40, "keys": (0,) * 40}
    difference = compare(evaluation(codes=better, **pieces), evaluation(codes=worse, **pieces))
    assert difference.value == pytest.approx(-0.2, abs=0.05)
    assert difference.is_clear
    unpaired = interval(np.array([better]), np.ones(40))
    assert difference.interval[1] - difference.interval[0] < (unpaired[1] - unpaired[0]) / 5


def test_equal_distributions_have_no_clear_difference():
    rng = np.random.default_rng(5)
    left, right = rng.normal(10, 1, size=(2, 50))
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
def test_the_mark_of_a_difference(first, second, mark):
    left = evaluation(codes=(1, 2), keys=(0, 0), kinds={"codes": first})
    right = evaluation(codes=(1, 2), keys=(0, 0), kinds={"codes": second})
    assert compare(left, right).mark == mark


def test_only_equal_pieces_and_terms_can_be_compared():
    left = evaluation(codes=(1, 2), keys=(0, 0))
    with pytest.raises(ValueError, match="same pieces"):
        compare(left, evaluation(codes=(1, 2), keys=(0, 0), digests=("a", "b")))
    with pytest.raises(ValueError, match="with a residual cannot be compared"):
        compare(left, evaluation(codes=(1, 2), keys=(0, 0), residual=(1, 1)))


def test_a_bound_above_an_exact_number_proves_nothing():
    low, high = {"codes": (1, 5.1), "keys": (0, 0)}, {"codes": (2, 8), "keys": (0, 0)}
    bound = {"codes": "bound"}
    assert compare(evaluation(**high), evaluation(**low)).is_clear
    assert not compare(evaluation(**high, kinds=bound), evaluation(**low)).is_clear
    assert compare(evaluation(**low, kinds=bound), evaluation(**high)).is_clear
    assert not compare(evaluation(**low), evaluation(**high, kinds=bound)).is_clear
