"""The one place for masked probabilities, all of it in log space.

Two things happen here: choosing one outcome among those still allowed (the voices), and sets of keys
of which every sounding code must have at least one (the decoders). Nothing here divides, and nothing
takes the logarithm of a product; logits of any size give finite numbers and finite gradients.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid


def never(dtype: torch.dtype) -> float:
    """A log-probability whose exponential is 0 and of which several can be added without overflow."""
    return torch.finfo(dtype).min / 64


def masked_log_softmax(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log-probabilities over the last dimension; an outcome that is not allowed gets `never`.

    Args:
        logits: (..., N), any size.
        allowed: (..., N) bool. Where nothing is allowed, everything is `never`.
    """
    filled = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)
    return filled.log_softmax(-1).masked_fill(~allowed, never(logits.dtype))


def draw_one(log_probs: Tensor, generator: Generator) -> Tensor:
    """One outcome of each row, (...) int64, from log-probabilities (..., N)."""
    flat = log_probs.reshape(-1, log_probs.shape[-1]).softmax(-1)
    return torch.multinomial(flat, 1, generator=generator).reshape(log_probs.shape[:-1])


def draw_at(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """The outcome of each row, (...) int64, on which a random number in [0, 1) falls.

    A row takes one number, so rows that draw from the same generator do not share their chance.

    Args:
        log_probs: (..., N).
        uniform: (...).
    """
    heaped = log_probs.exp().cumsum(-1)
    total = heaped[..., -1:]
    outcome = (heaped <= uniform.unsqueeze(-1) * total).sum(-1)
    # rounding may take the product up to the total: then it is the last outcome that adds something
    return outcome.minimum((heaped < total).sum(-1))


def flip(probability: Tensor, generator: Generator) -> Tensor:
    """Coins (...) bool that land true with the given probability."""
    return torch.rand(probability.shape, generator=generator, device=probability.device) < probability


def bernoulli_log_prob(logits: Tensor, values: Tensor) -> Tensor:
    """Log-probability of each value (0 or 1) under independent logits, same shape."""
    return logsigmoid(torch.where(values > 0, logits, -logits))


def key_groups(membership: Tensor) -> tuple[Tensor, Tensor]:
    """The keys of each code side by side: index (C, M) int64 and present (C, M) bool.

    Args:
        membership: (C, K) bool, every key in at most one code.
    """
    width = max(int(membership.sum(-1).max()), 1)
    order = membership.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :width]
    return order, membership.gather(-1, order)


def _suffix_log_any(logits: Tensor) -> list[Tensor]:
    """Log-probability that any key from m on sounds, for each m; logits (..., M), entries (...)."""
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
        logits: (..., K), independent keys.
        membership: (C, K) bool.
    """
    return _suffix_log_any(_grouped(logits, membership)[0])[0]


def folds_to(keys: Tensor, codes: Tensor, membership: Tensor) -> Tensor:
    """Whether keys (..., K) fold to exactly the codes (..., C), (...) bool."""
    return ((keys @ membership.T.to(keys) > 0) == (codes > 0)).all(-1)


def keys_log_prob(logits: Tensor, keys: Tensor, codes: Tensor, membership: Tensor) -> Tensor:
    """Log-probability of key sets given that every active code has a key and no other key sounds.

    Args:
        logits: (..., K), independent keys before that condition.
        keys: (..., K) in {0, 1}.
        codes: (..., C) in {0, 1}.
        membership: (C, K) bool.

    Returns:
        (...) nats; -inf where the keys do not fold to exactly the codes.
    """
    allowed = codes @ membership.to(codes) > 0
    chosen = bernoulli_log_prob(logits, keys).masked_fill(~allowed, 0).sum(-1)
    condition = log_any(logits, membership).masked_fill(codes <= 0, 0).sum(-1)
    return (chosen - condition).masked_fill(~folds_to(keys, codes, membership), -torch.inf)


def draw_some(logits: Tensor, uniform: Tensor) -> Tensor:
    """Which of some independent keys sound, (..., M) bool, given that at least one does.

    Key after key: while none sounds yet, a key sounds with the probability it has among "at least one of
    the keys from here on"; for the last that is exactly 1.

    Args:
        logits: (..., M).
        uniform: (..., M), a random number in [0, 1) for each key.
    """
    suffix = _suffix_log_any(logits)
    found = torch.zeros_like(suffix[0], dtype=torch.bool)
    keys = []
    for place in range(len(suffix)):
        alone = logsigmoid(logits[..., place])
        chance = torch.where(found, alone, alone - suffix[place]).exp()
        keys.append(uniform[..., place] < chance)
        found = found | keys[-1]
    return torch.stack(keys, dim=-1)


def draw_keys(logits: Tensor, codes: Tensor, membership: Tensor, generator: Generator) -> Tensor:
    """Exact draws from what `keys_log_prob` scores: keys (..., K) in {0, 1} that fold to the codes."""
    grouped, index, present = _grouped(logits, membership)
    shape = (grouped.shape[-1], *grouped.shape[:-1])
    uniform = torch.rand(shape, generator=generator, device=logits.device).movedim(0, -1)
    some = draw_some(grouped, uniform) & (codes > 0).unsqueeze(-1)
    keys = torch.zeros_like(logits)
    keys[..., index[present]] = some[..., present].to(keys)
    return keys
