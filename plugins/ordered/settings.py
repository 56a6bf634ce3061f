"""Settings of the sampler and the decoder that spell chords."""

from __future__ import annotations

from typing import Literal

from zoo.parts import Settings, setting

HIDDEN = "width of the two hidden layers that predict the next note"
DROPOUT = "dropout probability of the features and the hidden units"


class OrderedSamplerSettings(Settings):
    """Width and dropout."""

    hidden: int = setting(200, HIDDEN, ge=1, le=4096)
    dropout: float = setting(0.2, DROPOUT, ge=0, le=0.95)


class OrderedDecoderSettings(Settings):
    """Widths, dropout, and a memory of its own."""

    lstm: int = setting(200, "width of the LSTM that remembers how chords were voiced", ge=1, le=4096)
    hidden: int = setting(200, HIDDEN, ge=1, le=4096)
    dropout: float = setting(0.2, DROPOUT, ge=0, le=0.95)
    memory: Literal["none", "lags", "stacked", "transformer", "copying"] = setting(
        "none", "attention over earlier keys, with its default settings; its features condition the decoder"
    )
