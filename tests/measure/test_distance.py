import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.measure.distance import bootstrap_sums, jensen_shannon, permuted_sums, wasserstein

stats = pytest.importorskip("scipy.stats")
weights = st.lists(st.floats(0.01, 10), min_size=5, max_size=5).map(np.array)
VALUES = np.array([-1.0, 0.0, 0.5, 4.0, 9.0])


@given(weights, weights)
def test_wasserstein_equals_scipy(first, second):
    expected = stats.wasserstein_distance(VALUES, VALUES, first, second)
    assert wasserstein(first, second, VALUES) == pytest.approx(expected, abs=1e-9)


def test_wasserstein_of_a_shifted_distribution_is_the_shift():
    assert wasserstein(np.array([1, 1, 0, 0.0]), np.array([0, 0, 3, 3.0]), np.arange(4.0)) == 2


@given(weights, weights)
def test_jensen_shannon_is_symmetric_bounded_and_zero_on_itself(first, second):
    divergence, reverse = jensen_shannon(first, second), jensen_shannon(second, first)
    assert divergence == pytest.approx(reverse)
    assert 0 <= divergence <= np.log(2)
    assert jensen_shannon(first, 3 * first) == pytest.approx(0, abs=1e-12)


def test_jensen_shannon_of_disjoint_distributions_is_ln_2():
    assert jensen_shannon(np.array([1.0, 0]), np.array([0, 5.0])) == pytest.approx(np.log(2))


def test_bootstrap_draws_all_rows_equally_often_and_is_deterministic():
    table = np.eye(6)
    drawn = bootstrap_sums(table, 300, (1, 2))
    assert drawn.shape == (300, 6)
    assert (drawn.sum(1) == 6).all()
    assert drawn.mean(0) == pytest.approx(np.ones(6), abs=0.2)
    np.testing.assert_array_equal(drawn, bootstrap_sums(table, 300, (1, 2)))
    assert (drawn != bootstrap_sums(table, 300, (1, 3))).any()


def test_permutation_uses_every_row_once_and_keeps_group_sizes():
    tables = np.eye(6)[:4], np.eye(6)[4:]
    first, second = permuted_sums(tables, 400, (0,))
    assert (first.sum(1) == 4).all()
    np.testing.assert_array_equal(first + second, np.ones((400, 6)))
    assert first.mean(0) == pytest.approx(np.full(6, 4 / 6), abs=0.1)
