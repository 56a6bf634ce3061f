"""Reproducible randomness: every purpose has its own generator, derived from the seed and the purpose."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator

from zoo.errors import Problem, UsageError


def checked_seed(seed: int) -> int:
    """The seed as an int, which may be given as an integer of another type, such as that of numpy.

    Raises:
        UsageError: it is not an integer from 0 on.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0 or isinstance(seed, bool):
        raise UsageError(Problem(f"must be an integer from 0 on, not {seed!r}", "seed"))
    return number


def seed_of(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed derived from a seed and a purpose; seeds of different purposes are unrelated."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> Generator:
    """A generator for one purpose, such as `generator(seed, "batch", step)`.

    To resume, only the seed and the step have to be stored.
    """
    return Generator(device).manual_seed(seed_of(seed, *purpose))


def spawn(parent: Generator, *purposes: str) -> dict[str, Generator]:
    """A generator for each purpose, so that draws from one do not affect the others."""
    seeds = torch.randint(2**62, (len(purposes),), generator=parent, device=parent.device).tolist()
    return {
        purpose: Generator(parent.device).manual_seed(seed)
        for purpose, seed in zip(purposes, seeds, strict=True)
    }


@contextmanager
def seeded_layers(chance: Generator) -> Iterator[None]:
    """Seed layers that draw from torch's global generators, such as `nn.Dropout`, from `chance`.

    Nothing is drawn from `chance` itself, and the global generators are restored afterwards.
    """
    seed, on_cpu = seed_of(chance.initial_seed(), "layers"), chance.device.type == "cpu"
    with torch.random.fork_rng([chance.device] if chance.device.type == "cuda" else []):
        (torch.default_generator.manual_seed if on_cpu else torch.manual_seed)(seed)
        yield


@contextmanager
def seeded_init(seed: int, *purpose: str | int) -> Iterator[None]:
    """Initialise layers that are built in the block from the seed and the purpose alone.

    torch draws initial weights from the global generator, which is restored afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, *purpose))
        yield
