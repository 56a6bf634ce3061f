import numpy as np
import pytest

from zoo.measure.interval import interval, student


@pytest.mark.parametrize(
    ("freedom", "point"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (1000, 1.9623)]
)
def test_the_quantile_of_student(freedom, point):
    assert student(freedom) == pytest.approx(point, rel=1e-4)


@pytest.mark.parametrize(("of_seeds", "of_pieces"), [(1.0, 0.1), (0.1, 1.0), (1.0, 3.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(of_seeds, of_pieces):
    chance = np.random.default_rng(3)
    held, tries, seeds, pieces = 0, 400, 5, 40
    for _ in range(tries):
        nats = 2 + of_seeds * chance.normal(size=(seeds, 1)) + of_pieces * chance.normal(size=(1, pieces))
        nats = nats + 0.5 * chance.normal(size=(seeds, pieces))
        found = interval(nats, np.ones(pieces))
        held += found[0] <= 2 <= found[1]
    assert held / tries > 0.92


def test_of_one_piece_nothing_is_said():
    assert interval(np.ones((5, 1)), np.ones(1)) is None


@pytest.mark.parametrize("pieces", [5, 11, 60])
def test_of_few_pieces_too(pieces):
    chance, held, tries = np.random.default_rng(1), 0, 1000
    for _ in range(tries):
        frames = chance.integers(20, 400, size=pieces).astype(float)
        nats = frames * chance.gamma(16, 0.5, size=pieces)
        low, high = interval(nats[None], frames)
        held += low <= 8.0 <= high
    assert 0.925 <= held / tries <= 0.98


@pytest.mark.parametrize(
    ("seeds", "pieces", "of_seeds", "of_pieces"),
    [(1, 30, 0.0, 2.0), (2, 20, 0.3, 1.5), (5, 12, 1.0, 0.3), (5, 12, 0.5, 1.0), (5, 37, 0.5, 1.5)],
)
def test_of_pieces_of_any_length_that_are_harder_the_longer_they_are(seeds, pieces, of_seeds, of_pieces):
    chance, held, tries, lengths = np.random.default_rng(7), 0, 600, np.arange(20, 701)
    truth = (lengths * (8 + lengths / 90)).sum() / lengths.sum()
    for _ in range(tries):
        frames = chance.integers(20, 701, size=pieces).astype(float)
        level = 8 + frames / 90 + of_pieces * chance.normal(size=pieces)
        level = level + of_seeds * chance.normal(size=(seeds, 1)) + 0.2 * chance.normal(size=(seeds, pieces))
        low, high = interval(frames * level, frames)
        held += low <= truth <= high
    assert 0.925 <= held / tries <= 0.985


def test_the_same_nats_in_every_frame_leave_no_width():
    frames = np.array([3.0, 50.0, 7.0])
    assert interval(2.5 * frames[None], frames) == pytest.approx((2.5, 2.5))


def test_the_interval_has_the_width_that_theory_gives():
    nats = np.random.default_rng(3).normal(10, 2, size=(1, 400))
    low, high = interval(nats, np.ones(400))
    assert high - low == pytest.approx(2 * 1.966 * nats.std(ddof=1) / 400**0.5, rel=0.005)
    assert (low + high) / 2 == pytest.approx(nats.mean())


def test_one_long_piece_among_short_ones_is_hardly_more_than_one_piece():
    chance = np.random.default_rng(2)
    frames = np.array([10.0] * 19 + [4000.0])
    nats = frames * chance.gamma(16, 0.5, size=20)
    even, odd = interval(nats[None], frames), interval((nats / frames)[None], np.ones(20))
    assert even[1] - even[0] > 3 * (odd[1] - odd[0])


def coverage(with_families):
    """How often the interval holds the truth where four of 22 pieces come twice, almost alike."""
    chance, held, tries = np.random.default_rng(11), 0, 3000
    families = np.array([*range(22), *range(4)])
    frames = chance.integers(150, 350, size=22).astype(float)[families]
    for _ in range(tries):
        level = 8 + chance.normal(size=22)[families] + 0.1 * chance.normal(size=len(families))
        low, high = interval((frames * level)[None], frames, families if with_families else ())
        held += low <= 8 <= high
    return held / tries


def test_pieces_that_share_music_count_as_one():
    assert coverage(with_families=False) < 0.925
    assert 0.94 <= coverage(with_families=True) <= 0.965


def test_a_family_weighs_what_its_pieces_weigh_together():
    chance = np.random.default_rng(5)
    nats, frames = chance.normal(5, 1, size=(3, 6)), chance.integers(3, 50, size=6).astype(float)
    families = (4, 9, 4, 2, 9, 4)
    merged = [sum(frames[i] for i in range(6) if families[i] == one) for one in (2, 4, 9)]
    summed = [sum(nats[:, i] for i in range(6) if families[i] == one) for one in (2, 4, 9)]
    found = interval(nats, frames, families)
    assert found == pytest.approx(interval(np.stack(summed, 1), np.array(merged)))
    assert sum(found) / 2 == pytest.approx(nats.mean(0).sum() / frames.sum())


def test_families_of_one_piece_change_nothing():
    chance = np.random.default_rng(6)
    nats, frames = chance.normal(5, 1, size=(3, 9)), chance.integers(3, 50, size=9).astype(float)
    assert interval(nats, frames, (8, 1, 0, 5, 2, 3, 4, 6, 7)) == pytest.approx(interval(nats, frames))


def test_of_one_family_nothing_is_said():
    assert interval(np.ones((2, 3)), np.ones(3), (7, 7, 7)) is None
