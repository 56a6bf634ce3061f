"""Masked and conditional probabilities in log space.

There are two kinds: one outcome among those that are allowed (for the voices), and sets of keys with at least
one key of every active code (for decoders). No function divides or takes the logarithm of a product, so
logits of any size give finite values and gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid, one_hot
from torch.utils.weak import WeakTensorKeyDictionary


def never(dtype: torch.dtype) -> float:
    """The log-probability of an impossible outcome: finite, even if several are added."""
    return torch.finfo(dtype).min / 64


def single(logits: Tensor) -> Tensor:
    """The same logits in single precision at least, in which probabilities are computed.

    Layers give bfloat16 where `train.precision=bf16`, which is too coarse to add probabilities up in.
    """
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def masked_log_softmax(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log-probabilities over the last dimension; an outcome that is not allowed gets `never`.

    Args:
        logits: (..., N), of any size.
        allowed: (..., N) bool. If nothing is allowed, every outcome gets `never`.
    """
    logits = single(logits)
    filled = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)
    return filled.log_softmax(-1).masked_fill(~allowed, never(logits.dtype))


def nucleus(log_probs: Tensor, top_p: float) -> Tensor:
    """Log-probabilities (..., N) with `never` for all but the likeliest outcomes that make up `top_p`.

    As few outcomes are kept as have this probability in sum, at least one (Holtzman and others, The Curious
    Case of Neural Text Degeneration, 2020). They are not normalized again.
    """
    if top_p >= 1:
        return log_probs
    ordered, order = log_probs.softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    is_dropped = torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, before >= top_p)
    is_dropped.scatter_(-1, order[..., :1], value=False)
    return log_probs.masked_fill(is_dropped, never(log_probs.dtype))


def likely(probability: Tensor, top_p: float) -> Tensor:
    """Probabilities of yes-or-no decisions; one that has `top_p` on one side becomes 0 or 1."""
    if top_p >= 1:
        return probability
    is_certain = torch.maximum(probability, 1 - probability) >= top_p
    return torch.where(is_certain, probability.round(), probability)


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
    logits = single(logits)
    return logsigmoid(torch.where(values > 0, logits, -logits))


@dataclass(frozen=True)
class KeyGroups:
    """The keys of each code side by side.

    Attributes:
        index: (C, M) int64, the keys of each code, filled up with others where a code has fewer than M.
        absent: (C, M) bool, true where filled up.
        place: (K,) int64, where each key stands in (C * M,).
        grouped: (K,) bool, whether it stands there.
    """

    index: Tensor
    absent: Tensor
    place: Tensor
    grouped: Tensor

    @classmethod
    def of(cls, membership: Tensor) -> KeyGroups:
        """The groups of a membership (C, K) bool with every key in at most one code."""
        width = max(int(membership.sum(-1).max()), 1)
        order = membership.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :width]
        present = membership.gather(-1, order)
        place = torch.zeros_like(membership[0], dtype=torch.int64)
        place[order[present]] = present.flatten().nonzero().squeeze(-1)
        return cls(order, ~present, place, membership.any(0))

    def gathered(self, logits: Tensor) -> Tensor:
        """Logits (..., K) by group, (..., C, M); what fills a group up is never drawn."""
        grouped = logits.index_select(-1, self.index.flatten()).view(*logits.shape[:-1], *self.index.shape)
        return grouped.masked_fill(self.absent, never(logits.dtype))

    def spread(self, groups: Tensor) -> Tensor:
        """Keys (..., K) bool from groups (..., C, M) bool."""
        return groups.flatten(-2).index_select(-1, self.place) & self.grouped


_KNOWN = WeakTensorKeyDictionary()
"""The groups of each membership that was asked for, as long as it lives: generation asks in every frame."""


def key_groups(membership: Tensor) -> KeyGroups:
    """The keys of each code side by side.

    Args:
        membership: (C, K) bool; every key belongs to at most one code.
    """
    version = None if membership.is_inference() else membership._version
    if membership in _KNOWN and version is not None:
        kept: tuple[int | None, KeyGroups] = _KNOWN[membership]
        if kept[0] == version:
            return kept[1]
    with torch.inference_mode(mode=False), torch.no_grad():
        groups = KeyGroups.of(membership)
    _KNOWN[membership] = version, groups
    return groups


def _suffix_log_any(logits: Tensor) -> list[Tensor]:
    """For each m, the log-probability (...) that at least one key from m on sounds; logits (..., M)."""
    sounds, silent = logsigmoid(logits), logsigmoid(-logits)
    *earlier, last = zip(sounds.unbind(-1), silent.unbind(-1), strict=True)
    suffix = [last[0]]
    for sounding, silence in reversed(earlier):
        suffix.append(torch.logaddexp(sounding, silence + suffix[-1]))
    return suffix[::-1]


def log_any(logits: Tensor, membership: Tensor) -> Tensor:
    """Log-probability that at least one key of each code sounds, (..., C).

    Args:
        logits: (..., K), of independent keys.
        membership: (C, K) bool.
    """
    return _suffix_log_any(key_groups(membership).gathered(single(logits)))[0]


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


def draw_at_least_one(logits: Tensor, uniform: Tensor, top_p: float = 1.0) -> Tensor:
    """Draw independent keys, (..., M) bool, given that at least one of them sounds.

    Keys are drawn in order. While none sounds yet, the probability of a key is conditional on at least one of
    the remaining keys sounding; for the last key it is exactly 1.

    Args:
        logits: (..., M).
        uniform: (..., M), a random number in [0, 1) for each key.
        top_p: below 1 the lowest key is drawn from its nucleus, and each key above it by `likely`.
    """
    alone = logsigmoid(logits)
    if top_p < 1:
        silent = logsigmoid(-logits)
        lowest = nucleus(alone + silent.cumsum(-1) - silent, top_p).log_softmax(-1)
        first = one_hot(draw_at(lowest, uniform[..., 0]), logits.shape[-1]) > 0
        above = first.cumsum(-1) > first
        return first | (above & (uniform < likely(alone.exp(), top_p)))
    first = uniform < (alone - torch.stack(_suffix_log_any(logits), dim=-1)).exp()
    found = first.cumsum(-1) > first
    return torch.where(found, uniform < alone.exp(), first)


def draw_keys(
    logits: Tensor, codes: Tensor, membership: Tensor, generator: Generator, top_p: float = 1.0
) -> Tensor:
    """Exact draws from what `keys_log_prob` scores: keys (..., K) in {0, 1} that fold to the codes.

    With `top_p` below 1 only likely keys are drawn; see `draw_at_least_one`.
    """
    uniform = draws_for(logits.shape[:-1], membership, generator)
    return chosen_keys(logits, codes, membership, uniform, top_p)


def draws_for(shape: Sequence[int], membership: Tensor, generator: Generator) -> Tensor:
    """The random numbers (M, ..., C) that drawing keys for some frames (...) takes."""
    index = key_groups(membership).index
    return torch.rand((index.shape[1], *shape, len(index)), generator=generator, device=membership.device)


def chosen_keys(
    logits: Tensor, codes: Tensor, membership: Tensor, uniform: Tensor, top_p: float = 1.0
) -> Tensor:
    """The keys that `draw_keys` draws with given random numbers, from `draws_for`."""
    groups = key_groups(membership)
    some = draw_at_least_one(groups.gathered(logits), uniform.movedim(0, -1), top_p)
    return groups.spread(some & (codes > 0).unsqueeze(-1)).to(logits)
