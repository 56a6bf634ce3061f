"""A restricted Boltzmann machine over the keys that given codes allow.

Every active code must have at least one key and no other key sounds. Given the hidden units the keys are
independent but for that, so a Gibbs step draws them exactly; given the keys the hidden units are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from zoo.parts.masks import draw_keys, draw_one, flip, log_any


@dataclass(frozen=True)
class Machine:
    """The machines of N frames, alike but for their biases and codes.

    Attributes:
        weight: (H, K), from hidden units to keys.
        visible: (N, K), the biases of the keys.
        hidden: (N, H), the biases of the hidden units.
        codes: (N, C) in {0, 1}.
        membership: (C, K) bool.
    """

    weight: Tensor
    visible: Tensor
    hidden: Tensor
    codes: Tensor
    membership: Tensor

    def heated(self, temperature: float) -> Machine:
        """The machine with all energies divided by the temperature."""
        return replace(
            self,
            weight=self.weight / temperature,
            visible=self.visible / temperature,
            hidden=self.hidden / temperature,
        )

    def tempered(self, share: float) -> Machine:
        """The machine with only a share of its weights; at 0 keys and hidden units are strangers."""
        return replace(self, weight=self.weight * share)

    def repeated(self, times: int) -> Machine:
        """Every frame several times in a row."""
        return replace(
            self,
            visible=self.visible.repeat_interleave(times, 0),
            hidden=self.hidden.repeat_interleave(times, 0),
            codes=self.codes.repeat_interleave(times, 0),
        )

    def free_energy(self, keys: Tensor) -> Tensor:
        """Free energy (N,) of keys (N, K): minus the log of their unnormalised probability."""
        outside = (keys * self.visible).sum(-1)
        return -outside - softplus(self.hidden + keys @ self.weight.T).sum(-1)

    def hidden_probability(self, keys: Tensor) -> Tensor:
        """How likely each hidden unit is on, (N, H), given keys (N, K)."""
        return (self.hidden + keys @ self.weight.T).sigmoid()

    def keys_given(self, hidden: Tensor, generator: Generator) -> Tensor:
        """Keys (N, K) drawn given hidden units (N, H), exactly within what the codes allow."""
        return draw_keys(self.visible + hidden @ self.weight, self.codes, self.membership, generator)

    def gibbs(self, keys: Tensor, steps: int, generator: Generator) -> Tensor:
        """Keys (N, K) after some rounds of drawing hidden units, then keys."""
        for _ in range(steps):
            hidden = flip(self.hidden_probability(keys), generator).to(keys)
            keys = self.keys_given(hidden, generator)
        return keys

    def log_weight(self, hidden: Tensor) -> Tensor:
        """Log of the unnormalised probability of hidden units, (..., N) from (..., N or 1, H).

        The keys are summed out within what the codes allow: all sets of a code's keys but the empty one.
        """
        logits = self.visible + hidden @ self.weight
        sets = softplus(logits) @ self.membership.T.to(logits) + log_any(logits, self.membership)
        return (hidden * self.hidden).sum(-1) + (sets * self.codes).sum(-1)


def all_states(units: int, like: Tensor) -> Tensor:
    """Every state of some hidden units, (2**H, H)."""
    return torch.tensor(list(product([0.0, 1.0], repeat=units)), dtype=like.dtype, device=like.device)


def draw_exactly(machine: Machine, generator: Generator) -> Tensor:
    """Keys (N, K) from the machines themselves: the hidden units out of all their states, then the keys."""
    states = all_states(machine.hidden.shape[-1], machine.hidden)
    chosen = draw_one(machine.log_weight(states.unsqueeze(1)).T, generator)
    return machine.keys_given(states[chosen], generator)


def log_partition(machine: Machine, at_once: int = 4096) -> Tensor:
    """Log of the partition function (N,), exactly, by summing over all states of the hidden units.

    Args:
        machine: with few hidden units; each more doubles the work.
        at_once: how many (state, frame) pairs are held in memory at a time.
    """
    states = all_states(machine.hidden.shape[-1], machine.hidden).unsqueeze(1)
    share = max(at_once // len(machine.codes), 1)
    total = machine.hidden.new_full((len(machine.codes),), -torch.inf)
    for some in torch.split(states, share):
        total = torch.logaddexp(total, machine.log_weight(some).logsumexp(0))
    return total


def annealed_log_partition(
    machine: Machine, chains: int, temperatures: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Log of the partition function and its sampling variance, each (N,), by annealed importance sampling.

    Chains begin where the weights count nothing, which is summed exactly, and the weights grow to full
    in equal shares (Neal, Annealed importance sampling, 2001; Salakhutdinov and Murray, On the
    quantitative analysis of deep belief networks, 2008). The log of an average lies below the log of what
    it estimates by half its variance, to second order; that much is added.
    """
    many = machine.repeated(chains)
    start = many.tempered(0)
    nothing = torch.zeros_like(many.hidden)
    keys = start.keys_given(nothing, generator)
    weight = start.log_weight(nothing) + softplus(many.hidden).sum(-1)
    before = start
    for step in range(1, temperatures + 1):
        now = many.tempered(step / temperatures)
        weight = weight + before.free_energy(keys) - now.free_energy(keys)
        keys = now.gibbs(keys, 1, generator)
        before = now
    weight = weight.view(len(machine.codes), chains)
    mean = weight.logsumexp(-1) - math.log(chains)
    variance = (weight - mean.unsqueeze(-1)).exp().var(-1) / chains
    return mean + variance / 2, variance
