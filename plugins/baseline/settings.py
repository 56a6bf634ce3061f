"""Settings of the baseline parts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.parts import Settings, setting

Lag = Annotated[float, Field(gt=0, le=256)]


class HistorySettings(Settings):
    """Widths of the three LSTMs, and how far back the reader looks."""

    local: int = setting(100, "width of the LSTM that receives every frame", ge=1, le=4096)
    reader: int = setting(100, "width of the LSTM that predicts the weights of the lags", ge=1, le=4096)
    features: int = setting(
        130, "width of the LSTM that combines both; also the number of features", ge=1, le=4096
    )
    lags: tuple[Lag, ...] = setting(
        (1, 2, 4, 8, 12, 16, 24, 32),
        "how far before the next frame the reader looks, in quarter notes; 4 is a bar of 4/4",
        min_length=2,
        max_length=64,
    )


class VoicesSettings(Settings):
    """Number of voices, training objective, and tightness of the bound on the likelihood."""

    voices: int = setting(
        5, "decisions per frame; a frame with more pitch classes than this escapes", ge=1, le=12
    )
    hidden: int = setting(100, "width of the LSTM that all voices share", ge=1, le=4096)
    objective: Literal["no-aposter", "bound"] = setting(
        "no-aposter", "training objective: the original's cross-entropy, or a bound on the likelihood"
    )
    paths: int = setting(20, "decision paths that the likelihood is averaged over", live=True, ge=1, le=9999)
    resample: int = setting(
        4,
        "frames after which unlikely paths are replaced by likely ones; 0 never",
        live=True,
        ge=0,
        le=256,
    )
    escape: float = setting(
        0.001, "probability that a frame has independent notes, which makes any chord possible", gt=0, lt=1
    )


class LSTMSettings(Settings):
    """The width of the decoder and its training objective."""

    hidden: int = setting(100, "width of the LSTM", ge=1, le=4096)
    objective: Literal["coins", "conditional"] = setting(
        "coins",
        "training objective: the original's cross-entropy of each key, or that of the keys given the codes, "
        "as they are sampled and scored",
    )


class EvenSettings(Settings):
    """The velocity of all notes."""

    level: int = setting(80, "MIDI velocity of every note", live=True, ge=1, le=127)
