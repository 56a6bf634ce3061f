"""Chance that can be repeated: every use has a generator of its own, made from what it is for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator


def seed_of(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed that depends on all its words; other words give an unrelated one."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> Generator:
    """A generator for one purpose, such as `generator(seed, "batch", step)`.

    Nothing but the seed and the step need be remembered to draw the same again.
    """
    return Generator(device).manual_seed(seed_of(seed, *purpose))


def spawn(parent: Generator, *purposes: str) -> dict[str, Generator]:
    """A generator for each purpose, so that what one of them draws never moves another."""
    seeds = torch.randint(2**62, (len(purposes),), generator=parent, device=parent.device).tolist()
    return {
        purpose: Generator(parent.device).manual_seed(seed)
        for purpose, seed in zip(purposes, seeds, strict=True)
    }


@contextmanager
def seeded_layers(chance: Generator) -> Iterator[None]:
    """Let layers that draw from torch's global generators, such as `nn.Dropout`, follow from `chance`.

    Nothing is drawn from `chance` itself, and the global generators are put back afterwards.
    """
    seed, on_cpu = seed_of(chance.initial_seed(), "layers"), chance.device.type == "cpu"
    with torch.random.fork_rng([chance.device] if chance.device.type == "cuda" else []):
        (torch.default_generator.manual_seed if on_cpu else torch.manual_seed)(seed)
        yield


@contextmanager
def seeded_init(seed: int, *purpose: str | int) -> Iterator[None]:
    """Layers made inside get weights that depend on the seed and the purpose alone.

    torch's layers draw their first weights from the global generator; it is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, *purpose))
        yield
