"""Small music for the parts: random codes and keys, and every set of a few codes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Generator, Tensor


@pytest.fixture
def chance() -> Generator:
    return Generator().manual_seed(1)


@pytest.fixture
def frames(chance: Generator) -> Callable[..., Tensor]:
    """Random frames of 0 and 1, about a third of them on."""

    def draw(*shape: int) -> Tensor:
        return (torch.rand(shape, generator=chance) < 0.3).float()

    return draw


@pytest.fixture
def all_sets() -> Callable[[int], Tensor]:
    """Every set of n things, (2**n, n)."""

    def enumerate_sets(n: int) -> Tensor:
        return torch.tensor(list(product([0.0, 1.0], repeat=n)))

    return enumerate_sets


@pytest.fixture
def toy_membership() -> Tensor:
    """Three codes over six keys: two, three and one of them."""
    return torch.tensor([[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 0, 0]], dtype=torch.bool)
