"""The interfaces of the five slots.

Dimensions: B batch, T frames, C codes, K keys (88), H inputs, F features; tensors are batch first. Music
passes through the parts in this order:

    keys_t  --encoder-->  heard_t  --attention-->  features_t  --sampler-->  codes_t+1
    codes_t+1, keys_t  --decoder-->  keys_t+1  --velocity-->  loudness_t+1

What an attention hears of a frame are its codes, unless the encoder gives it more (`Encoder.heard`).

The shift "features of frame t predict frame t+1" is applied once, in `zoo.model`; parts do not apply it.
Codes and keys are floats that are 0 or 1. A state is any nesting of tuples, lists and dicts of batch-first
tensors. Probabilities are computed in log space (`zoo.parts.masks`).

Random numbers are drawn from the generator that is passed in. Draw the same number of them for every row of a
batch, whatever the rows contain; otherwise the draws of one row depend on the others. In training mode only,
layers may also draw from torch's global generators, as `nn.Dropout` does; the zoo seeds these at each step,
so that a resumed training run drops the same units as an uninterrupted one.

Methods of samplers, decoders and velocities may have two optional parameters, which the zoo passes by name to
every method that declares them, for example `def start(self, batch, past=None)`:

- `past`, of `start`, `loss`, `log_prob`, `count` and `calibrate`: the music before the first frame, oldest
  first, (B, P, ...) with P >= 0: codes for a sampler; for a decoder keys before the first `previous`; for a
  velocity loudness before the first `previous`. As for an attention, a past of silence must make no
  difference.
- `clock`, of all methods but `start`: (B, T), the positions of the frames in their bars. For a decoder and a
  velocity these are the frames of `codes`; for a sampler those that the features predict.

A part with `past` or `clock` must use them in the same way in training, scoring and sampling.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn

from zoo.errors import DataError, Problem
from zoo.parts.clock import Clock
from zoo.parts.counted import CountedResidual
from zoo.parts.kinds import Kind
from zoo.parts.piano import KEYS
from zoo.parts.residual import Plane, Residual
from zoo.parts.settings import Settings

State = Any
"""Any nesting of tuples, lists and dicts of batch-first tensors."""


@dataclass(frozen=True)
class Sizes:
    """The dimensions that a part is built for; they follow from the other parts of the recipe.

    Attributes:
        codes: C, given by the encoder.
        features: F, given by the attention (0 for the attention itself).
        keys: K, the number of piano keys.
        membership: (C, K) bool, the keys that each code represents; every key belongs to one code.
        grid: frames per quarter note; settings give lengths in quarter notes (see `in_frames`).
        inputs: H, the width of what an attention hears of a frame, given by the encoder; C unless stated.
    """

    codes: int
    features: int
    membership: Tensor
    keys: int = KEYS
    grid: int = 4
    inputs: int = 0

    def __post_init__(self) -> None:
        if not self.inputs:
            object.__setattr__(self, "inputs", self.codes)


@dataclass(frozen=True)
class LogProb:
    """Log-probabilities per frame, and whether they are exact.

    Attributes:
        value: (B, T) nats.
        kind: "exact", "bound" (a lower bound in expectation) or "estimate".
        variance: (B, T), the sampling variance of an estimate; None otherwise.
        notes: further (B, T) tensors to report, such as `escaped`.
    """

    value: Tensor
    kind: Kind = "exact"
    variance: Tensor | None = None
    notes: Mapping[str, Tensor] = field(default_factory=dict)


class Part(nn.Module, ABC):
    """Base class of all parts: a module that is built from settings and sizes.

    `settings` may be replaced on a trained part if every field that changes is `live`.
    """

    here: Tensor

    def __init__(self, settings: Any, sizes: Sizes) -> None:
        super().__init__()
        self.settings: Any = settings
        self.sizes = sizes
        self.register_buffer("here", torch.empty(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """The device of the part, also if it has no parameters."""
        return self.here.device

    def count(self, *music: Any, mask: Tensor) -> None:
        """Accumulate counts over the training music; called once per batch of whole pieces.

        The arguments are those of the part's `loss` without the features: codes for a sampler; codes, keys
        and previous keys for a decoder; codes, struck keys, loudness and previous loudness for a velocity;
        and onset plane, sounding plane and clock for an encoder. Counts are kept in buffers. Frames where
        `mask` (B, T) is false are padding.
        """

    def forget_counts(self) -> None:
        """Reset the counts; called before counting, so that no piece is counted twice."""

    def calibrate(self, *music: Any, mask: Tensor, first: bool) -> None:
        """Calibrate the part's uncertainty, such as a spread, on validation music.

        Called without gradients, once per batch of whole pieces, each time before the weights are scored.
        The arguments are those of `count`. Results are kept in buffers. Earlier results belong to other
        weights, so they are reset at the `first` batch.
        """


class Encoder(Part):
    """Turns the score into keys and codes, and keys back into the score.

    An encoder has two parts: codes that represent the keys of a frame, and a residual that models what the
    keys leave out of the score, so that scores of different encoders are comparable. `__init__` of a
    subclass takes only the settings.

    The attention hears the codes of the past, or more: an encoder that overrides `heard` passes the width of
    what it returns as `inputs`, and gives the fact `inputs` in its description.

    Attributes:
        plane: the plane of the score that is modelled as keys.
        membership: (C, K) bool, the keys that each code represents; every key belongs to one code.
        residual: the model that restores the exact score from the keys; counted unless the encoder passes
            another.
    """

    membership: Tensor

    def __init__(
        self,
        settings: Settings,
        membership: Tensor,
        plane: Plane,
        residual: Residual | None = None,
        inputs: int = 0,
    ) -> None:
        codes, keys = membership.shape
        super().__init__(settings, Sizes(codes, 0, membership.bool(), keys, inputs=inputs))
        self.register_buffer("membership", membership.bool(), persistent=False)
        self.plane: Plane = plane
        self.residual = residual or CountedResidual(plane)

    @property
    def codes(self) -> int:
        """C, the number of codes per frame."""
        return self.sizes.codes

    @property
    def inputs(self) -> int:
        """H, the width of what the attention hears of a frame."""
        return self.sizes.inputs

    def keys(self, onset: Tensor | None, sounding: Tensor) -> Tensor:
        """The modelled plane, (B, T, K) in {0., 1.}, from bool planes (B, T, K).

        Raises:
            DataError: the encoder models onsets and the music has none.
        """
        if self.plane == "sounding":
            return sounding.float()
        if onset is None:
            raise DataError(
                Problem(
                    "this music contains sounding keys only, without onsets",
                    hint="use an encoder of sounding keys, such as encoder=sounding",
                )
            )
        return onset.float()

    def fold(self, keys: Tensor) -> Tensor:
        """Codes (B, T, C) in {0, 1}: a code is 1 if at least one of its keys is."""
        return (keys @ self.membership.T.to(keys) > 0).to(keys)

    def heard(self, keys: Tensor, codes: Tensor) -> Tensor:
        """What the attention hears of frames with these keys, (B, T, H); by default their codes.

        The codes are given, since they are known wherever this is called: `fold` need not compute them again.
        A frame depends on its own keys only, and is 0 everywhere exactly if it is silent.
        """
        return codes

    def count(self, *music: Any, mask: Tensor) -> None:
        """Count for the residual: onset and sounding planes (B, T, K) bool, and clock (B, T)."""
        self.residual.count(*music, mask=mask)

    def forget_counts(self) -> None:
        """Reset the counts of the residual."""
        self.residual.forget_counts()


class Attention(Part):
    """Summarises the past as features, from which the sampler predicts the next frame.

    Contract: features at t depend on frames up to t; a sequence in chunks, with the state passed on, gives
    the same features as in one piece; any T >= 1 is valid; rows are independent. In evaluation mode features
    are deterministic; in training mode layers such as `nn.Dropout` may be random.
    """

    features: int

    @abstractmethod
    def start(self, past: Tensor) -> State:
        """The state before the first frame.

        Args:
            past: the frames before the first, as heard, oldest first, (B, P, H) with P >= 0. Before a piece
                begins they are zero in training, and absent in scoring and generation, so a past of silence
                must make no difference.
        """

    @abstractmethod
    def forward(self, heard: Tensor, clock: Clock, state: State) -> tuple[Tensor, State]:
        """Features (B, T, F) and the state after the last frame.

        Args:
            heard: (B, T, H), what the encoder lets it hear of these frames: their codes, in {0, 1}, unless
                the encoder gives more.
            clock: (B, T), the position of these frames in their bars; the silence before a piece is the frame
                before its first.
            state: from `start` or from the previous chunk.
        """


class Sampler(Part):
    """Predicts the codes of the next frame (with folded octaves, its pitch classes) from features."""

    def start(self, batch: int) -> State:
        """The state before the first frame; empty by default."""
        return ()

    @abstractmethod
    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The training loss (B, T); `codes` (B, T, C) are the frames that the features predict."""

    @abstractmethod
    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Log p(codes_t | the past), (B, T) nats, for whole pieces from the start.

        The probabilities sum to one over all 2**C codes of a frame, and `sample` draws from them.
        """

    @abstractmethod
    def sample(
        self,
        features: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Draw codes (B, 1, C) of one frame given features (B, 1, F); also returns the state after it.

        Args:
            features: features from the attention.
            state: state from `start`, from `follow`, or after the previous frame.
            generator: the random number generator.
            temperature: below 1 favours likely codes, above 1 unlikely ones; usually a divisor of the logits.
            top_p: nucleus sampling: each decision is drawn from the smallest set of likeliest outcomes whose
                total probability is at least `top_p`. The decision of how many codes sound may be exempt.
                A part may omit this parameter; it is only passed if it is below 1.
        """

    def follow(self, features: Tensor, codes: Tensor, state: State, generator: Generator) -> State:
        """The state after frames (B, T, ...) with known codes, for example of a primer."""
        return state


class Decoder(Part):
    """Predicts keys given codes: the octaves in which the pitch classes sound.

    Contract: drawn keys fold to exactly their codes. `log_prob` is normalised over the key sets that fold to
    the codes: every active code has at least one key, and no other key sounds.

    Attributes:
        uses_loudness: whether `previous` is the loudness of the previous keys, in 0..1, instead of 0 or 1.
            The encoder must then model pressed keys (`fit` reports any other), since only struck keys have a
            loudness.
    """

    uses_loudness: bool = False

    def start(self, batch: int) -> State:
        """The state before the first frame; empty by default."""
        return ()

    @abstractmethod
    def loss(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> Tensor:
        """The training loss (B, T), from codes (B, T, C), keys and previous keys (B, T, K)."""

    @abstractmethod
    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Log p(keys_t | codes up to t, keys before t), (B, T) nats, for whole pieces from the start."""

    @abstractmethod
    def sample(
        self,
        codes: Tensor,
        previous: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Draw keys (B, 1, K) of one frame given codes (B, 1, C) and previous keys (B, 1, K).

        Also returns the state after the frame. For `temperature` and `top_p` see `Sampler.sample`.
        """

    def follow(self, codes: Tensor, previous: Tensor, state: State) -> State:
        """The state after known frames (B, T, ...), for example of a primer."""
        return state


class Velocity(Part):
    """Predicts the loudness of struck keys, 0..1 for MIDI velocity 0..127.

    Struck keys are those pressed in a frame, whichever plane the encoder models. `previous` is the loudness
    in the previous frame, 0 for keys that were not struck.

    Attributes:
        models_loudness: whether the part models velocities; if not, tables show no score for them.
    """

    models_loudness: bool = True

    def start(self, batch: int) -> State:
        """The state before the first frame."""
        return ()

    @abstractmethod
    def loss(
        self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor, generator: Generator
    ) -> Tensor:
        """The training loss (B, T), from codes (B, T, C) and (B, T, K) planes."""

    @abstractmethod
    def log_prob(self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor) -> LogProb:
        """Log-probability (B, T) in nats of the velocities 1..127, summed over the struck keys of a frame."""

    @abstractmethod
    def predict(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Loudness (B, T, K) in 0..1, 0 for keys that are not struck, and the state after the last frame."""
