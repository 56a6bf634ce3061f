"""Settings of the Transformer."""

from __future__ import annotations

from zoo.parts import Settings, setting


class TransformerSettings(Settings):
    """Widths, depth, reach and dropout."""

    heads: int = setting(4, "attention heads of each block", ge=1, le=64)
    head: int = setting(32, "width of a head; there are heads * head features", ge=1, le=512)
    layers: int = setting(3, "number of blocks", ge=1, le=48)
    reach: float = setting(
        32,
        "how far a block looks back, in quarter notes; several blocks together reach further",
        gt=0,
        le=256,
    )
    dropout: float = setting(
        0.1, "dropout probability at the input of the first block and the outputs of all", ge=0, le=0.95
    )
