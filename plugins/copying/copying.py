"""Attention over similar moments in the past, whose values are the frames that came next."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, begun, by_distance, in_frames, with_clock
from zoo.parts.masks import never

from .settings import CopyingSettings

Memory = tuple[Tensor, Tensor]
Moments = tuple[Tensor, Tensor, Tensor]
"""The last L frames, oldest first: attention keys (B, L, heads * head), frames (B, L, H), and whether they
are part of the piece (B, L)."""
CopyingState = tuple[Tensor, Memory, Memory, Moments]
"""The past that has not been processed yet, the states of the local and joining LSTMs, and the moments."""


class Copying(Attention):
    """A song that returns to its tune can copy it instead of composing it again.

    A local LSTM receives every frame; its output describes the moment. Each head compares the present moment
    with those within reach, by content and by distance, and averages the frames that came next after them. A
    sentinel allows a head to attend to nothing if no moment is similar. A second LSTM combines the retrieved
    frames with the output of the local LSTM, and they have a shortcut to the features. Moments of the past
    before a fragment can be attended to as well; the LSTMs start at the fragment.

    `history`, in contrast, looks at a few fixed distances, whatever was played there.
    """

    def __init__(self, settings: CopyingSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        (self.reach,) = in_frames([settings.reach], sizes.grid)
        width, retrieved = settings.heads * settings.head, settings.heads * sizes.inputs
        self.local = LSTM(sizes.inputs + CLOCK, settings.local)
        self.ask = nn.Linear(settings.local, width)
        self.describe = nn.Linear(settings.local, width)
        self.nothing = nn.Linear(settings.local, settings.heads)
        self.distances = nn.Parameter(
            torch.randn(settings.heads, settings.head, self.reach) / settings.head**0.5
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.join = LSTM(settings.local + retrieved, settings.features)
        self.shortcut = nn.Linear(retrieved, settings.features)

    def start(self, past: Tensor) -> CopyingState:
        """The past, which is processed once the clock is known, and zero states."""
        batch = len(past)
        moments = past.new_zeros(batch, 0, self.describe.out_features), past[:, :0], begun(past[:, :0])
        return past, self.local.start(batch), self.join.start(batch), moments

    def forward(self, heard: Tensor, clock: Clock, state: CopyingState) -> tuple[Tensor, CopyingState]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        past, local, join, moments = state
        if past.shape[1]:
            outline, _ = self.local(with_clock(past, clock.before(past.shape[1])), local)
            moments = self.describe(outline), past, begun(past)
        outline, local = self.local(with_clock(heard, clock), local)
        present = self.describe(outline), heard, heard.new_ones(heard.shape[:2], dtype=torch.bool)
        described, played, known = (torch.cat(pair, 1) for pair in zip(moments, present, strict=True))
        retrieved = self._retrieved(outline, described, played, known)
        features, join = self.join(self.dropout(torch.cat([outline, retrieved], -1)), join)
        features = features + self.shortcut(retrieved)
        recent = slice(-self.reach, None)
        moments = described[:, recent], played[:, recent], known[:, recent]
        return features, (past[:, :0], local, join, moments)

    def _retrieved(self, outline: Tensor, described: Tensor, played: Tensor, known: Tensor) -> Tensor:
        """Frames (B, T, heads * H) that came next after moments similar to each of the last T."""
        before = described.shape[1] - outline.shape[1]
        retrieved = []
        for first in range(0, outline.shape[1], self.reach):
            stretch = outline[:, first : first + self.reach]
            begin, end = max(before + first - self.reach, 0), before + first + stretch.shape[1]
            # A moment can be attended to from the next frame on, when its continuation is known.
            weights = self._weights(stretch, described[:, begin : end - 1], known[:, begin : end - 1])
            retrieved.append(weights @ played[:, begin + 1 : end].unsqueeze(1))
        return torch.cat(retrieved, 2).transpose(1, 2).flatten(2)

    def _weights(self, outline: Tensor, described: Tensor, known: Tensor) -> Tensor:
        """Attention weights (B, heads, T, S) of each frame (B, T) over the known moments (B, S)."""
        queries, keys = self._split(self.ask(outline)), self._split(described)
        bias = by_distance(queries @ self.distances, described.shape[1])
        scores = (queries @ keys.mT + bias) / self.settings.head**0.5
        scores = scores.masked_fill(~known[:, None, None], never(scores.dtype))
        nothing = self.nothing(outline).mT.unsqueeze(-1)
        return torch.cat([nothing, scores], -1).softmax(-1)[..., 1:]

    def _split(self, plane: Tensor) -> Tensor:
        """(B, T, heads * head) as (B, heads, T, head)."""
        return plane.view(*plane.shape[:2], self.settings.heads, self.settings.head).transpose(1, 2)
