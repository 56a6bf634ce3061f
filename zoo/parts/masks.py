"""Masked and conditional probabilities in log space.

There are two kinds: one outcome among those that are allowed (for the voices), and sets of keys with at least
one key of every active code (for decoders). No function divides or takes the logarithm of a product, so
logits of any size give finite values and gradients.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid


def never(dtype: torch.dtype) -> float:
    """The log-probability of an impossible outcome: finite, even if several are added."""
    return torch.finfo(dtype).min / 64


def masked_log_softmax(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log-probabilities over the last dimension; an outcome that is not allowed gets `never`.

    Args:
        logits: (..., N), of any size.
        allowed: (..., N) bool. If nothing is allowed, every outcome gets `never`.
    """
    filled = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)
    return filled.log_softmax(-1).masked_fill(~allowed, never(logits.dtype))


def draw_one(log_probs: Tensor, generator: Generator) -> Tensor:
    """Draw one outcome per row, (...) int64, from log-probabilities (..., N)."""
    flat = log_probs.reshape(-1, log_probs.shape[-1]).softmax(-1)
    return torch.multinomial(flat, 1, generator=generator).reshape(log_probs.shape[:-1])


def draw_at(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """Draw one outcome per row, (...) int64, by inverting the cumulative distribution at `uniform`.

    Each row uses exactly one random number, so the draws of a row do not depend on the other rows.

    Args:
        log_probs: (..., N).
        uniform: (...), random numbers in [0, 1).
    """
    cumulative = log_probs.exp().cumsum(-1)
    total = cumulative[..., -1:]
    outcome = (cumulative <= uniform.unsqueeze(-1) * total).sum(-1)
    # Rounding may bring the product up to the total; then the outcome is the last one with a probability.
    return outcome.minimum((cumulative < total).sum(-1))


def flip(probability: Tensor, generator: Generator) -> Tensor:
    """Draw independent Bernoulli variables (...) bool with the given probabilities."""
    return torch.rand(probability.shape, generator=generator, device=probability.device) < probability


def bernoulli_log_prob(logits: Tensor, values: Tensor) -> Tensor:
    """Log-probability of each value (0 or 1) given independent logits, same shape."""
    return logsigmoid(torch.where(values > 0, logits, -logits))


def key_groups(membership: Tensor) -> tuple[Tensor, Tensor]:
    """The keys of each code, padded to the largest number M: index (C, M) int64 and present (C, M) bool.

    Args:
        membership: (C, K) bool; every key belongs to at most one code.
    """
    width = max(int(membership.sum(-1).max()), 1)
    order = membership.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :width]
    return order, membership.gather(-1, order)


def _suffix_log_any(logits: Tensor) -> list[Tensor]:
    """For each m, the log-probability (...) that at least one key from m on sounds; logits (..., M)."""
    sounds, silent = logsigmoid(logits), logsigmoid(-logits)
    suffix = [sounds[..., -1]]
    for key in range(logits.shape[-1] - 2, -1, -1):
        suffix.append(torch.logaddexp(sounds[..., key], silent[..., key] + suffix[-1]))
    return suffix[::-1]


def _grouped(logits: Tensor, membership: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    index, present = key_groups(membership)
    grouped = logits[..., index].masked_fill(~present, never(logits.dtype))
    return grouped, index, present


def log_any(logits: Tensor, membership: Tensor) -> Tensor:
    """Log-probability that at least one key of each code sounds, (..., C).

    Args:
        logits: (..., K), of independent keys.
        membership: (C, K) bool.
    """
    return _suffix_log_any(_grouped(logits, membership)[0])[0]


def folds_to(keys: Tensor, codes: Tensor, membership: Tensor) -> Tensor:
    """Whether keys (..., K) fold to exactly the codes (..., C), (...) bool."""
    return ((keys @ membership.T.to(keys) > 0) == (codes > 0)).all(-1)


def keys_log_prob(logits: Tensor, keys: Tensor, codes: Tensor, membership: Tensor) -> Tensor:
    """Log-probability of key sets, given that every active code has a key and no other key sounds.

    Args:
        logits: (..., K), of independent keys before conditioning.
        keys: (..., K) in {0, 1}.
        codes: (..., C) in {0, 1}.
        membership: (C, K) bool.

    Returns:
        (...) nats; -inf if the keys do not fold to exactly the codes.
    """
    allowed = codes @ membership.to(codes) > 0
    chosen = bernoulli_log_prob(logits, keys).masked_fill(~allowed, 0).sum(-1)
    condition = log_any(logits, membership).masked_fill(codes <= 0, 0).sum(-1)
    return (chosen - condition).masked_fill(~folds_to(keys, codes, membership), -torch.inf)


def draw_at_least_one(logits: Tensor, uniform: Tensor) -> Tensor:
    """Draw independent keys, (..., M) bool, given that at least one of them sounds.

    Keys are drawn in order. While none sounds yet, the probability of a key is conditional on at least one of
    the remaining keys sounding; for the last key it is exactly 1.

    Args:
        logits: (..., M).
        uniform: (..., M), a random number in [0, 1) for each key.
    """
    suffix = _suffix_log_any(logits)
    any_drawn = torch.zeros_like(suffix[0], dtype=torch.bool)
    keys = []
    for place in range(len(suffix)):
        log_prob = logsigmoid(logits[..., place])
        probability = torch.where(any_drawn, log_prob, log_prob - suffix[place]).exp()
        keys.append(uniform[..., place] < probability)
        any_drawn = any_drawn | keys[-1]
    return torch.stack(keys, dim=-1)


def draw_keys(logits: Tensor, codes: Tensor, membership: Tensor, generator: Generator) -> Tensor:
    """Draw keys (..., K) in {0, 1} that fold to the codes, from the distribution of `keys_log_prob`."""
    grouped, index, present = _grouped(logits, membership)
    shape = (grouped.shape[-1], *grouped.shape[:-1])
    uniform = torch.rand(shape, generator=generator, device=logits.device).movedim(0, -1)
    drawn = draw_at_least_one(grouped, uniform) & (codes > 0).unsqueeze(-1)
    keys = torch.zeros_like(logits)
    keys[..., index[present]] = drawn[..., present].to(keys)
    return keys
