"""What a user may set of the Transformer."""

from __future__ import annotations

from zoo.parts import Settings, setting


class TransformerSettings(Settings):
    """Widths, depth, reach and dropout."""

    heads: int = setting(4, "heads of each block, each of which looks elsewhere", ge=1, le=64)
    head: int = setting(32, "width of a head; heads times this is the width of the features", ge=1, le=512)
    layers: int = setting(3, "blocks over one another", ge=1, le=48)
    reach: float = setting(
        32,
        "how far a block looks back, in quarter notes; several blocks together reach further",
        gt=0,
        le=256,
    )
    dropout: float = setting(
        0.1, "share of each block's output left out in training, against learning by heart", ge=0, le=0.95
    )
