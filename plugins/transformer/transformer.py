"""Frames that look back at frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from zoo.parts.clock import CLOCK, Clock, joined
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import begun, by_distance, in_frames, with_clock
from zoo.parts.masks import never

from .settings import TransformerSettings

Caches = tuple[Tensor, ...]
"""Of each block the keys and values of the last frames, oldest first, (B, L, 2 * F)."""
TransformerState = tuple[Tensor, Caches, Tensor]
"""The past that is still to be read, the caches, and which of their frames belong to the piece (B, L)."""


class Transformer(Attention):
    """Every frame looks back over the last bars, in several heads and blocks, for what bears on the next.

    How far back something lies matters in itself: each head learns what it seeks at every distance. Where in
    the bar a frame lies comes from the clock. The past before a fragment is heard, at places counted back
    from the first frame. Keys and values of the frames within reach are kept, so a further frame costs the
    same however much was played.
    """

    def __init__(self, settings: TransformerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        width = self.features = settings.heads * settings.head
        (self.reach,) = in_frames([settings.reach], sizes.grid)
        self.enter = nn.Linear(sizes.codes + CLOCK, width)
        self.blocks = nn.ModuleList(_Block(settings, self.reach) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings.dropout)

    def start(self, past: Tensor) -> TransformerState:
        """The past, to be read as soon as the clock is known, and empty caches."""
        caches = tuple(past.new_zeros(len(past), 0, 2 * self.features) for _ in self.blocks)
        return past, caches, begun(past[:, :0])

    def forward(
        self, codes: Tensor, clock: Clock, state: TransformerState
    ) -> tuple[Tensor, TransformerState]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        past, caches, known = state
        given = past.shape[1]
        clock = joined([clock.before(given), clock], 1)
        present = self.dropout(self.enter(with_clock(torch.cat([past, codes], 1), clock)))
        features = []
        belongs = torch.cat([begun(past), codes.new_ones(codes.shape[:2], dtype=torch.bool)], 1)
        for stretch, piece in zip(
            present.split(self.reach, 1), torch.split(belongs, self.reach, 1), strict=True
        ):
            after, known = [], torch.cat([known, piece], 1)
            for block, cache in zip(self.blocks, caches, strict=True):
                stretch, cache = block(stretch, cache, known)
                after.append(cache)
            caches, known = (
                tuple(after),
                known[:, -after[0].shape[1] :] if after[0].shape[1] else known[:, :0],
            )
            features.append(stretch)
        return self.norm(torch.cat(features, 1)[:, given:]), (past[:, :0], caches, known)


class _Block(nn.Module):
    """Looking back, then thinking about what was seen; each normalises its input and adds to it."""

    def __init__(self, settings: TransformerSettings, reach: int) -> None:
        super().__init__()
        width = settings.heads * settings.head
        self.heads = settings.heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.ask = nn.Linear(width, width)
        self.tell = nn.Linear(width, 2 * width)
        self.join = nn.Linear(width, width)
        self.distances = nn.Parameter(torch.randn(settings.heads, settings.head, reach) / settings.head**0.5)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, stretch: Tensor, cache: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The stretch (B, T, F) with what it saw added, and the cache for the next one.

        Frames of cache and stretch that do not belong to the piece, by `known` (B, L + T), are not seen.
        """
        normal = self.norms[0](stretch)
        told = torch.cat([cache, self.tell(normal)], 1)
        asked, keys, values = map(self._split, (self.ask(normal), *told.chunk(2, -1)))
        bias = by_distance(asked @ self.distances / asked.shape[-1] ** 0.5, told.shape[1])
        bias = bias.masked_fill(~known[:, None, None], never(bias.dtype))
        seen = scaled_dot_product_attention(asked, keys, values, attn_mask=bias)
        stretch = stretch + self.dropout(self.join(seen.transpose(1, 2).flatten(2)))
        stretch = stretch + self.dropout(self.think(self.norms[1](stretch)))
        beyond = told.shape[1] - self.distances.shape[-1] + 1
        return stretch, told[:, max(beyond, 0) :]

    def _split(self, plane: Tensor) -> Tensor:
        """(B, T, F) as (B, heads, T, head)."""
        return plane.view(*plane.shape[:2], self.heads, -1).transpose(1, 2)
