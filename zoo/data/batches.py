"""Whole pieces in batches that waste little on padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

BATCH_FRAMES = 8192
"""Frames of a batch, padding included; what one batch needs of memory grows with it."""


def length_batches(lengths: Sequence[int], frames: int = BATCH_FRAMES) -> Iterator[list[int]]:
    """Indices of pieces, similar lengths together, each piece once, the shortest first.

    Args:
        lengths: frames of each piece.
        frames: most frames of a batch, counting each piece as long as the longest beside it; a piece
            longer than that comes alone.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > frames:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
