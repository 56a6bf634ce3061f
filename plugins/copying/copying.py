"""Attention over similar moments in the past, whose values are the frames that came next."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock, joined
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, by_distance, in_frames, with_clock

from .settings import CopyingSettings

Memory = tuple[Tensor, Tensor]
CopyingState = tuple[Tensor, Memory, Memory, Tensor, Tensor]
"""The past that has not been processed yet, the states of the local and joining LSTMs, and the attention
keys (B, L, heads * head) and codes (B, L, C) of the last frames, oldest first."""


class Copying(Attention):
    """A song that returns to its tune can copy it instead of composing it again.

    A local LSTM receives every frame; its output describes the moment. Each head compares the present moment
    with those within reach, by content and by distance, and averages the codes that came next after them. A
    sentinel allows a head to attend to nothing if no moment is similar. A second LSTM combines the retrieved
    codes with the output of the local LSTM, and the retrieved codes have a shortcut to the features. The past
    before a fragment is attended to, at positions counted back from the first frame.

    `history`, in contrast, looks at a few fixed distances, whatever was played there.
    """

    def __init__(self, settings: CopyingSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        (self.reach,) = in_frames([settings.reach], sizes.grid)
        width, retrieved = settings.heads * settings.head, settings.heads * sizes.codes
        self.local = LSTM(sizes.codes + CLOCK, settings.local)
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
        described = past.new_zeros(batch, 0, self.ask.out_features)
        return past, self.local.start(batch), self.join.start(batch), described, past[:, :0]

    def forward(self, codes: Tensor, clock: Clock, state: CopyingState) -> tuple[Tensor, CopyingState]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        past, local, join, described, played = state
        given = past.shape[1]
        codes, clock = torch.cat([past, codes], 1), joined([clock.before(given), clock], 1)
        outline, local = self.local(with_clock(codes, clock), local)
        described = torch.cat([described, self.describe(outline)], 1)
        played = torch.cat([played, codes], 1)
        retrieved = self._retrieved(outline, described, played)
        features, join = self.join(self.dropout(torch.cat([outline, retrieved], -1)), join)
        features = features + self.shortcut(retrieved)
        recent = slice(-self.reach, None)
        return features[:, given:], (past[:, :0], local, join, described[:, recent], played[:, recent])

    def _retrieved(self, outline: Tensor, described: Tensor, played: Tensor) -> Tensor:
        """Codes (B, T, heads * C) that came next after moments similar to each of the last T."""
        before = described.shape[1] - outline.shape[1]
        retrieved = []
        for first in range(0, outline.shape[1], self.reach):
            stretch = outline[:, first : first + self.reach]
            begin, end = max(before + first - self.reach, 0), before + first + stretch.shape[1]
            # A moment can be attended to from the next frame on, when its continuation is known.
            weights = self._weights(stretch, described[:, begin : end - 1])
            retrieved.append(weights @ played[:, begin + 1 : end].unsqueeze(1))
        return torch.cat(retrieved, 2).transpose(1, 2).flatten(2)

    def _weights(self, outline: Tensor, described: Tensor) -> Tensor:
        """Attention weights (B, heads, T, S) of each frame (B, T) over the moments (B, S)."""
        queries, keys = self._split(self.ask(outline)), self._split(described)
        bias = by_distance(queries @ self.distances, described.shape[1])
        scores = (queries @ keys.mT + bias) / self.settings.head**0.5
        nothing = self.nothing(outline).mT.unsqueeze(-1)
        return torch.cat([nothing, scores], -1).softmax(-1)[..., 1:]

    def _split(self, plane: Tensor) -> Tensor:
        """(B, T, heads * head) as (B, heads, T, head)."""
        return plane.view(*plane.shape[:2], self.settings.heads, self.settings.head).transpose(1, 2)
