"""A sampler that decides the codes of a frame one after another, given those decided before.

In a fixed order of the codes, code d sounds with probability

    sigmoid(visible_d + weight_d . sigmoid(hidden + sum of the weights of the earlier codes that sound)).

Silent codes add nothing to the hidden units, so these only change where a code sounds: a frame of n sounding
codes has n + 1 states of the hidden units, not C. All of them are computed at once, and drawing a frame takes
n + 1 steps.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import LogProb, Sampler, Sizes, State
from zoo.parts.masks import bernoulli_log_prob, likely, single

from .settings import NADESettings


class NADE(Sampler):
    """Decides for each code whether it sounds, given the codes before it in an order.

    The biases of codes and hidden units are linear functions of the features, as in the RNN-NADE; the weights
    are the same in all frames. With several orders the distribution is the average of theirs: each order is
    exact, and so is the average. In training each frame has one of the orders, at random.
    """

    ranks: Tensor

    def __init__(self, settings: NADESettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.visible = nn.Linear(sizes.features, sizes.codes)
        self.hidden = nn.Linear(sizes.features, settings.hidden)
        self.receive = nn.Parameter(0.1 * torch.randn(sizes.codes, settings.hidden))
        self.decide = nn.Linear(settings.hidden, sizes.codes, bias=False)
        self.dropout = nn.Dropout(settings.dropout)
        self.register_buffer("ranks", ranks(settings.orders, sizes.codes))

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T) in an order drawn for each frame."""
        frames = codes.flatten(0, 1)
        order = self._draw_order(len(frames), generator)
        return -self._log_prob(features.flatten(0, 1), frames, self._orders[order]).view(codes.shape[:2])

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T), averaged over the orders."""
        rows, frames = features.flatten(0, 1), codes.flatten(0, 1)
        by_order = [self._log_prob(rows, frames, order.expand_as(frames)) for order in self._orders]
        value = torch.stack(by_order).logsumexp(0) - math.log(len(by_order))
        return LogProb(value.view(codes.shape[:2]))

    def sample(
        self,
        features: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Codes (B, 1, C), in an order drawn for each row; the temperature divides the logits."""
        visible, hidden = self._biases(features[:, 0])
        rank = self._orders[self._draw_order(len(visible), generator)]
        uniform = torch.rand(visible.shape, generator=generator, device=visible.device)
        codes, last = torch.zeros_like(visible), rank.new_full((len(rank), 1), -1)
        while True:
            logits = self._logits(visible, hidden, codes) / temperature
            sounds = uniform < likely(logits.sigmoid(), top_p)
            # The next code to sound; until then the hidden units, and so the logits, remain as they are.
            place = rank.masked_fill(~sounds | (rank <= last), self.sizes.codes)
            last = place.amin(-1, keepdim=True)
            if bool((last == self.sizes.codes).all()):
                return codes.unsqueeze(1), state
            codes = codes + ((place == last) & (last < self.sizes.codes)).to(codes)

    @property
    def _orders(self) -> Tensor:
        """The rank of each code in each order, (orders, C)."""
        # Edited ranks may not be permutations; codes of one rank are then independent of each other.
        return self.ranks.clamp(0, self.sizes.codes - 1)

    def _draw_order(self, frames: int, generator: Generator) -> Tensor:
        return torch.randint(len(self.ranks), (frames,), generator=generator, device=self.device)

    def _biases(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Biases of codes (N, C) and of hidden units (N, H)."""
        features = self.dropout(features)
        return self.visible(features), self.hidden(features)

    def _logits(self, visible: Tensor, hidden: Tensor, before: Tensor) -> Tensor:
        """Logits (N, C) of all codes, given the codes before them that sound (N, C)."""
        return single(visible + self.decide((hidden + before @ self.receive).sigmoid()))

    def _log_prob(self, features: Tensor, codes: Tensor, rank: Tensor) -> Tensor:
        """Log-probabilities (N,) of codes (N, C), decided in the order of their ranks (N, C)."""
        earlier = earlier_sounding(codes, rank)
        # Row (frame, step) has the hidden units after `step` codes have sounded.
        steps = codes.sum(-1).long() + 1
        frame = torch.arange(len(codes), device=codes.device).repeat_interleave(steps)
        step = torch.arange(len(frame), device=codes.device) - (steps.cumsum(0) - steps)[frame]
        visible, hidden = (biases[frame] for biases in self._biases(features))
        earlier, codes = earlier[frame], codes[frame]
        logits = self._logits(visible, hidden, codes * (earlier < step.unsqueeze(-1)))
        decided = bernoulli_log_prob(logits, codes).masked_fill(earlier != step.unsqueeze(-1), 0)
        return decided.new_zeros(len(steps)).index_add(0, frame, decided.sum(-1))


def ranks(orders: int, codes: int) -> Tensor:
    """The rank of each code in each order, (orders, C): from the lowest up, then random permutations."""
    generator = Generator().manual_seed(0)
    random = [torch.randperm(codes, generator=generator) for _ in range(orders - 1)]
    return torch.stack([torch.arange(codes), *random])


def earlier_sounding(codes: Tensor, rank: Tensor) -> Tensor:
    """How many sounding codes each code (N, C) has before it in the order of the ranks (N, C)."""
    in_order = torch.zeros_like(codes).scatter(-1, rank, codes)
    return (in_order.cumsum(-1) - in_order).gather(-1, rank).long()
