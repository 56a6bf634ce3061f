"""Moments that are found again, and what came next then."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock, joined
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, by_distance, in_frames, with_clock

from .settings import CopyingSettings

Memory = tuple[Tensor, Tensor]
CopyingState = tuple[Tensor, Memory, Memory, Tensor, Tensor]
"""The past that is still to be heard, the memories of the local and joining LSTMs, and of the last frames,
oldest first, what they were like (B, L, heads * head) and their codes (B, L, C)."""


class Copying(Attention):
    """A song that returns to its tune can copy it instead of composing it again.

    A local LSTM hears every frame; what it knows then says what the moment is like. Each head compares the
    present moment with those within reach, by likeness and by distance, and takes the mean of the codes that
    came next after these; where nothing is like the present, it can find nothing. A second LSTM joins what
    was found with the local one, and the found codes have a shortcut to the features. The past before a
    fragment is heard, at places counted back from the first frame.

    `history` looks at a few fixed distances, whatever was played there.
    """

    def __init__(self, settings: CopyingSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        (self.reach,) = in_frames([settings.reach], sizes.grid)
        width, found = settings.heads * settings.head, settings.heads * sizes.codes
        self.local = LSTM(sizes.codes + CLOCK, settings.local)
        self.ask = nn.Linear(settings.local, width)
        self.describe = nn.Linear(settings.local, width)
        self.nothing = nn.Linear(settings.local, settings.heads)
        self.distances = nn.Parameter(
            torch.randn(settings.heads, settings.head, self.reach) / settings.head**0.5
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.join = LSTM(settings.local + found, settings.features)
        self.shortcut = nn.Linear(found, settings.features)

    def start(self, past: Tensor) -> CopyingState:
        """The past, to be heard as soon as the clock is known, and empty memories."""
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
        found = self._found(outline, described, played)
        features, join = self.join(self.dropout(torch.cat([outline, found], -1)), join)
        features = features + self.shortcut(found)
        recent = slice(-self.reach, None)
        return features[:, given:], (past[:, :0], local, join, described[:, recent], played[:, recent])

    def _found(self, outline: Tensor, described: Tensor, played: Tensor) -> Tensor:
        """What came next after moments like each of the last T, (B, T, heads * C)."""
        before = described.shape[1] - outline.shape[1]
        found = []
        for first in range(0, outline.shape[1], self.reach):
            stretch = outline[:, first : first + self.reach]
            begin, end = max(before + first - self.reach, 0), before + first + stretch.shape[1]
            # a moment counts from the next frame on, when it is known what came after it
            weights = self._weights(stretch, described[:, begin : end - 1])
            found.append(weights @ played[:, begin + 1 : end].unsqueeze(1))
        return torch.cat(found, 2).transpose(1, 2).flatten(2)

    def _weights(self, outline: Tensor, described: Tensor) -> Tensor:
        """How much of each moment (B, S) each head finds in each frame (B, T), (B, heads, T, S)."""
        asked, moments = self._split(self.ask(outline)), self._split(described)
        by_place = by_distance(asked @ self.distances, described.shape[1])
        scores = (asked @ moments.mT + by_place) / self.settings.head**0.5
        nothing = self.nothing(outline).mT.unsqueeze(-1)
        return torch.cat([nothing, scores], -1).softmax(-1)[..., 1:]

    def _split(self, plane: Tensor) -> Tensor:
        """(B, T, heads * head) as (B, heads, T, head)."""
        return plane.view(*plane.shape[:2], self.settings.heads, self.settings.head).transpose(1, 2)
