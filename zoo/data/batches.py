"""Batches of whole pieces with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

BATCH_FRAMES = 8192
"""Maximum number of frames in a batch, including padding; the memory per batch grows with it."""


def length_batches(lengths: Sequence[int], frames: int = BATCH_FRAMES) -> Iterator[list[int]]:
    """Group pieces of similar length into batches, shortest first; each piece is used once.

    Args:
        lengths: length of each piece in frames.
        frames: maximum number of frames in a batch, including padding to its longest piece; a piece longer
            than this forms a batch of its own.

    Yields:
        The indices of the pieces in one batch.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > frames:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
