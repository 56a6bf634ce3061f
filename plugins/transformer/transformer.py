"""Self-attention over frames."""

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
"""For each block the keys and values of the last frames, oldest first, (B, L, 2 * F)."""
TransformerState = tuple[Tensor, Caches, Tensor]
"""The past that has not been processed yet, the caches, and which frames of them are part of the piece."""


class Transformer(Attention):
    """Every frame attends to the frames of the last bars, with several heads and blocks.

    Positions are relative: each head learns an embedding for every distance. The clock gives the position in
    the bar. The past before a fragment is attended to, at positions counted back from the first frame. Keys
    and values of the frames within reach are cached, so the cost of a frame does not grow with the piece.
    """

    def __init__(self, settings: TransformerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        width = self.features = settings.heads * settings.head
        (self.reach,) = in_frames([settings.reach], sizes.grid)
        self.enter = nn.Linear(sizes.inputs + CLOCK, width)
        self.blocks = nn.ModuleList(_Block(settings, self.reach) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings.dropout)

    def start(self, past: Tensor) -> TransformerState:
        """The past, which is processed once the clock is known, and empty caches."""
        caches = tuple(past.new_zeros(len(past), 0, 2 * self.features) for _ in self.blocks)
        return past, caches, begun(past[:, :0])

    def forward(
        self, heard: Tensor, clock: Clock, state: TransformerState
    ) -> tuple[Tensor, TransformerState]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        past, caches, known = state
        given = past.shape[1]
        clock = joined([clock.before(given), clock], 1)
        present = self.dropout(self.enter(with_clock(torch.cat([past, heard], 1), clock)))
        belongs = torch.cat([begun(past), heard.new_ones(heard.shape[:2], dtype=torch.bool)], 1)
        features = []
        for chunk, visible in zip(
            torch.split(present, self.reach, 1), torch.split(belongs, self.reach, 1), strict=True
        ):
            known, after = torch.cat([known, visible], 1), []
            for block, cache in zip(self.blocks, caches, strict=True):
                chunk, cache = block(chunk, cache, known)
                after.append(cache)
            caches = tuple(after)
            known = known[:, known.shape[1] - caches[0].shape[1] :]
            features.append(chunk)
        return self.norm(torch.cat(features, 1)[:, given:]), (past[:, :0], caches, known)


class _Block(nn.Module):
    """Self-attention, then a feed-forward network, both with pre-normalization and a residual connection."""

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

    def forward(self, chunk: Tensor, cache: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The output (B, T, F) for a chunk of frames, and the cache for the next chunk.

        Frames that are not part of the piece, by `known` (B, L + T), are not attended to.
        """
        normal = self.norms[0](chunk)
        cache = torch.cat([cache, self.tell(normal)], 1)
        queries, keys, values = map(self._split, (self.ask(normal), *cache.chunk(2, -1)))
        bias = by_distance(queries @ self.distances / queries.shape[-1] ** 0.5, cache.shape[1])
        bias = bias.masked_fill(~known[:, None, None], never(bias.dtype))
        attended = scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        chunk = chunk + self.dropout(self.join(attended.transpose(1, 2).flatten(2)))
        chunk = chunk + self.dropout(self.think(self.norms[1](chunk)))
        beyond = cache.shape[1] - self.distances.shape[-1] + 1
        return chunk, cache[:, max(beyond, 0) :]

    def _split(self, plane: Tensor) -> Tensor:
        """(B, T, F) as (B, heads, T, head)."""
        return plane.view(*plane.shape[:2], self.heads, -1).transpose(1, 2)
