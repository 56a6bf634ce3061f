"""Joint distributions of codes and of keys, factorized from the lowest up."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Decoder, LogProb, Sampler, Sizes, State
from zoo.parts.layers import LSTM
from zoo.parts.masks import folds_to

from .memory import attention_over_keys
from .settings import OrderedDecoderSettings, OrderedSamplerSettings
from .spelling import Rule, Speller

Heard = tuple[tuple[Tensor, Tensor], State]
"""The state of the decoder's LSTM, and that of its memory."""


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

    An LSTM remembers how earlier chords were voiced. With `memory`, an attention over earlier keys describes
    them as well; it belongs to the decoder and is trained with it. A key may be chosen if its code is active
    and every active code that still has no key can get a higher one; the end may be chosen once all have a
    key. All samples therefore fold to their codes and the likelihood is exact; spacing and doublings depend
    on the keys below.
    """

    membership: Tensor
    highest: Tensor

    def __init__(self, settings: OrderedDecoderSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        inputs = sizes.codes + sizes.keys
        self.memory: Attention | None = None
        if settings.memory != "none":
            self.memory = attention_over_keys(settings.memory, sizes)
        features = self.memory.features if self.memory else 0
        self.lstm = LSTM(inputs, settings.lstm)
        self.speller = Speller(
            settings.lstm + inputs + features, sizes.keys, settings.hidden, settings.dropout
        )
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)
        keys = torch.arange(sizes.keys, device=sizes.membership.device)
        places = keys.masked_fill(~sizes.membership, -1)
        self.register_buffer("highest", places.max(-1).values, persistent=False)

    def start(self, batch: int, past: Tensor | None = None) -> Heard:
        """A zero state, and that of the memory after the keys of the past (B, P, K)."""
        if self.memory is None:
            return self.lstm.start(batch), ()
        past = self.here.new_zeros(batch, 0, self.sizes.keys) if past is None else past
        return self.lstm.start(batch), self.memory.start(past)

    def loss(
        self,
        codes: Tensor,
        keys: Tensor,
        previous: Tensor,
        generator: Generator,
        past: Tensor | None = None,
        clock: Clock | None = None,
    ) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self._nats(codes, keys, previous, past, clock)

    def log_prob(
        self,
        codes: Tensor,
        keys: Tensor,
        previous: Tensor,
        generator: Generator,
        past: Tensor | None = None,
        clock: Clock | None = None,
    ) -> LogProb:
        """Exact log-probabilities (B, T) among the key sets that fold to the codes; -inf for others."""
        return LogProb(self._nats(codes, keys, previous, past, clock))

    def sample(
        self,
        codes: Tensor,
        previous: Tensor,
        state: Heard,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
        clock: Clock | None = None,
    ) -> tuple[Tensor, Heard]:
        """Keys (B, 1, K) that fold to the codes; see `Speller.draw` for the temperature."""
        context, state = self._context(codes, previous, state, clock)
        keys = self.speller.draw(context[:, 0], generator, temperature, self._rule(codes[:, 0]), top_p)
        return keys.unsqueeze(1), state

    def follow(self, codes: Tensor, previous: Tensor, state: Heard, clock: Clock | None = None) -> Heard:
        """The state after known frames."""
        return self._context(codes, previous, state, clock)[1]

    def _context(
        self, codes: Tensor, previous: Tensor, state: Heard, clock: Clock | None = None
    ) -> tuple[Tensor, Heard]:
        recurrent, heard = state
        present = torch.cat([codes, previous], -1)
        remembered, recurrent = self.lstm(present, recurrent)
        context = [remembered, present]
        if self.memory is not None:
            assert clock is not None, "the zoo passes the clock to every method that has a parameter for it"
            features, heard = self.memory(previous, clock, heard)
            context.append(features)
        return torch.cat(context, -1), (recurrent, heard)

    def _nats(
        self, codes: Tensor, keys: Tensor, previous: Tensor, past: Tensor | None, clock: Clock | None
    ) -> Tensor:
        context, _ = self._context(codes, previous, self.start(len(codes), past), clock)
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
