"""Voices that decide, one after the other, which pitch classes the next frame has.

Sampling. Each voice in turn decides one pitch class: it sounds, or it does not. A later voice receives the
features and all earlier decisions. A pitch class is decided at most once, and is silent if no voice decides
it. All voices share one LSTM, but each has its own state, which persists across frames. Voices alone could
never sound more pitch classes than there are voices. With a small probability, the escape, a frame is
therefore drawn from independent pitch classes at their rates in the training music, and the voices follow
it: each makes a decision that is true of the frame.

Scoring. Many sequences of decisions (paths) give the same codes, and the states depend on the path. Let
q(path | codes) be the distribution of the voices restricted to outcomes that are true and leave enough
voices for the remaining pitch classes; voices that follow an escaped frame draw from q. Then

    p(codes, path) = (1 - escape) p(path) [path gives codes] + escape * rates(codes) q(path | codes),

and for a path drawn from q, the weight p / q of a frame is

    w = (1 - escape) * product over voices of (probability mass of allowed outcomes) + escape * rates(codes),

with a first term of 0 where more pitch classes sound than there are voices. The expectation of w is
p(codes). The log of a mean over K paths is therefore a lower bound of log p in expectation (Burda et al.
2016, importance weighting), also if paths are resampled between frames (Maddison et al. 2017, filtering
objectives).
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
from zoo.parts.masks import bernoulli_log_prob, draw_one, flip, likely, masked_log_softmax, never, nucleus

from .outcomes import note_logits, true_outcomes
from .speaking import speak

Memories = tuple[Tensor, Tensor]
"""Hidden and cell states of all voices, each (B, V, H)."""

UNBROKEN = 64
"""Frames scored at once if paths are never resampled; limits the memory that long pieces need."""


@dataclass(frozen=True)
class Path:
    """The decisions of all voices in some frames, one path per row.

    Attributes:
        decided: (B, T, 2C) in {0, 1}, the outcomes the voices chose.
        log_weight: (B, T) nats, log of the weight w of each frame.
        memories: states of the voices after the last frame.
    """

    decided: Tensor
    log_weight: Tensor
    memories: Memories


class Voices(Sampler):
    """Composes chords note by note: each voice decides one pitch class, given the earlier decisions.

    A voice decides that a pitch class sounds or that it does not; a pitch class without a decision is silent.
    There are at most as many voices as codes. The likelihood is averaged over many paths of decisions.

    Outcomes 0..C-1 mean "this pitch class sounds", C..2C-1 "it does not sound".
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
        """Zero states, (B, V, H) each."""
        hidden = self.here.new_zeros(batch, self.voices, self.settings.hidden)
        return hidden, hidden

    def count(self, *music: Tensor, mask: Tensor) -> None:
        """Count how often each pitch class sounds, for the escape."""
        codes = music[0].bool() & mask.unsqueeze(-1)
        self.counted_frames += mask.sum()
        self.counted_codes += codes.sum((0, 1))

    def forget_counts(self) -> None:
        """Reset the rates of the escape to 0.5."""
        self.counted_frames.zero_()
        self.counted_codes.zero_()

    @property
    def rates(self) -> Tensor:
        """How often each pitch class sounds, (C,); 0.5 before anything is counted."""
        return (self.counted_codes + 1) / (self.counted_frames + 2)

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The objective that the settings name, (B, T) nats.

        `no-aposter`, the original's: the cross-entropy of the voices' decisions, with teacher forcing: each
        voice receives only true decisions. `bound`: -log w along one path drawn from q. Its gradient is that
        of reweighted wake-sleep (Bornschein & Bengio 2015), but averaged over all decisions of a voice that q
        allows instead of taken at the one drawn; there is no gradient through the draw itself.
        """
        if self.settings.objective == "bound":
            return -self._walk(features, codes, self.start(len(codes)), generator).log_weight
        log_probs = self.distributions(features, codes, lambda voice, own: draw_one(own, generator))
        return -bernoulli_log_prob(note_logits(log_probs), codes).sum(-1)

    def distributions(
        self, features: Tensor, codes: Tensor, choose: Callable[[int, Tensor], Tensor]
    ) -> Tensor:
        """Log-probabilities (V, B, T, 2C) of each voice's outcomes, given true decisions of earlier voices.

        Args:
            features: (B, T, F).
            codes: (B, T, C), the true codes.
            choose: from the number of a voice and its log-probabilities (B, T, 2C) to outcomes (B, T). A
                wrong outcome is replaced by the opposite outcome of the same pitch class.
        """
        decided = self._nothing_decided(codes)
        by_voice = []
        for voice in range(self.voices):
            log_probs, _ = self._ask(features, decided, self.lstm.start(len(codes)))
            pitch = choose(voice, log_probs.detach()) % self.sizes.codes
            sounds = codes.gather(-1, pitch.unsqueeze(-1)).squeeze(-1) > 0
            decided = decided + self._outcome(torch.where(sounds, pitch, pitch + self.sizes.codes))
            by_voice.append(log_probs)
        return torch.stack(by_voice)

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """A lower bound by a particle filter over the voices' paths, (B, T) nats.

        The value of a frame is what it adds to the bound of the piece so far. Notes: `escaped`, where a
        frame has more pitch classes than there are voices.
        """
        value, _ = self._filter(features, codes, self.start(len(codes)), generator)
        return LogProb(value, "bound", notes={"escaped": codes.sum(-1) > self.voices})

    def sample(
        self,
        features: Tensor,
        state: Memories,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, Memories]:
        """Draw one frame; if it escapes, the voices follow the codes that were drawn."""
        rates = self.rates.expand(*features.shape[:2], -1)
        escape = likely(torch.full_like(rates[..., 0], self.settings.escape), top_p)
        free = ~flip(escape, generator)
        codes = flip(likely(rates, top_p), generator).to(features)
        if bool(free.all()):
            decided, state = speak(
                self.lstm, self.linear, features[:, 0], state, generator, temperature, top_p
            )
            return decided[:, None, : self.sizes.codes], state
        path = self._walk(features, codes, state, generator, free=free, temperature=temperature, top_p=top_p)
        voiced = path.decided[..., : self.sizes.codes]
        return torch.where(free.unsqueeze(-1), voiced, codes), path.memories

    def follow(self, features: Tensor, codes: Tensor, state: Memories, generator: Generator) -> Memories:
        """States after known frames, along one path drawn in proportion to its weight."""
        return self._filter(features, codes, state, generator)[1]

    def _ask(
        self, features: Tensor, decided: Tensor, memory: Memories, temperature: float = 1.0
    ) -> tuple[Tensor, Memories]:
        """Log-probabilities (B, T, 2C) of one voice's outcomes, and its state after the last frame."""
        outputs, memory = self.lstm(torch.cat((features, decided), -1), memory)
        logits = self.linear(outputs)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
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
        top_p: float = 1.0,
    ) -> Path:
        """Draw a path from q given the codes; where `free` (B, T) is true, a path with any codes."""
        decided = self._nothing_decided(codes)
        log_mass = torch.zeros_like(codes[..., 0])
        after = []
        for voice in range(self.voices):
            memory = (memories[0][:, voice], memories[1][:, voice])
            log_probs, memory = self._ask(features, decided, memory, temperature)
            allowed = true_outcomes(codes, decided, self.voices - voice)
            if free is not None:
                allowed = allowed | free.unsqueeze(-1)
            # For a draw from the restricted distribution, p / q is the mass of the allowed outcomes.
            restricted = log_probs.masked_fill(~allowed, never(log_probs.dtype))
            decided = decided + self._outcome(draw_one(nucleus(restricted.detach(), top_p), generator))
            log_mass = log_mass + restricted.logsumexp(-1)
            after.append(memory)
        hidden, cell = (torch.stack(memory, 1) for memory in zip(*after, strict=True))
        return Path(decided, self._log_weight(log_mass, codes), (hidden, cell))

    def _log_weight(self, log_mass: Tensor, codes: Tensor) -> Tensor:
        """Log w of each frame, (B, T), from the log of the probability mass of the allowed outcomes."""
        voiced = log_mass.masked_fill(codes.sum(-1) > self.voices, never(log_mass.dtype))
        escaped = bernoulli_log_prob(self.rates.logit(), codes).sum(-1)
        escape = self.settings.escape
        return torch.logaddexp(voiced + math.log1p(-escape), escaped + math.log(escape))

    def _filter(
        self, features: Tensor, codes: Tensor, memories: Memories, generator: Generator
    ) -> tuple[Tensor, Memories]:
        """The bound of each frame (B, T) in nats, and the states of one path after the last frame."""
        batch, paths = len(codes), self.settings.paths
        memories = spread(memories, torch.arange(batch, device=codes.device).repeat_interleave(paths))
        log_weight = features.new_zeros(batch, paths, 1)
        values = []
        stretch = self.settings.resample or UNBROKEN
        for first in range(0, codes.shape[1], stretch):
            part_features, part_codes = (
                frames[:, first : first + stretch].repeat_interleave(paths, 0) for frames in (features, codes)
            )
            path = self._walk(part_features, part_codes, memories, generator)
            so_far = log_weight + path.log_weight.reshape(batch, paths, -1).cumsum(-1)
            mean = so_far.logsumexp(1) - math.log(paths)
            # Only the bound of a whole piece is a bound. A frame gets what it adds, so that frames sum to it.
            values.append(mean.diff(prepend=torch.zeros_like(mean[:, :1])))
            # Relative to the mean, which is now part of the bound: the product of these means is unbiased.
            log_weight = so_far[..., -1:] - mean[:, None, -1:]
            memories = path.memories
            if self.settings.resample:
                # Resampling keeps the paths whose states explain the music so far; all then weigh the same.
                memories = spread(memories, survivors(log_weight.squeeze(-1), generator))
                log_weight = torch.zeros_like(log_weight)
        chosen = draw_one(log_weight.squeeze(-1).detach(), generator)
        rows = torch.arange(batch, device=chosen.device) * paths + chosen
        return torch.cat(values, 1), spread(memories, rows)

    def _nothing_decided(self, codes: Tensor) -> Tensor:
        return torch.zeros_like(codes).repeat(1, 1, 2)

    def _outcome(self, outcome: Tensor) -> Tensor:
        return one_hot(outcome, 2 * self.sizes.codes).to(self.here)


def survivors(log_weight: Tensor, generator: Generator) -> Tensor:
    """Systematic resampling: rows (B * K,) of the paths to continue, each K times its weight on average.

    Args:
        log_weight: (B, K), log-weights of the paths of B pieces.
        generator: draws one random number per piece.
    """
    batch, paths = log_weight.shape
    edges = log_weight.detach().softmax(-1).cumsum(-1)
    offset = torch.rand(batch, 1, generator=generator, device=log_weight.device)
    places = (torch.arange(paths, device=log_weight.device) + offset) / paths
    chosen = torch.searchsorted(edges, places).clamp(max=paths - 1)
    return (torch.arange(batch, device=log_weight.device).unsqueeze(-1) * paths + chosen).flatten()


def spread(memories: Memories, rows: Tensor) -> Memories:
    """The states of the given rows."""
    hidden, cell = memories
    return hidden[rows], cell[rows]
