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

FAR = 128.0
"""Logits further from 0 are those of probabilities that are 0 or 1 in single precision."""


def never(dtype: torch.dtype) -> float:
    """The log-probability of an impossible outcome: finite, even if several are added."""
    # Not -inf: the difference of two infinities is NaN, and so is its gradient.
    return torch.finfo(dtype).min / 64


def single(logits: Tensor) -> Tensor:
    """Convert logits to at least single precision, in which probabilities are computed.

    With `train.precision=bf16` layers return bfloat16, which is too coarse to sum probabilities.
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
    """Restrict log-probabilities (..., N) to the nucleus; all other outcomes get `never`.

    The nucleus is the smallest set of likeliest outcomes whose total probability is at least `top_p`
    (Holtzman et al., The Curious Case of Neural Text Degeneration, 2020). The result is not normalized.
    """
    if top_p >= 1:
        return log_probs
    ordered, order = log_probs.softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    is_dropped = torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, before >= top_p)
    is_dropped.scatter_(-1, order[..., :1], value=False)
    return log_probs.masked_fill(is_dropped, never(log_probs.dtype))


def likely(probability: Tensor, top_p: float) -> Tensor:
    """The nucleus of binary decisions: a probability of at least `top_p` for one outcome becomes 1."""
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
    # The product may round up to the total; the outcome is then the last one with a positive probability.
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
    """The keys of each code as a rectangular tensor.

    Attributes:
        index: (C, M) int64, the keys of each code, padded with other keys for codes of fewer than M keys.
        is_padding: (C, M) bool, whether an entry is padding.
        position: (K,) int64, the position of each key in the flattened groups (C * M,).
        is_grouped: (K,) bool, whether the key belongs to a code.
    """

    index: Tensor
    is_padding: Tensor
    position: Tensor
    is_grouped: Tensor

    @classmethod
    def of(cls, membership: Tensor) -> KeyGroups:
        """Make groups from a membership (C, K) bool, in which every key belongs to at most one code."""
        width = max(int(membership.sum(-1).max()), 1)
        index = membership.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :width]
        is_member = membership.gather(-1, index)
        position = torch.zeros_like(membership[0], dtype=torch.int64)
        position[index[is_member]] = is_member.flatten().nonzero().squeeze(-1)
        return cls(index, ~is_member, position, membership.any(0))

    def gather(self, logits: Tensor) -> Tensor:
        """Gather logits (..., K) into groups (..., C, M); padding gets `never`."""
        groups = logits.index_select(-1, self.index.flatten()).view(*logits.shape[:-1], *self.index.shape)
        return groups.masked_fill(self.is_padding, never(logits.dtype))

    def scatter(self, groups: Tensor) -> Tensor:
        """Scatter groups (..., C, M) bool to keys (..., K) bool."""
        return groups.flatten(-2).index_select(-1, self.position) & self.is_grouped


_CACHE = WeakTensorKeyDictionary()
"""Groups by membership, with the version of the tensor; generation needs them in every frame."""


def key_groups(membership: Tensor) -> KeyGroups:
    """The keys of each code as a rectangular tensor, cached per membership.

    Args:
        membership: (C, K) bool; every key belongs to at most one code.
    """
    # A tensor that was changed in place has another version; inference tensors have none.
    version = None if membership.is_inference() else membership._version
    if membership in _CACHE and version is not None:
        cached: tuple[int | None, KeyGroups] = _CACHE[membership]
        if cached[0] == version:
            return cached[1]
    # Outside of inference mode, since training may use the cached tensors later.
    with torch.inference_mode(mode=False), torch.no_grad():
        groups = KeyGroups.of(membership)
    _CACHE[membership] = version, groups
    return groups


def _suffix_log_any(logits: Tensor) -> list[Tensor]:
    """For each m, the log-probability (...) that at least one of the keys m, m+1, ... sounds.

    Computed from the last key backwards, with additions only, so that no precision is lost by cancellation.

    Args:
        logits: (..., M).
    """
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
    return _suffix_log_any(key_groups(membership).gather(single(logits)))[0]


def _lifted(logits: Tensor, membership: Tensor) -> Tensor:
    """Logits (..., K) with those of a code raised together if all are far below 0.

    Given that one of its keys sounds, that changes no probability that is not 0 in single precision. But a
    difference of logits far below 0, which edited weights can give, would be lost to rounding, so that each
    of the keys would seem to be certain.
    """
    logits = single(logits)
    highest = key_groups(membership).gather(logits).amax(-1)
    lift = (-FAR - highest).clamp(min=0).masked_fill(~membership.any(-1), 0)
    return logits + lift @ membership.to(lift)


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
    logits = _lifted(logits, membership)
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
        top_p: if below 1, the lowest key is drawn from its nucleus, and so is whether each key above sounds.
    """
    alone = logsigmoid(logits)
    if top_p < 1:
        silent = logsigmoid(-logits)
        lowest = nucleus(alone + silent.cumsum(-1) - silent, top_p).log_softmax(-1)
        first = one_hot(draw_at(lowest, uniform[..., 0]), logits.shape[-1]) > 0
        above = first.cumsum(-1) > first
        return first | (above & (uniform < likely(alone.exp(), top_p)))
    first = uniform < (alone - torch.stack(_suffix_log_any(logits), dim=-1)).exp()
    has_earlier = first.cumsum(-1) > first
    return torch.where(has_earlier, uniform < alone.exp(), first)


def draw_keys(
    logits: Tensor, codes: Tensor, membership: Tensor, generator: Generator, top_p: float = 1.0
) -> Tensor:
    """Draw keys (..., K) in {0, 1} that fold to the codes, from exactly the distribution of `keys_log_prob`.

    With `top_p` below 1 only likely keys are drawn; see `draw_at_least_one`.
    """
    uniform = uniform_for_keys(logits.shape[:-1], membership, generator)
    return keys_from_uniform(logits, codes, membership, uniform, top_p)


def uniform_for_keys(shape: Sequence[int], membership: Tensor, generator: Generator) -> Tensor:
    """Draw the random numbers (M, ..., C) that `keys_from_uniform` needs for frames of a shape (...)."""
    index = key_groups(membership).index
    return torch.rand((index.shape[1], *shape, len(index)), generator=generator, device=membership.device)


def keys_from_uniform(
    logits: Tensor, codes: Tensor, membership: Tensor, uniform: Tensor, top_p: float = 1.0
) -> Tensor:
    """The keys (..., K) that `draw_keys` draws with the random numbers of `uniform_for_keys`."""
    groups = key_groups(membership)
    drawn = draw_at_least_one(groups.gather(logits), uniform.movedim(0, -1), top_p)
    return groups.scatter(drawn & (codes > 0).unsqueeze(-1)).to(logits)
