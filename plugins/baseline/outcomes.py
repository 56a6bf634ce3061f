"""The outcomes that voices choose from, and the probability of a pitch class given all voices.

For C pitch classes, outcomes 0..C-1 mean "this pitch class sounds" and C..2C-1 "it does not sound".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zoo.parts.masks import never


def true_outcomes(codes: Tensor, decided: Tensor, voices_left: int) -> Tensor:
    """Outcomes (B, T, 2C) that are true and leave enough voices for the remaining pitch classes.

    Never empty while there are undecided pitch classes. Where more pitch classes sound than voices are
    left, only pitch classes that sound are allowed.

    Args:
        codes: (B, T, C), the true codes.
        decided: (B, T, 2C), what earlier voices decided in the frame.
        voices_left: number of voices that have yet to decide, including this one.
    """
    affirmed, denied = (half > 0 for half in decided.chunk(2, -1))
    sounds, silent = (codes > 0) & ~affirmed, (codes <= 0) & ~denied
    remaining = sounds.sum(-1, keepdim=True)
    return torch.cat((sounds, silent & (remaining < voices_left)), -1)


def note_logits(log_probs: Tensor) -> Tensor:
    """Logits (B, T, C) of p(1 - b), the probability that a voice affirms a pitch class and none denies it.

    p = p_1 + (1 - p_1) p_2 + (1 - p_1)(1 - p_2) p_3 + ... over the voices, and b likewise.

    Args:
        log_probs: (V, B, T, 2C), log-probabilities of each voice's outcomes given the voices before it.
    """
    undecided = log_complement(log_probs).cumsum(0)
    before = torch.cat((torch.zeros_like(undecided[:1]), undecided[:-1]))
    affirmed, denied = (log_probs + before).logsumexp(0).chunk(2, -1)
    not_affirmed, not_denied = undecided[-1].chunk(2, -1)
    return affirmed + not_denied - torch.logaddexp(not_affirmed, affirmed + denied)


def log_complement(log_probs: Tensor) -> Tensor:
    """Log of 1 - p of each outcome, from log-probabilities (..., N) that sum to one.

    Only one outcome can have p > 1/2. There 1 - p would suffer from cancellation, so the others are summed.
    """
    likeliest = one_hot(log_probs.argmax(-1), log_probs.shape[-1]).bool()
    others = log_probs.masked_fill(likeliest, never(log_probs.dtype)).logsumexp(-1, keepdim=True)
    unlikely = log_probs.masked_fill(likeliest, never(log_probs.dtype))
    return torch.where(likeliest, others, torch.log1p(-unlikely.exp()))
