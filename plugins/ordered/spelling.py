"""Autoregressive distributions over sets: the members from the lowest up, then the end.

Every set has exactly one spelling, so its probability is the product over the steps of that spelling, each a
softmax over the possible next members and the end. In training, all steps of all frames are known and are
computed at once; sampling takes one step for each member.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from zoo.parts.masks import draw_at, masked_log_softmax, nucleus

Rule = Callable[[Tensor, Tensor], Tensor]
"""From the members chosen so far, (R, N) in {0, 1}, and their rows (R,) in the batch to the allowed steps,
(R, N + 1) bool with the end last. At least one higher member or the end must be allowed; entries for members
below the last one chosen are ignored."""


def anything(partial: Tensor, rows: Tensor) -> Tensor:
    """The rule that allows every set."""
    return torch.ones(len(partial), partial.shape[-1] + 1, dtype=torch.bool, device=partial.device)


class Speller(nn.Module):
    """A conditional distribution over sets of N members, given an input vector per frame.

    Two hidden layers receive the input, all members chosen so far, and the last of them. The input and the
    last member have shortcuts to the output. Dropout uses the same mask in all steps of a frame (Gal and
    Ghahramani, A Theoretically Grounded Application of Dropout in Recurrent Neural Networks, NIPS 2016).
    """

    def __init__(self, inputs: int, members: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.members = members
        self.hear = nn.Linear(inputs, hidden)
        self.direct = nn.Linear(inputs, members + 1)
        self.named = nn.Linear(members, hidden, bias=False)
        self.last = nn.Embedding(members + 1, hidden)  # the last row: no member has been chosen yet
        self.deepen = nn.Linear(hidden, hidden)
        self.choose = nn.Linear(hidden, members + 1)
        self.beside = nn.Embedding(members + 1, members + 1)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.named.weight, std=0.1)
        nn.init.normal_(self.last.weight, std=0.1)
        nn.init.zeros_(self.beside.weight)

    def log_prob(self, context: Tensor, chosen: Tensor, rule: Rule = anything) -> Tensor:
        """Log-probabilities (M,) of sets (M, N) in {0, 1} that obey the rule, given inputs (M, I)."""
        count, members = chosen.shape
        ends = torch.ones_like(chosen[:, :1])
        rows, step = torch.cat([chosen, ends], -1).nonzero(as_tuple=True)
        begins = torch.cat([rows.new_ones(1, dtype=torch.bool), rows[1:] != rows[:-1]])
        last = torch.where(begins, members, step.roll(1))
        partial = chosen[rows] * (torch.arange(members, device=rows.device) < step.unsqueeze(-1))
        inputs, shortcut, mask = (plane[rows] for plane in self._shared(context))
        logits = self._logits(inputs, shortcut, mask, partial, last)
        nats = masked_log_softmax(logits, self._allowed(rule, partial, last, rows))
        by_step = nats.gather(-1, step.unsqueeze(-1)).squeeze(-1)
        return by_step.new_zeros(count).index_add(0, rows, by_step)

    def draw(
        self,
        context: Tensor,
        generator: Generator,
        temperature: float = 1.0,
        rule: Rule = anything,
        top_p: float = 1.0,
    ) -> Tensor:
        """Sets (M, N) in {0, 1} that obey the rule, step after step.

        The temperature divides the logits of the members, and `top_p` below 1 draws from their nucleus.
        Neither changes the probability that the set ends.
        """
        count, end = len(context), self.members
        inputs, shortcut, mask = self._shared(context)
        # The same number for every row, however many steps it takes, so that rows do not affect each other.
        uniform = torch.rand(count, end + 1, generator=generator, device=context.device)
        rows = torch.arange(count, device=context.device)
        last, spelled = torch.full_like(rows, end), context.new_zeros(count, end + 1)
        for turn in range(end + 1):
            partial = spelled[:, :end]
            logits = self._logits(inputs, shortcut, mask, partial, last)
            allowed = self._allowed(rule, partial, last, rows)
            step = draw_at(_sharpened(logits, allowed, temperature, top_p), uniform[:, turn])
            step = torch.where(spelled[:, end] > 0, end, step)  # what has ended stays as it is
            spelled = spelled.scatter(-1, step.unsqueeze(-1), 1.0)
            if bool((step == end).all()):
                break
            last = torch.where(step < end, step, last)
        return spelled[:, :end]

    def _shared(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The terms shared by all steps of a frame: hidden input, shortcut and dropout mask."""
        context = self.dropout(context)
        inputs = self.hear(context)
        return inputs, self.direct(context), self.dropout(torch.ones_like(inputs))

    def _logits(
        self, inputs: Tensor, shortcut: Tensor, mask: Tensor, partial: Tensor, last: Tensor
    ) -> Tensor:
        hidden = torch.relu(inputs + self.named(partial) + self.last(last)) * mask
        hidden = hidden + torch.relu(self.deepen(hidden)) * mask
        logits: Tensor = self.choose(hidden) + shortcut + self.beside(last)
        return logits

    def _allowed(self, rule: Rule, partial: Tensor, last: Tensor, rows: Tensor) -> Tensor:
        place = torch.arange(self.members + 1, device=last.device)
        above = (place > last.unsqueeze(-1)) | (last.unsqueeze(-1) == self.members)
        return above & rule(partial, rows)


def _sharpened(logits: Tensor, allowed: Tensor, temperature: float, top_p: float) -> Tensor:
    """Log-probabilities of a step, (..., N + 1), with the members sharpened among themselves.

    The end keeps its probability. Dividing its logit as well shortens the sets, and music falls silent: the
    empty set is often the likeliest single set where most frames are not empty.
    """
    plain = masked_log_softmax(logits, allowed)
    if temperature == 1 and top_p >= 1:
        return plain
    members = masked_log_softmax(logits[..., :-1] / temperature, allowed[..., :-1])
    goes_on = plain[..., :-1].logsumexp(-1, keepdim=True)
    return torch.cat([nucleus(members, top_p).log_softmax(-1) + goes_on, plain[..., -1:]], -1)
