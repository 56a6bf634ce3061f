import numpy as np
import pytest

from zoo.measure.interval import interval, student_quantile


@pytest.mark.parametrize(
    ("freedom", "point"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (1000, 1.9623)]
)
def test_the_quantile_of_students_t(freedom, point):
    assert student_quantile(freedom) == pytest.approx(point, rel=1e-4)


@pytest.mark.parametrize(("of_seeds", "of_pieces"), [(1.0, 0.1), (0.1, 1.0), (1.0, 3.0)])
def test_coverage_with_crossed_seeds_and_pieces(of_seeds, of_pieces):
    rng = np.random.default_rng(3)
    covered, repeats, seeds, pieces = 0, 400, 5, 40
    for _ in range(repeats):
        nats = 2 + of_seeds * rng.normal(size=(seeds, 1)) + of_pieces * rng.normal(size=(1, pieces))
        nats = nats + 0.5 * rng.normal(size=(seeds, pieces))
        low, high = interval(nats, np.ones(pieces))
        covered += low <= 2 <= high
    assert covered / repeats > 0.92


def test_one_piece_has_no_interval():
    assert interval(np.ones((5, 1)), np.ones(1)) is None


@pytest.mark.parametrize("pieces", [5, 11, 60])
def test_coverage_with_few_pieces(pieces):
    rng, covered, repeats = np.random.default_rng(1), 0, 1000
    for _ in range(repeats):
        frames = rng.integers(20, 400, size=pieces).astype(float)
        nats = frames * rng.gamma(16, 0.5, size=pieces)
        low, high = interval(nats[None], frames)
        covered += low <= 8.0 <= high
    assert 0.925 <= covered / repeats <= 0.98


@pytest.mark.parametrize(
    ("seeds", "pieces", "of_seeds", "of_pieces"),
    [(1, 30, 0.0, 2.0), (2, 20, 0.3, 1.5), (5, 12, 1.0, 0.3), (5, 12, 0.5, 1.0), (5, 37, 0.5, 1.5)],
)
def test_coverage_if_long_pieces_have_higher_nats(seeds, pieces, of_seeds, of_pieces):
    rng, covered, repeats, lengths = np.random.default_rng(7), 0, 600, np.arange(20, 701)
    truth = (lengths * (8 + lengths / 90)).sum() / lengths.sum()
    for _ in range(repeats):
        frames = rng.integers(20, 701, size=pieces).astype(float)
        level = 8 + frames / 90 + of_pieces * rng.normal(size=pieces)
        level = level + of_seeds * rng.normal(size=(seeds, 1)) + 0.2 * rng.normal(size=(seeds, pieces))
        low, high = interval(frames * level, frames)
        covered += low <= truth <= high
    assert 0.925 <= covered / repeats <= 0.985


def test_constant_nats_per_frame_give_an_interval_without_width():
    frames = np.array([3.0, 50.0, 7.0])
    assert interval(2.5 * frames[None], frames) == pytest.approx((2.5, 2.5))


def test_the_width_of_the_interval_agrees_with_theory():
    nats = np.random.default_rng(3).normal(10, 2, size=(1, 400))
    low, high = interval(nats, np.ones(400))
    assert high - low == pytest.approx(2 * 1.966 * nats.std(ddof=1) / 400**0.5, rel=0.005)
    assert (low + high) / 2 == pytest.approx(nats.mean())


def test_one_very_long_piece_widens_the_interval():
    rng = np.random.default_rng(2)
    frames = np.array([10.0] * 19 + [4000.0])
    nats = frames * rng.gamma(16, 0.5, size=20)
    weighted, unweighted = interval(nats[None], frames), interval((nats / frames)[None], np.ones(20))
    assert weighted[1] - weighted[0] > 3 * (unweighted[1] - unweighted[0])


def coverage(with_families):
    """The coverage of the interval if four of 22 pieces have a near duplicate."""
    rng, covered, repeats = np.random.default_rng(11), 0, 3000
    families = np.array([*range(22), *range(4)])
    frames = rng.integers(150, 350, size=22).astype(float)[families]
    for _ in range(repeats):
        level = 8 + rng.normal(size=22)[families] + 0.1 * rng.normal(size=len(families))
        low, high = interval((frames * level)[None], frames, families if with_families else ())
        covered += low <= 8 <= high
    return covered / repeats


def test_families_restore_coverage():
    assert coverage(with_families=False) < 0.925
    assert 0.94 <= coverage(with_families=True) <= 0.965


def test_a_family_has_the_weight_of_its_pieces():
    rng = np.random.default_rng(5)
    nats, frames = rng.normal(5, 1, size=(3, 6)), rng.integers(3, 50, size=6).astype(float)
    families = (4, 9, 4, 2, 9, 4)
    family_frames = [sum(frames[i] for i in range(6) if families[i] == family) for family in (2, 4, 9)]
    family_nats = [sum(nats[:, i] for i in range(6) if families[i] == family) for family in (2, 4, 9)]
    low, high = interval(nats, frames, families)
    assert (low, high) == pytest.approx(interval(np.stack(family_nats, 1), np.array(family_frames)))
    assert (low + high) / 2 == pytest.approx(nats.mean(0).sum() / frames.sum())


def test_families_of_single_pieces_do_not_change_the_interval():
    rng = np.random.default_rng(6)
    nats, frames = rng.normal(5, 1, size=(3, 9)), rng.integers(3, 50, size=9).astype(float)
    assert interval(nats, frames, (8, 1, 0, 5, 2, 3, 4, 6, 7)) == pytest.approx(interval(nats, frames))


def test_one_family_has_no_interval():
    assert interval(np.ones((2, 3)), np.ones(3), (7, 7, 7)) is None
