"""Nucleus sampling: the outcomes in the nucleus, and keys that fold to their codes."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from zoo.parts.layers import pitch_classes
from zoo.parts.masks import draw_keys, draw_one, folds_to, likely, nucleus


def in_nucleus(probabilities: list[float], top_p: float) -> list[int]:
    log_probs = torch.tensor(probabilities).log()
    return (nucleus(log_probs, top_p) > -1e6).nonzero().flatten().tolist()


def test_the_nucleus_is_the_smallest_set_with_the_probability() -> None:
    probabilities = [0.1, 0.5, 0.05, 0.3, 0.05]
    assert in_nucleus(probabilities, 0.4) == [1]
    assert in_nucleus(probabilities, 0.6) == [1, 3]
    assert in_nucleus(probabilities, 0.85) == [0, 1, 3]
    assert in_nucleus(probabilities, 1e-9) == [1]
    assert in_nucleus(probabilities, 1.0) == [0, 1, 2, 3, 4]


def test_in_the_limit_only_the_most_likely_outcome_is_drawn() -> None:
    log_probs = torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.35, 0.25]]).log().repeat(200, 1)
    drawn = draw_one(nucleus(log_probs, 1e-6), Generator().manual_seed(0))
    assert drawn.tolist() == [1, 0] * 200


def test_likely_decisions_become_certain() -> None:
    probability = torch.tensor([0.05, 0.2, 0.5, 0.8, 0.95])
    assert likely(probability, 0.9).tolist() == pytest.approx([0, 0.2, 0.5, 0.8, 1])
    assert torch.equal(likely(probability, 1.0), probability)


@pytest.mark.parametrize("top_p", [0.95, 0.5, 1e-6])
@pytest.mark.parametrize("level", [-40.0, -1e5, 0.0, 1e5])
def test_keys_fold_to_their_codes_for_any_nucleus(top_p: float, level: float) -> None:
    membership = pitch_classes()
    codes = (torch.rand(50, 12, generator=Generator().manual_seed(1)) < 0.3).float()
    logits = level + torch.randn(50, 88, generator=Generator().manual_seed(2))
    keys = draw_keys(logits, codes, membership, Generator().manual_seed(3), top_p)
    assert folds_to(keys, codes, membership).all()


def test_the_lowest_key_is_drawn_from_its_nucleus() -> None:
    """Keys of equal, small probability are about equally likely to be the lowest; one is more likely."""
    membership = torch.ones(1, 7, dtype=torch.bool)
    logits = torch.full((4000, 7), -4.0)
    logits[:, 3] = -1.0
    keys = draw_keys(logits, torch.ones(4000, 1), membership, Generator().manual_seed(0), 0.5)
    assert keys[:, 3].all()
    assert keys.sum() == 4000
