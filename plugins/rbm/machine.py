"""Restricted Boltzmann machines: over any keys, and over the keys that the codes allow.

In the second, every active code has at least one key and no other key sounds. Given the hidden units, the
keys are independent except for this condition, so a Gibbs step can draw them exactly; given the keys, the
hidden units are independent.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid, pad, softplus

from zoo.parts.masks import (
    draw_at_least_one,
    draw_keys,
    draw_one,
    flip,
    key_groups,
    likely,
    never,
    nucleus,
)

ROUNDING = 2**-9
"""Nats that the rounding of a machine's energies may change a score by."""


@dataclass(frozen=True)
class Energies:
    """The machines of N frames, which differ in their biases only.

    Attributes:
        weight: (H, K), from hidden units to keys.
        visible: (N, K), the biases of the keys.
        hidden: (N, H), the biases of the hidden units.
    """

    weight: Tensor
    visible: Tensor
    hidden: Tensor

    @abstractmethod
    def keys_given(self, hidden: Tensor, generator: Generator, top_p: float = 1.0) -> Tensor:
        """Keys (N, K) drawn exactly from their distribution given hidden units (N, H)."""

    @abstractmethod
    def log_weights(self, states: Tensor) -> Tensor:
        """Log of the unnormalized probability (N, S) of each state (S, H) of the hidden units."""

    @abstractmethod
    def annealed_log_partition(
        self, chains: int, temperatures: int, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Log of the partition function and its variance, each (N,); see `annealed_log_partition`."""

    def heated(self, temperature: float) -> Self:
        """The machine with all energies divided by the temperature."""
        return self._changed(lambda energy: energy / temperature)

    def rows(self, chosen: Tensor) -> Self:
        """The machines of some frames, selected by index or by a mask (N,)."""
        return replace(self, visible=self.visible[chosen], hidden=self.hidden[chosen])

    def double(self) -> Self:
        """The machine in double precision."""
        return self._changed(Tensor.double)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> Self:
        energies = {name: change(getattr(self, name)) for name in ("weight", "visible", "hidden")}
        return replace(self, **energies)

    def is_precise(self) -> Tensor:
        """Whether energies are small enough that rounding leaves their differences correct, (N,) bool."""
        largest = self.visible.abs().sum(-1) + self.hidden.abs().sum(-1) + self.weight.abs().sum()
        return largest * torch.finfo(largest.dtype).eps < ROUNDING

    def free_energy(self, keys: Tensor) -> Tensor:
        """Free energy (N,) of keys (N, K): the negative log of their unnormalized probability."""
        bias = (keys * self.visible).sum(-1)
        return -bias - softplus(self.hidden + keys @ self.weight.T).sum(-1)

    def hidden_probability(self, keys: Tensor) -> Tensor:
        """Probability (N, H) that each hidden unit is on, given keys (N, K)."""
        return (self.hidden + keys @ self.weight.T).sigmoid()

    def gibbs(self, keys: Tensor, steps: int, generator: Generator, top_p: float = 1.0) -> Tensor:
        """Keys (N, K) after some rounds of drawing hidden units, then keys."""
        for _ in range(steps):
            hidden = flip(likely(self.hidden_probability(keys), top_p), generator).to(keys)
            keys = self.keys_given(hidden, generator, top_p)
        return keys


@dataclass(frozen=True)
class FreeMachine(Energies):
    """A machine in which any keys may sound."""

    def keys_given(self, hidden: Tensor, generator: Generator, top_p: float = 1.0) -> Tensor:
        """Keys (N, K) drawn independently given hidden units (N, H)."""
        logits = self.visible + hidden @ self.weight
        return flip(likely(logits.sigmoid(), top_p), generator).to(logits)

    def log_weights(self, states: Tensor) -> Tensor:
        """Log of the unnormalized probability (N, S) of each state (S, H): the keys are summed out."""
        pull = softplus(self.visible.unsqueeze(1) + states @ self.weight).sum(-1)
        return self.hidden @ states.T + pull

    def annealed_log_partition(
        self, chains: int, temperatures: int, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Log of the partition function and its variance, each (N,); see `annealed_log_partition`."""
        visible, hidden = self.visible.unsqueeze(1), self.hidden.unsqueeze(1)
        push = torch.zeros_like(hidden).expand(-1, chains, -1)
        at_zero = softplus(hidden).sum(-1) + softplus(visible).sum(-1)
        weight = at_zero.expand(-1, chains)
        for before, now in pairwise(step / temperatures for step in range(temperatures + 1)):
            units = flip((hidden + before * push).sigmoid(), generator).to(push)
            keys = flip((visible + before * (units @ self.weight)).sigmoid(), generator).to(push)
            push = keys @ self.weight.T
            weight = weight + (softplus(hidden + now * push) - softplus(hidden + before * push)).sum(-1)
        return log_mean(weight)


@dataclass(frozen=True)
class Machine(Energies):
    """A machine in which every active code has at least one key and no other key sounds.

    Attributes:
        codes: (N, C) in {0, 1}.
        membership: (C, K) bool.
    """

    codes: Tensor
    membership: Tensor

    def rows(self, chosen: Tensor) -> Self:
        """The machines of some frames, selected by index or by a mask (N,)."""
        return replace(super().rows(chosen), codes=self.codes[chosen])

    def keys_given(self, hidden: Tensor, generator: Generator, top_p: float = 1.0) -> Tensor:
        """Keys (N, K) drawn exactly from their distribution given hidden units (N, H) and the codes."""
        logits = self.visible + hidden @ self.weight
        return draw_keys(logits, self.codes, self.membership, generator, top_p)

    def log_weights(self, states: Tensor) -> Tensor:
        """Log of the unnormalized probability (N, S) of each state (S, H) of the hidden units.

        The keys are summed out over the sets that the codes allow: all non-empty sets of each active code's
        keys.
        """
        allowed = Allowed.of(self)
        pull = allowed.weight.T @ states.T
        sets = log_sets(allowed.visible.unsqueeze(-1) + pull[allowed.keys])
        return (self.hidden @ states.T).index_add(0, allowed.frame, sets)

    def annealed_log_partition(
        self, chains: int, temperatures: int, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Log of the partition function and its variance, each (N,); see `annealed_log_partition`.

        Frames without active codes need no estimate.
        """
        total, variance = softplus(self.hidden).sum(-1), torch.zeros_like(self.hidden[:, 0])
        active = (self.codes > 0).any(-1)
        weight = _annealed(self, active, chains, temperatures, generator)
        total[active], variance[active] = log_mean(weight)
        return total, variance


@dataclass(frozen=True)
class Allowed:
    """The keys that may sound: those of the active codes, grouped by code.

    Few codes are active in a frame, so sums over these P pairs of a frame and an active code are much cheaper
    than sums over all keys. Codes with fewer keys are padded with a key K that never sounds.

    Attributes:
        frame: (P,), the row of each pair.
        keys: (M, P), its keys, 0..K.
        visible: (M, P), their biases.
        weight: (H, K + 1), the weights of the machine, and zeros for key K.
    """

    frame: Tensor
    keys: Tensor
    visible: Tensor
    weight: Tensor

    @classmethod
    def of(cls, machine: Machine) -> Allowed:
        """The keys that the codes of the machines allow."""
        frame, code = machine.codes.nonzero(as_tuple=True)
        groups = key_groups(machine.membership)
        keys = groups.index.masked_fill(groups.is_padding, machine.membership.shape[-1])[code].T.contiguous()
        visible = pad(machine.visible, (0, 1), value=never(machine.visible.dtype))
        return cls(frame, keys, visible[frame, keys], pad(machine.weight, (0, 1)))


def log_sets(logits: Tensor) -> Tensor:
    """Log of the summed weights (...) of all non-empty sets of keys (M, ...)."""
    silent = logsigmoid(-logits).sum(0)
    # At least the weight of the likeliest key alone, in case all weights underflow.
    return torch.maximum((-silent.expm1()).log() - silent, logits.amax(0))


def all_states(units: int, like: Tensor) -> Tensor:
    """All states of the hidden units, (2**H, H)."""
    numbers = torch.arange(2**units, device=like.device).unsqueeze(1)
    return (numbers >> torch.arange(units - 1, -1, -1, device=like.device) & 1).to(like)


def draw_exactly(machine: Energies, generator: Generator, top_p: float = 1.0) -> Tensor:
    """Exact samples (N, K): hidden units drawn by enumerating their states, then keys given these."""
    states = all_states(machine.hidden.shape[-1], machine.hidden)
    chosen = draw_one(nucleus(machine.log_weights(states), top_p), generator)
    return machine.keys_given(states[chosen], generator, top_p)


def log_partition(machine: Energies, at_once: int = 2**16) -> Tensor:
    """Log of the partition function (N,), exactly, by summing over all states of the hidden units.

    Args:
        machine: has few hidden units; each additional one doubles the work.
        at_once: number of (frame, state) pairs in memory at a time; at least those of one frame.
    """
    states = all_states(machine.hidden.shape[-1], machine.hidden)
    frames = torch.arange(len(machine.hidden), device=states.device)
    share = max(at_once // len(states), 1)
    chunks = [machine.rows(chunk).log_weights(states).logsumexp(-1) for chunk in torch.split(frames, share)]
    return torch.cat(chunks)


def annealed_log_partition(
    machine: Energies, chains: int, temperatures: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Log of the partition function and its sampling variance, each (N,), by annealed importance sampling.

    Chains start from the machine with zero weights, whose partition function is known exactly, and the
    weights grow to their full size in equal steps (Neal, Annealed importance sampling, 2001; Salakhutdinov
    and Murray, On the quantitative analysis of deep belief networks, 2008).
    """
    return machine.annealed_log_partition(chains, temperatures, generator)


def log_mean(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The log of the mean of weights, given their logs (N, chains), and its sampling variance, each (N,).

    The log of an average underestimates the log of its expectation by half its variance, to second order; the
    estimate is corrected for that.
    """
    chains = weight.shape[-1]
    mean = weight.logsumexp(-1) - math.log(chains)
    # The variance of the weights relative to their mean is that of the log, to first order.
    variance = (weight - mean.unsqueeze(-1)).expm1().square().mean(-1) / (chains - 1)
    return mean + variance / 2, variance


def _annealed(
    machine: Machine, active: Tensor, chains: int, temperatures: int, generator: Generator
) -> Tensor:
    """Log weights (A, chains) of the chains of the A active frames.

    The expectation of a chain's weight is the partition function. A Gibbs step draws the hidden units and
    then the keys with the weights scaled by `before`; the chain's weight is then multiplied by the ratio of
    the unnormalized probabilities of these keys with the weights scaled by `now` and by `before`.
    """

    def uniform(width: int) -> Tensor:
        # Drawn for all frames, so that the numbers of one frame do not depend on which others are active.
        shape = (len(active), chains, width)
        return torch.rand(shape, generator=generator, device=active.device)[active]

    machine = machine.rows(active)
    allowed = Allowed.of(machine)
    bias = allowed.visible.unsqueeze(-1)
    places = (allowed.frame, slice(None), allowed.keys)  # of (A, chains, K + 1), as (M, P, chains)
    units, width = allowed.weight.shape
    own = machine.hidden.unsqueeze(1)
    silence = own.new_zeros(len(own), chains, width)
    push = silence @ allowed.weight.T
    # With zero weights keys and hidden units are independent, so the partition function is a product: of
    # 1 + exp(bias) over the hidden units, and of the sum over non-empty key sets over the active codes.
    sets = log_sets(allowed.visible).unsqueeze(-1).expand(-1, chains)
    weight = softplus(own + push).sum(-1).index_add(0, allowed.frame, sets)
    # The first step draws at scale 0, from the starting distribution itself: chains need no burn-in.
    for before, now in pairwise(step / temperatures for step in range(temperatures + 1)):
        hidden = (uniform(units) < (own + before * push).sigmoid()).to(own)
        logits = bias + before * (hidden @ allowed.weight)[places]
        drawn = draw_at_least_one(logits.movedim(0, -1), uniform(width)[places].movedim(0, -1))
        keys = silence.clone()
        keys[places] = drawn.movedim(-1, 0).to(keys)
        push = keys @ allowed.weight.T
        # The biases of the keys do not grow with the scale, so they cancel in the ratio.
        weight = weight + (softplus(own + now * push) - softplus(own + before * push)).sum(-1)
    return weight
