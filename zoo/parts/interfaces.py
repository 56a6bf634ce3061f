"""The five interfaces. Letters: B batch, T frames, C codes, K keys (88), F features; batch first everywhere.

The music passes through the parts in this order:

    keys_t  --encoder-->  codes_t  --attention-->  features_t  --sampler-->  codes_t+1
    codes_t+1, keys_t  --decoder-->  keys_t+1  --velocity-->  loudness_t+1

The shift "features of frame t predict frame t+1" is made once, in `zoo.model`. No part makes it.
Codes and keys arrive as floats holding 0 or 1. A state is any nest (tuple, list, dict) of tensors
with the batch in front. Probabilities stay in log space (`zoo.parts.masks`).

All chance comes from the generator that is passed in. Draw equally many numbers for every row of a batch,
whatever the rows hold: otherwise what one row draws depends on the others. In training mode alone, layers may
also draw from torch's own generators, as `nn.Dropout` does; the zoo seeds these at each step, so that a
resumed training drops the same units as an unbroken one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from zoo.errors import DataError, Problem
from zoo.parts.clock import Clock
from zoo.parts.residual import Residual
from zoo.parts.settings import Settings

State = Any
"""Any nest of tuples, lists and dicts of tensors, the batch in front."""

Kind = Literal["exact", "bound", "estimate"]
Plane = Literal["onset", "sounding"]


@dataclass(frozen=True)
class Sizes:
    """The widths a part is built to; they flow from part to part, and nobody types one twice.

    Attributes:
        codes: C, published by the encoder.
        features: F, published by the attention (0 before there is one).
        keys: K, the keys of the piano.
        membership: (C, K) bool, which keys each code may stand for; every key belongs to one code.
        grid: frames to a quarter note; settings state lengths in quarter notes (see `in_frames`).
    """

    codes: int
    features: int
    membership: Tensor
    keys: int = 88
    grid: int = 4


@dataclass(frozen=True)
class LogProb:
    """Log-probabilities per frame, with what kind of number they are.

    Attributes:
        value: (B, T) nats. A `bound` is never above the truth in expectation.
        kind: "exact", "bound" or "estimate".
        variance: (B, T), the sampling variance of an estimate; None otherwise.
        notes: (B, T) tensors worth reporting beside the number, such as `escaped`.
    """

    value: Tensor
    kind: Kind = "exact"
    variance: Tensor | None = None
    notes: Mapping[str, Tensor] = field(default_factory=dict)


class Part(nn.Module, ABC):
    """What all five have in common: built from settings and sizes, and told where they live.

    `settings` may be exchanged on a trained part where every changed field is `live`.
    """

    here: Tensor

    def __init__(self, settings: Any, sizes: Sizes) -> None:
        super().__init__()
        self.settings: Any = settings
        self.sizes = sizes
        self.register_buffer("here", torch.empty(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the part's tensors live, also when it has no parameter."""
        return self.here.device

    def count(self, *music: Any, mask: Tensor) -> None:
        """Learn what is learned by counting; called once per batch of whole training pieces.

        The music is what the part's `loss` gets after its features: codes for a sampler; codes, keys
        and previous keys for a decoder; codes, struck keys, loudness and previous loudness for a
        velocity; onset and sounding planes and their clock for an encoder. Counts go into buffers.
        `mask` (B, T) is true where a frame counts.
        """

    def forget_counts(self) -> None:
        """Forget what was counted; called before a training counts, so that no piece counts twice."""

    def calibrate(self, *music: Any, mask: Tensor, first: bool) -> None:
        """Find on pieces it was not trained on how sure the part may be, such as a spread.

        Called without gradients, once per batch of whole validation pieces, whenever the weights are
        to be scored. The music is that of `count`. What is found goes into buffers; what was found
        before belongs to other weights, so the `first` batch begins anew.
        """


class Encoder(Part):
    """From score to keys and codes, and back to the score.

    An encoder has two halves: the codes that stand for a frame's keys, and a residual that counts what
    those keys leave out of the score, so that nothing of the music is lost between encodings.
    A subclass's `__init__` takes the settings alone.

    Attributes:
        plane: which plane of the score the keys are.
        membership: (C, K) bool, which keys each code may stand for; every key belongs to one code.
        residual: what restores the exact score from the keys.
    """

    membership: Tensor

    def __init__(self, settings: Settings, membership: Tensor, plane: Plane) -> None:
        codes, keys = membership.shape
        super().__init__(settings, Sizes(codes=codes, features=0, membership=membership.bool(), keys=keys))
        self.register_buffer("membership", membership.bool(), persistent=False)
        self.plane: Plane = plane
        self.residual = Residual(plane)

    @property
    def codes(self) -> int:
        """C, how many codes stand for the keys of a frame."""
        return self.sizes.codes

    def keys(self, onset: Tensor | None, sounding: Tensor) -> Tensor:
        """The plane that is modelled, (B, T, K) in {0., 1.}, from bool planes (B, T, K).

        Raises:
            DataError: the encoder models pressed keys and the music does not say which are pressed.
        """
        if self.plane == "sounding":
            return sounding.float()
        if onset is None:
            raise DataError(
                Problem(
                    "this music holds only which keys sound, not which are pressed",
                    cure="use an encoder of sounding keys, such as encoder=sounding",
                )
            )
        return onset.float()

    def fold(self, keys: Tensor) -> Tensor:
        """Codes (B, T, C) in {0, 1}: a code is on where at least one of its keys is."""
        return (keys @ self.membership.T.to(keys) > 0).to(keys)

    def count(self, *music: Any, mask: Tensor) -> None:
        """Count for the residual from onset and sounding planes (B, T, K) bool and their clock (B, T)."""
        self.residual.count(*music, mask=mask)

    def forget_counts(self) -> None:
        """Empty the table of the residual."""
        self.residual.counts.zero_()


class Attention(Part):
    """From the past to features: what the music so far says about the next frame.

    Contract: features at t depend on codes up to and including t; a sequence given in chunks, the
    state handed on, gives the same features as in one piece; any T >= 1; rows are independent. In training
    mode chance may enter, by layers such as `nn.Dropout`; otherwise there is none.
    """

    features: int

    @abstractmethod
    def start(self, past: Tensor) -> State:
        """The state before the first frame.

        Args:
            past: codes before it, oldest first, (B, P, C) with P >= 0; nothing is known before them.
        """

    @abstractmethod
    def forward(self, codes: Tensor, clock: Clock, state: State) -> tuple[Tensor, State]:
        """Features (B, T, F) and the state after the last frame.

        Args:
            codes: (B, T, C) in {0, 1}.
            clock: (B, T), where these frames lie in their bars; the silence before a piece is the frame
                before its first.
            state: from `start` or from the chunk before.
        """


class Sampler(Part):
    """From features to the next codes: which pitch classes come now."""

    def start(self, batch: int) -> State:
        """The state before the first frame; a sampler without memory keeps none."""
        return ()

    @abstractmethod
    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """What training minimises, (B, T); `codes` (B, T, C) is the frame each feature predicts."""

    @abstractmethod
    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Log p(codes_t | the past), (B, T) nats, of whole pieces from their start.

        Its exponential sums to one over all 2**C codes of a frame, and `sample` draws from it.
        """

    @abstractmethod
    def sample(
        self, features: Tensor, state: State, generator: Generator, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        """Draw one frame: codes (B, 1, C) from features (B, 1, F), and the state after it."""

    def follow(self, features: Tensor, codes: Tensor, state: State, generator: Generator) -> State:
        """The state after frames (B, T, ...) whose codes are known, as when continuing a primer."""
        return state


class Decoder(Part):
    """From codes to keys: in which octaves the pitch classes sound.

    Contract: a drawn or scored frame of keys folds to exactly its codes. `log_prob` is normalised over
    the key sets that do: every active code has at least one key, no other key sounds.
    """

    def start(self, batch: int) -> State:
        """The state before the first frame; a decoder without memory keeps none."""
        return ()

    @abstractmethod
    def loss(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> Tensor:
        """What training minimises, (B, T), from codes (B, T, C), keys and previous keys (B, T, K)."""

    @abstractmethod
    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Log p(keys_t | codes up to t, keys before t), (B, T) nats, of whole pieces from the start."""

    @abstractmethod
    def sample(
        self, codes: Tensor, previous: Tensor, state: State, generator: Generator, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        """Draw one frame: keys (B, 1, K) from codes (B, 1, C) and previous keys (B, 1, K); state after it."""

    def follow(self, codes: Tensor, previous: Tensor, state: State) -> State:
        """The state after frames (B, T, ...) that are known, as when continuing a primer."""
        return state


class Velocity(Part):
    """From struck keys to loudness: how hard each key is pressed, 0..1 for MIDI velocity 0..127.

    Struck keys are those pressed in a frame, whatever the encoder models. `previous` holds the loudness
    of the frame before, 0 where no key was struck.

    Attributes:
        models_loudness: whether the part says anything about how hard keys are pressed; where it does
            not, no table shows a number for its velocities.
    """

    models_loudness: bool = True

    def start(self, batch: int) -> State:
        """The state before the first frame."""
        return ()

    @abstractmethod
    def loss(
        self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor, generator: Generator
    ) -> Tensor:
        """What training minimises, (B, T), from codes (B, T, C) and (B, T, K) planes."""

    @abstractmethod
    def log_prob(self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor) -> LogProb:
        """Log p of the 1..127 velocities of a frame's struck notes, summed over them, (B, T) nats."""

    @abstractmethod
    def predict(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Loudness (B, T, K) in 0..1, 0 where no key is struck, and the state after the last frame."""
