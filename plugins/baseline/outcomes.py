"""What voices may decide, and what becomes of a pitch class when all of them have.

Of C pitch classes the outcomes 0..C-1 mean "this pitch class sounds", C..2C-1 "it certainly does not".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zoo.parts.masks import never


def true_outcomes(codes: Tensor, decided: Tensor, voices_left: int) -> Tensor:
    """Outcomes (B, T, 2C) that are true and leave enough voices for the pitch classes still to come.

    Never empty while there are undecided pitch classes. Where more pitch classes sound than voices are
    left, only pitch classes that sound are allowed.

    Args:
        codes: (B, T, C), the truth.
        decided: (B, T, 2C), what earlier voices decided in the frame.
        voices_left: how many voices have yet to decide, this one included.
    """
    said, denied = (half > 0 for half in decided.chunk(2, -1))
    sounds, silent = (codes > 0) & ~said, (codes <= 0) & ~denied
    to_come = sounds.sum(-1, keepdim=True)
    return torch.cat((sounds, silent & (to_come < voices_left)), -1)


def note_logits(log_probs: Tensor) -> Tensor:
    """Logits (B, T, C) of p(1 - b), the chance that someone says "sounds" and nobody "does not".

    p = p_1 + (1 - p_1) p_2 + (1 - p_1)(1 - p_2) p_3 + ... over the voices, and b likewise.

    Args:
        log_probs: (V, B, T, 2C), what each voice would decide, given those before it.
    """
    nobody_yet = log_complement(log_probs).cumsum(0)
    before = torch.cat((torch.zeros_like(nobody_yet[:1]), nobody_yet[:-1]))
    said, denied = (log_probs + before).logsumexp(0).chunk(2, -1)
    not_said, not_denied = nobody_yet[-1].chunk(2, -1)
    return said + not_denied - torch.logaddexp(not_said, said + denied)


def log_complement(log_probs: Tensor) -> Tensor:
    """Log of 1 - p of each outcome, from log-probabilities (..., N) that sum to one.

    Only one outcome can have p > 1/2, and 1 - p would cancel there: it is the sum of all others.
    """
    likeliest = one_hot(log_probs.argmax(-1), log_probs.shape[-1]).bool()
    others = log_probs.masked_fill(likeliest, never(log_probs.dtype)).logsumexp(-1, keepdim=True)
    unlikely = log_probs.masked_fill(likeliest, never(log_probs.dtype))
    return torch.where(likeliest, others, torch.log1p(-unlikely.exp()))
