"""Joint distributions of codes and of keys, factorized from the lowest up."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from zoo.parts.interfaces import Decoder, LogProb, Sampler, Sizes, State
from zoo.parts.layers import LSTM
from zoo.parts.masks import folds_to

from .settings import OrderedDecoderSettings, OrderedSamplerSettings
from .spelling import Rule, Speller

Memory = tuple[Tensor, Tensor]


class OrderedSampler(Sampler):
    """Spells a chord from its lowest code up: which code is next, or is the chord complete?

    Independent codes form a sensible chord only by chance; here each code is chosen given those below it. A
    softmax at each step covers the higher codes and the end of the chord, so the likelihood is exact, for 12
    pitch classes and for 88 keys.
    """

    def __init__(self, settings: OrderedSamplerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.speller = Speller(sizes.features, sizes.codes, settings.hidden, settings.dropout)

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self._nats(features, codes)

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T)."""
        return LogProb(self._nats(features, codes))

    def sample(
        self,
        features: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Codes (B, 1, C), chosen one after another; see `Speller.draw` for the temperature."""
        return self.speller.draw(features[:, 0], generator, temperature, top_p=top_p).unsqueeze(1), state

    def _nats(self, features: Tensor, codes: Tensor) -> Tensor:
        nats = self.speller.log_prob(features.flatten(0, 1), codes.flatten(0, 1))
        return nats.view(codes.shape[:2])


class OrderedDecoder(Decoder):
    """Voices a chord from its lowest key up, until each of its pitch classes has a key.

    An LSTM remembers how earlier chords were voiced. A key may be chosen if its code is active and every
    active code that still has no key can get a higher one; the end may be chosen once all have a key. All
    samples therefore fold to their codes and the likelihood is exact; spacing and doublings depend on the
    keys below.
    """

    membership: Tensor
    highest: Tensor

    def __init__(self, settings: OrderedDecoderSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        inputs = sizes.codes + sizes.keys
        self.lstm = LSTM(inputs, settings.lstm)
        self.speller = Speller(settings.lstm + inputs, sizes.keys, settings.hidden, settings.dropout)
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)
        keys = torch.arange(sizes.keys, device=sizes.membership.device)
        places = keys.masked_fill(~sizes.membership, -1)
        self.register_buffer("highest", places.max(-1).values, persistent=False)

    def start(self, batch: int) -> Memory:
        """A zero state."""
        return self.lstm.start(batch)

    def loss(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self._nats(codes, keys, previous)

    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T) among the key sets that fold to the codes; -inf for others."""
        return LogProb(self._nats(codes, keys, previous))

    def sample(
        self,
        codes: Tensor,
        previous: Tensor,
        state: Memory,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, Memory]:
        """Keys (B, 1, K) that fold to the codes; see `Speller.draw` for the temperature."""
        context, state = self._context(codes, previous, state)
        keys = self.speller.draw(context[:, 0], generator, temperature, self._rule(codes[:, 0]), top_p)
        return keys.unsqueeze(1), state

    def follow(self, codes: Tensor, previous: Tensor, state: Memory) -> Memory:
        """The state after known frames."""
        return self._context(codes, previous, state)[1]

    def _context(self, codes: Tensor, previous: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        present = torch.cat([codes, previous], -1)
        remembered, state = self.lstm(present, state)
        return torch.cat([remembered, present], -1), state

    def _nats(self, codes: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        context, _ = self._context(codes, previous, self.start(len(codes)))
        fits = folds_to(keys, codes, self.membership)
        nats = self.speller.log_prob(context[fits], keys[fits], self._rule(codes[fits]))
        return nats.new_full(fits.shape, -torch.inf).masked_scatter(fits, nats)

    def _rule(self, codes: Tensor) -> Rule:
        """The rule for codes (M, C): allow the steps after which each code can still get a key."""
        active, membership = codes > 0, self.membership.to(codes)
        playable = codes @ membership > 0
        place = torch.arange(self.sizes.keys, device=codes.device)

        def rule(partial: Tensor, rows: Tensor) -> Tensor:
            waiting = active[rows] & (partial @ membership.T <= 0)
            limit = self.highest.where(waiting, self.sizes.keys).amin(-1, keepdim=True)
            return torch.cat([playable[rows] & (place <= limit), ~waiting.any(-1, keepdim=True)], -1)

        return rule
