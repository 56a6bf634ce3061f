"""Voices that decide, one after the other, which pitch classes the next frame holds.

How a frame comes about. Each voice in turn decides one pitch class: it sounds, or it certainly does
not. A later voice hears the features and what was decided before it; a pitch class is decided at most
once, and one that nobody decides is silent. All voices share one LSTM, each with a memory of its own
that lives across frames. Voices alone could never sound more pitch classes than there are voices, so
with a small probability, the escape, a frame is drawn instead from independent pitch classes at their
rates in the training music, and the voices follow it: each decides something that is true of it.

How a frame is scored. Many ways of deciding (paths) give the same codes, and memories remember them. Let
q(path | codes) be the voices' own distribution restricted to outcomes that are true and leave enough
voices for the pitch classes still to come; voices that follow an escaped frame draw from q. Then

    p(codes, path) = (1 - escape) p(path) [path says codes] + escape * rates(codes) q(path | codes),

and of a path drawn from q the weight p / q of a frame is

    w = (1 - escape) * prod over voices of (the sum of what the restriction leaves) + escape * rates(codes),

its first term 0 where more pitch classes sound than there are voices. Its mean is p(codes), so the
log of a mean over K paths is on average not above log p (Burda et al. 2016, importance weighting), and
stays so where paths are resampled on the way (Maddison et al. 2017, filtering objectives).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot

from zoo.parts.interfaces import LogProb, Sampler, Sizes
from zoo.parts.layers import LSTM
from zoo.parts.masks import bernoulli_log_prob, draw_one, flip, masked_log_softmax, never, single

from .outcomes import note_logits, true_outcomes
from .speaking import speak

Memories = tuple[Tensor, Tensor]
"""Hidden and cell memories of all voices, each (B, V, H)."""

UNBROKEN = 64
"""Frames scored at once where paths are never resampled; bounds the memory that a long piece takes."""


@dataclass(frozen=True)
class Path:
    """One way of deciding some frames, a path per row.

    Attributes:
        decided: (B, T, 2C) in {0, 1}, the outcomes the voices chose.
        log_weight: (B, T) nats, log of the weight w of each frame.
        memories: of the voices after the last frame.
    """

    decided: Tensor
    log_weight: Tensor
    memories: Memories


class Voices(Sampler):
    """Chords note by note: each of five voices decides a pitch class and hears what was decided before it.

    A voice says that its pitch class sounds or that it certainly does not; what nobody decides is silent.
    There are never more voices than codes. A likelihood averages over the many ways to decide a frame.

    Outcomes are numbered 0..C-1 "this pitch class sounds", C..2C-1 "it certainly does not".
    """

    counted_frames: Tensor
    counted_codes: Tensor

    def __init__(self, settings: Any, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.voices = min(settings.voices, sizes.codes)
        self.lstm = LSTM(sizes.features + 2 * sizes.codes, settings.hidden)
        self.linear = nn.Linear(settings.hidden, 2 * sizes.codes)
        self.register_buffer("counted_frames", torch.zeros((), dtype=torch.int64))
        self.register_buffer("counted_codes", torch.zeros(sizes.codes, dtype=torch.int64))

    def start(self, batch: int) -> Memories:
        """Empty memories, (B, V, H) each."""
        hidden = self.here.new_zeros(batch, self.voices, self.settings.hidden)
        return hidden, hidden

    def count(self, *music: Tensor, mask: Tensor) -> None:
        """Count how often each pitch class sounds, for the escape."""
        codes = music[0].bool() & mask.unsqueeze(-1)
        self.counted_frames += mask.sum()
        self.counted_codes += codes.sum((0, 1))

    def forget_counts(self) -> None:
        """Let the escape begin as a fair coin for each pitch class."""
        self.counted_frames.zero_()
        self.counted_codes.zero_()

    @property
    def rates(self) -> Tensor:
        """(C,) how often each pitch class sounds, 0.5 before anything is counted."""
        return (self.counted_codes + 1) / (self.counted_frames + 2)

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The objective that the settings name, (B, T) nats.

        `no-aposter`, the original's: a cross-entropy of what the voices would decide while they hear
        only true decisions. `bound`: -log w along one path drawn from q. Its gradient is that of
        reweighted wake-sleep (Bornschein & Bengio 2015) with the decision of each voice averaged over
        all that q allows, not only the one drawn; the drawing itself is not differentiated.
        """
        if self.settings.objective == "bound":
            return -self._walk(features, codes, self.start(len(codes)), generator).log_weight
        log_probs = self.distributions(features, codes, lambda voice, own: draw_one(own, generator))
        return -bernoulli_log_prob(note_logits(log_probs), codes).sum(-1)

    def distributions(
        self, features: Tensor, codes: Tensor, choose: Callable[[int, Tensor], Tensor]
    ) -> Tensor:
        """What each voice would decide if all before it decided truly, log-probabilities (V, B, T, 2C).

        Args:
            features: (B, T, F).
            codes: (B, T, C), the truth.
            choose: from the number of a voice and its log-probabilities (B, T, 2C) to outcomes (B, T); where
                the outcome is wrong of its pitch class, later voices hear the other one.
        """
        decided = self._nothing_decided(codes)
        heard = []
        for voice in range(self.voices):
            log_probs, _ = self._ask(features, decided, self.lstm.start(len(codes)))
            pitch = choose(voice, log_probs.detach()) % self.sizes.codes
            sounds = codes.gather(-1, pitch.unsqueeze(-1)).squeeze(-1) > 0
            decided = decided + self._outcome(torch.where(sounds, pitch, pitch + self.sizes.codes))
            heard.append(log_probs)
        return torch.stack(heard)

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """A bound by a particle filter over the voices' paths, (B, T) nats.

        The nats of a frame are what it adds to the bound of the piece so far. Notes: `escaped`, where a
        frame has more pitch classes than there are voices.
        """
        value, _ = self._filter(features, codes, self.start(len(codes)), generator)
        return LogProb(value, "bound", notes={"escaped": codes.sum(-1) > self.voices})

    def sample(
        self, features: Tensor, state: Memories, generator: Generator, temperature: float = 1.0
    ) -> tuple[Tensor, Memories]:
        """Draw one frame; where it escapes, the voices follow what was drawn."""
        rates = self.rates.expand(*features.shape[:2], -1)
        free = ~flip(torch.full_like(rates[..., 0], self.settings.escape), generator)
        codes = flip(rates, generator).to(features)
        if bool(free.all()):
            decided, state = speak(self.lstm, self.linear, features[:, 0], state, generator, temperature)
            return decided[:, None, : self.sizes.codes], state
        path = self._walk(features, codes, state, generator, free=free, temperature=temperature)
        said = path.decided[..., : self.sizes.codes]
        return torch.where(free.unsqueeze(-1), said, codes), path.memories

    def follow(self, features: Tensor, codes: Tensor, state: Memories, generator: Generator) -> Memories:
        """Memories after known frames, of one of the paths that could have led there."""
        return self._filter(features, codes, state, generator)[1]

    def _ask(
        self, features: Tensor, decided: Tensor, memory: Memories, temperature: float = 1.0
    ) -> tuple[Tensor, Memories]:
        """What one voice would decide in each frame, (B, T, 2C), and its memory after the last."""
        outputs, memory = self.lstm(torch.cat((features, decided), -1), memory)
        logits = single(self.linear(outputs)) / temperature
        sounds, silent = decided.chunk(2, -1)
        open_classes = (sounds + silent) == 0
        return masked_log_softmax(logits, open_classes.repeat(1, 1, 2)), memory

    def _walk(
        self,
        features: Tensor,
        codes: Tensor,
        memories: Memories,
        generator: Generator,
        free: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Path:
        """Draw a path through known codes from q; where `free` (B, T), a path through any codes."""
        decided = self._nothing_decided(codes)
        kept = torch.zeros_like(codes[..., 0])
        after = []
        for voice in range(self.voices):
            memory = (memories[0][:, voice], memories[1][:, voice])
            log_probs, memory = self._ask(features, decided, memory, temperature)
            allowed = true_outcomes(codes, decided, self.voices - voice)
            if free is not None:
                allowed = allowed | free.unsqueeze(-1)
            restricted = log_probs.masked_fill(~allowed, never(log_probs.dtype))
            outcome = draw_one(restricted.detach(), generator)
            decided = decided + self._outcome(outcome)
            kept = kept + _ratio(log_probs, restricted.log_softmax(-1), outcome)
            after.append(memory)
        hidden, cell = (torch.stack(memory, 1) for memory in zip(*after, strict=True))
        return Path(decided, self._log_weight(kept, codes), (hidden, cell))

    def _log_weight(self, kept: Tensor, codes: Tensor) -> Tensor:
        """Log w of each frame, (B, T), from the log of what the restriction left of all voices."""
        voiced = kept.masked_fill(codes.sum(-1) > self.voices, never(kept.dtype))
        escaped = bernoulli_log_prob(self.rates.logit(), codes).sum(-1)
        escape = self.settings.escape
        return torch.logaddexp(voiced + math.log1p(-escape), escaped + math.log(escape))

    def _filter(
        self, features: Tensor, codes: Tensor, memories: Memories, generator: Generator
    ) -> tuple[Tensor, Memories]:
        """The bound's nats of each frame (B, T), and the memories of one path after the last."""
        batch, paths = len(codes), self.settings.paths
        memories = spread(memories, torch.arange(batch, device=codes.device).repeat_interleave(paths))
        log_weight = features.new_zeros(batch, paths, 1)
        values = []
        stretch = self.settings.resample or UNBROKEN
        for first in range(0, codes.shape[1], stretch):
            heard, played = (
                frames[:, first : first + stretch].repeat_interleave(paths, 0) for frames in (features, codes)
            )
            path = self._walk(heard, played, memories, generator)
            so_far = log_weight + path.log_weight.reshape(batch, paths, -1).cumsum(-1)
            mean = so_far.logsumexp(1) - math.log(paths)
            values.append(mean.diff(prepend=torch.zeros_like(mean[:, :1])))
            log_weight = so_far[..., -1:] - mean[:, None, -1:]
            memories = path.memories
            if self.settings.resample:
                memories = spread(memories, survivors(log_weight.squeeze(-1), generator))
                log_weight = torch.zeros_like(log_weight)
        chosen = draw_one(log_weight.squeeze(-1).detach(), generator)
        rows = torch.arange(batch, device=chosen.device) * paths + chosen
        return torch.cat(values, 1), spread(memories, rows)

    def _nothing_decided(self, codes: Tensor) -> Tensor:
        return torch.zeros_like(codes).repeat(1, 1, 2)

    def _outcome(self, outcome: Tensor) -> Tensor:
        return one_hot(outcome, 2 * self.sizes.codes).to(self.here)


def _ratio(log_probs: Tensor, restricted: Tensor, outcome: Tensor) -> Tensor:
    """Log p - log q (B, T) of what was drawn from q: the log of what the restriction left of p.

    A `logsumexp` of what it left is the same number, but `exp` takes several times as long for arguments as
    low as `never`.
    """
    return (log_probs - restricted).gather(-1, outcome.unsqueeze(-1)).squeeze(-1)


def survivors(log_weight: Tensor, generator: Generator) -> Tensor:
    """Systematic resampling: the rows (B * K,) that go on, each on average K times its share.

    Args:
        log_weight: (B, K), paths of B pieces, stored piece after piece.
        generator: of the one random number a piece takes.
    """
    batch, paths = log_weight.shape
    edges = log_weight.detach().softmax(-1).cumsum(-1)
    offset = torch.rand(batch, 1, generator=generator, device=log_weight.device)
    places = (torch.arange(paths, device=log_weight.device) + offset) / paths
    chosen = torch.searchsorted(edges, places).clamp(max=paths - 1)
    return (torch.arange(batch, device=log_weight.device).unsqueeze(-1) * paths + chosen).flatten()


def spread(memories: Memories, rows: Tensor) -> Memories:
    """The memories of the given rows."""
    hidden, cell = memories
    return hidden[rows], cell[rows]
