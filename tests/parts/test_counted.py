from itertools import product

import numpy as np
import pytest
import torch

from zoo.music.meter import Meter
from zoo.parts.clock import Clock
from zoo.parts.counted import CountedResidual

PLANES = ("onset", "sounding")
KEYS = torch.tensor([[[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 0]]], dtype=torch.bool)
"""A few frames of three keys, with held and new notes in either plane."""


def coin(seed, *shape, probability=0.5):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < probability


def score(seed, batch=3, frames=40, keys=7):
    """Random valid scores: each note starts with an onset, and some are held."""
    onset, held = (
        coin(seed, batch, frames, keys, probability=0.3),
        coin(seed + 1, batch, frames, keys, probability=0.7),
    )
    sounding = onset.clone()
    for frame in range(1, frames):
        sounding[:, frame] |= sounding[:, frame - 1] & held[:, frame]
    return onset, sounding


def clock(frames, meter=None):
    meter = meter or Meter()
    return Clock.in_meters([meter], np.arange(frames)[None], meter.grid)


def log_prob(residual, onset, sounding):
    return residual.log_prob(onset, sounding, clock(onset.shape[1]))


def restore(residual, keys, seed):
    return residual.restore(keys, clock(keys.shape[1]), torch.Generator().manual_seed(seed))


def counted(plane, seed=7):
    residual = CountedResidual(plane)
    onset, sounding = score(seed, batch=20)
    residual.count(onset, sounding, clock(onset.shape[1]), mask=torch.ones(onset.shape[:2], dtype=torch.bool))
    return residual


def keys_of(plane, onset, sounding):
    return onset if plane == "onset" else sounding


def possible_scores(plane, keys):
    """All scores (onset, sounding) of a piece with given keys in one plane."""
    cells = [(frame, key) for frame in range(keys.shape[0]) for key in range(keys.shape[1])]
    for answers in product((False, True), repeat=len(cells)):
        second_plane = torch.tensor(answers).view(keys.shape)
        onset, sounding = (keys, second_plane) if plane == "onset" else (second_plane, keys)
        before = torch.cat([torch.zeros_like(sounding[:1]), sounding[:-1]])
        if not (onset & ~sounding).any() and not (sounding & ~before & ~onset).any():
            yield onset, sounding


def questions_one_by_one(plane, onset, sounding):
    """(condition, outcome) of each decision of a piece, from the definition."""
    frames, keys = onset.shape
    for frame in range(1, frames):
        new = [key for key in range(keys) if sounding[frame, key] and not sounding[frame - 1, key]]
        struck = [key for key in range(keys) if onset[frame, key]]
        given = struck if plane == "onset" else new
        for key in range(keys):
            if not sounding[frame - 1, key]:
                continue
            if onset[frame, key] if plane == "onset" else not sounding[frame, key]:
                continue
            since = next(ago for ago in range(1, frame + 1) if onset[frame - ago, key])
            near = any(abs(key - neighbour) <= 2 for neighbour in given)
            answer = (sounding if plane == "onset" else onset)[frame, key]
            yield (frame % 16, min(since, 8), min(len(given), 3), near), bool(answer)


@pytest.mark.parametrize("plane", PLANES)
def test_probabilities_of_all_scores_with_these_keys_sum_to_one(plane):
    scores = list(possible_scores(plane, KEYS[0]))
    onset, sounding = (torch.stack(side) for side in zip(*scores, strict=True))
    nats = log_prob(counted(plane), onset, sounding).sum(-1)
    assert len(scores) >= 8
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_edited_counts_give_no_probability_above_one():
    """An edited bundle could otherwise claim any score."""
    residual, (low, high) = CountedResidual("onset"), (-(2**31), 2**31 - 1)
    residual.counts[:] = torch.randint(
        low, high, residual.counts.shape, generator=torch.Generator().manual_seed(1)
    )
    residual.counts[:3] = torch.tensor([[10**6, -(10**6) + 1], [high, high], [low, low]])
    sums = residual._log_probs().double().exp().sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums), atol=1e-5, rtol=0)


@pytest.mark.parametrize("plane", PLANES)
def test_restored_scores_have_their_exact_frequencies(plane):
    residual, draws = counted(plane), 20_000
    onset, sounding = restore(residual, KEYS.expand(draws, -1, -1), 1)
    for struck, sounds in possible_scores(plane, KEYS[0]):
        probability = log_prob(residual, struck[None], sounds[None]).sum().exp().item()
        same = ((onset == struck) & (sounding == sounds)).all(-1).all(-1)
        assert same.float().mean().item() == pytest.approx(
            probability, abs=4.5 * (probability / draws) ** 0.5
        )


@pytest.mark.parametrize("plane", PLANES)
def test_restored_scores_match_their_keys(plane):
    keys = keys_of(plane, *score(3, batch=4, keys=9))
    onset, sounding = restore(counted(plane), keys.float(), 0)
    before = torch.cat([torch.zeros_like(sounding[:, :1]), sounding[:, :-1]], 1)
    assert torch.equal(keys_of(plane, onset, sounding), keys)
    assert not (onset & ~sounding).any()
    assert not (sounding & ~before & ~onset).any()


@pytest.mark.parametrize("plane", PLANES)
def test_counts_equal_the_definition(plane):
    onset, sounding = score(5, batch=2, frames=50, keys=6)
    mask = torch.ones(2, 50, dtype=torch.bool)
    mask[1, 20:] = False
    residual = CountedResidual(plane)
    residual.count(onset, sounding, clock(onset.shape[1]), mask=mask)
    wanted = {}
    for row, frames in ((0, 50), (1, 20)):
        for question in questions_one_by_one(plane, onset[row, :frames], sounding[row, :frames]):
            wanted[question] = wanted.get(question, 0) + 1
    table = residual.counts.view(2, 8, 8, 12, 8, 4, 2, 2)[0, 3, :4, ::3].reshape(16, 8, 4, 2, 2)
    assert table.sum().item() == sum(wanted.values())
    for ((position, since, many, near), answer), times in wanted.items():
        assert table[position, since - 1, many, int(near), int(answer)].item() == times


@pytest.mark.parametrize("plane", PLANES)
def test_the_probability_of_a_score_is_the_product_of_its_decisions(plane):
    residual = counted(plane)
    onset, sounding = score(21, batch=1)
    table = residual.counts.view(2, 8, 8, 12, 8, 4, 2, 2)[0, 3, :4, ::3].reshape(16, 8, 4, 2, 2).double() + 1
    wanted = 0.0
    for (position, since, many, near), answer in questions_one_by_one(plane, onset[0], sounding[0]):
        cell = table[position, since - 1, many, int(near)]
        wanted += (cell[int(answer)] / cell.sum()).log().item()
    assert log_prob(residual, onset, sounding).sum().item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("plane", PLANES)
def test_scores_do_not_depend_on_padding_and_other_pieces(plane):
    residual = counted(plane)
    onset, sounding = score(9, batch=1, frames=30)
    longer = [torch.cat([music, torch.zeros(1, 12, 7, dtype=torch.bool)], 1) for music in (onset, sounding)]
    others = score(10, batch=1, frames=42)
    among = log_prob(residual, *(torch.cat(pair) for pair in zip(longer, others, strict=True)))
    assert torch.equal(among[0, :30], log_prob(residual, onset, sounding)[0])


def test_separate_notes_need_no_decisions_given_sounding_keys():
    sounding = torch.eye(6, dtype=torch.bool)[None]
    residual = counted("sounding")
    onset, restored = restore(residual, sounding, 0)
    assert torch.equal(onset, sounding)
    assert torch.equal(restored, sounding)
    assert log_prob(residual, sounding, sounding).abs().max().item() == 0


def test_keys_struck_in_every_frame_need_no_decisions_given_onsets():
    onset = torch.ones(2, 6, 4, dtype=torch.bool)
    residual = counted("onset")
    restored = restore(residual, onset, 0)
    assert torch.equal(restored[0], onset)
    assert torch.equal(restored[1], onset)
    assert log_prob(residual, onset, onset).abs().max().item() == 0


def test_counts_are_part_of_the_state_dict():
    residual = counted("onset")
    copy = CountedResidual("onset")
    copy.load_state_dict(residual.state_dict())
    assert torch.equal(log_prob(copy, *score(1)), log_prob(residual, *score(1)))


@pytest.mark.slow
@pytest.mark.xdist_group("chorales")
def test_the_residual_of_chorales_is_small(chorales):
    corpus = chorales
    assert len(corpus.pieces) == 371
    order = torch.randperm(371, generator=torch.Generator().manual_seed(0)).tolist()

    for plane, expected in (("onset", 0.31), ("sounding", 0.21)):
        residual, nats, frames = CountedResidual(plane), 0.0, 0
        for index in order[:300]:
            piece = corpus.whole([index])
            onset, sounding = piece.onset[:, 1:], piece.sounding[:, 1:]
            residual.count(onset, sounding, piece.clock[:, 1:], mask=piece.mask)
        for index in order[300:]:
            piece = corpus.whole([index])
            answers = residual.log_prob(piece.onset[:, 1:], piece.sounding[:, 1:], piece.clock[:, 1:])
            nats, frames = nats - answers.sum().item(), frames + answers.shape[1]
        assert nats / frames == pytest.approx(expected, abs=0.06)


def test_bars_of_different_lengths_and_beats_have_separate_counts():
    onset, sounding = score(3)
    meters = [Meter.of(3, 4), Meter.of(6, 8), Meter.of(2, 4), Meter.of(4, 4), Meter.of(5, 4)]
    used = []
    for meter in meters:
        residual = CountedResidual("onset")
        moment = clock(onset.shape[1], meter)
        residual.count(onset, sounding, moment, mask=torch.ones(onset.shape[:2], dtype=torch.bool))
        used.append({int(row) for row in residual.counts.sum(1).nonzero()})
        assert residual.counts.sum() > 0
    for number, rows in enumerate(used):
        assert all(rows.isdisjoint(other) for other in used[:number])


def test_positions_are_relative_to_the_bar_line():
    onset, sounding = score(3)
    mask = torch.ones(onset.shape[:2], dtype=torch.bool)
    residual = CountedResidual("onset")
    residual.count(onset, sounding, clock(onset.shape[1], Meter.of(offset=12)), mask=mask)
    silence = torch.zeros(3, 4, 7, dtype=torch.bool)
    whole = CountedResidual("onset")
    padded = [torch.cat([torch.cat([silence] * 3, 1), music], 1) for music in (onset, sounding)]
    whole.count(*padded, clock(52), mask=torch.ones(3, 52, dtype=torch.bool))
    assert torch.equal(whole.counts, residual.counts)


def test_positions_and_times_on_fine_grids():
    for grid, since in ((12, 3), (8, 2), (4, 1)):
        residual = CountedResidual("sounding")
        onset, sounding = (torch.zeros(1, 4 * grid, 1, dtype=torch.bool) for _ in range(2))
        onset[0, 0], sounding[0] = True, True
        residual.count(
            onset, sounding, clock(4 * grid, Meter.of(grid=grid)), mask=torch.ones(1, 4 * grid) > 0
        )
        table = residual.counts.view(2, 8, 8, 12, 8, 4, 2, 2)[0, 3]
        assert table.sum() == 4 * grid - 1
        assert (table.sum((2, 3, 4, 5)) > 0).sum() == 4 * grid - (grid == 4) - (grid != 4)
        assert table.sum((0, 1, 3, 4, 5))[0] == since


def test_without_counts_keys_that_sound_on_are_held() -> None:
    """Music without onsets counts nothing; a coin for each frame would chop all notes."""
    residual, generator = CountedResidual("sounding"), torch.Generator().manual_seed(0)
    keys = torch.zeros(1, 40, 88)
    keys[:, 4:20, 30] = keys[:, 24:, 30] = 1
    clock = Clock.in_meters([Meter()], np.arange(40)[None], 4)
    onset, sounding = residual.restore(keys, clock, generator)
    assert onset.nonzero()[:, 1].tolist() == [4, 24]
    assert torch.equal(sounding, keys > 0)
