"""Random codes and keys, and all sets of a few codes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Generator, Tensor


@pytest.fixture
def frames(rng: Generator) -> Callable[..., Tensor]:
    """Draw random frames, in which about a third of the values are 1."""

    def draw(*shape: int) -> Tensor:
        return (torch.rand(shape, generator=rng) < 0.3).float()

    return draw


@pytest.fixture
def all_sets() -> Callable[[int], Tensor]:
    """All subsets of n elements, (2**n, n)."""

    def enumerate_sets(n: int) -> Tensor:
        return torch.tensor(list(product([0.0, 1.0], repeat=n)))

    return enumerate_sets


@pytest.fixture
def toy_membership() -> Tensor:
    """Three codes with two, three and one of six keys."""
    return torch.tensor([[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 0, 0]], dtype=torch.bool)
