import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.measure.distance import jensen_shannon, resampled, shuffled, wasserstein

stats = pytest.importorskip("scipy.stats")
weights = st.lists(st.floats(0.01, 10), min_size=5, max_size=5).map(np.array)
VALUES = np.array([-1.0, 0.0, 0.5, 4.0, 9.0])


@given(weights, weights)
def test_wasserstein_is_scipys(first, second):
    expected = stats.wasserstein_distance(VALUES, VALUES, first, second)
    assert wasserstein(first, second, VALUES) == pytest.approx(expected, abs=1e-9)


def test_wasserstein_of_a_shift_is_the_shift():
    assert wasserstein(np.array([1, 1, 0, 0.0]), np.array([0, 0, 3, 3.0]), np.arange(4.0)) == 2


@given(weights, weights)
def test_jensen_shannon_is_symmetric_bounded_and_zero_on_itself(first, second):
    there, back = jensen_shannon(first, second), jensen_shannon(second, first)
    assert there == pytest.approx(back)
    assert 0 <= there <= np.log(2)
    assert jensen_shannon(first, 3 * first) == pytest.approx(0, abs=1e-12)


def test_jensen_shannon_of_what_shares_nothing_is_ln_2():
    assert jensen_shannon(np.array([1.0, 0]), np.array([0, 5.0])) == pytest.approx(np.log(2))


def test_resampling_draws_as_many_rows_and_the_same_ones_for_a_seed():
    table = np.eye(6)
    drawn = resampled(table, 300, (1, 2))
    assert drawn.shape == (300, 6)
    assert (drawn.sum(1) == 6).all()
    assert drawn.mean(0) == pytest.approx(np.ones(6), abs=0.2)
    np.testing.assert_array_equal(drawn, resampled(table, 300, (1, 2)))
    assert (drawn != resampled(table, 300, (1, 3))).any()


def test_shuffling_deals_every_row_once_and_keeps_the_sizes():
    first, second = np.eye(6)[:4], np.eye(6)[4:]
    one, other = shuffled([first, second], 400, (0,))
    assert (one.sum(1) == 4).all()
    np.testing.assert_array_equal(one + other, np.ones((400, 6)))
    assert one.mean(0) == pytest.approx(np.full(6, 4 / 6), abs=0.1)
