"""What a user may set of the baseline parts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.parts import Settings, setting

Lag = Annotated[float, Field(gt=0, le=256)]


class HistorySettings(Settings):
    """Widths of the three LSTMs, and how far back the reader looks."""

    local: int = setting(100, "width of the LSTM that hears every frame", ge=1, le=4096)
    reader: int = setting(100, "width of the LSTM that weighs the lags", ge=1, le=4096)
    features: int = setting(130, "width of the LSTM that joins both, the features", ge=1, le=4096)
    lags: tuple[Lag, ...] = setting(
        (1, 2, 4, 8, 12, 16, 24, 32),
        "how far before the next frame the reader looks, in quarter notes; 4 is a bar of 4/4",
        min_length=2,
        max_length=64,
    )


class VoicesSettings(Settings):
    """How many voices, how they learn, and how closely their likelihood is bounded."""

    voices: int = setting(
        5, "decisions in a frame, and the most pitch classes it has unless it escapes", ge=1, le=12
    )
    hidden: int = setting(100, "width of the LSTM that all voices share", ge=1, le=4096)
    objective: Literal["no-aposter", "bound"] = setting(
        "no-aposter", "what training minimises: the original's cross-entropy, or a bound on the likelihood"
    )
    paths: int = setting(20, "decision paths that a likelihood is averaged over", live=True, ge=1, le=9999)
    resample: int = setting(
        4,
        "frames after which a likelihood drops unlikely paths for likely ones; 0 never",
        live=True,
        ge=0,
        le=256,
    )
    escape: float = setting(
        0.001, "probability of a frame of independent notes, so that any chord is possible", gt=0, lt=1
    )


class LSTMSettings(Settings):
    """The width of the decoder, and what it learns from."""

    hidden: int = setting(100, "width of the LSTM", ge=1, le=4096)
    objective: Literal["coins", "conditional"] = setting(
        "coins",
        "what training minimises: the original's cross-entropy of each key, or that of the keys given the "
        "codes, as they are drawn and scored",
    )


class EvenSettings(Settings):
    """How loud everything is."""

    level: int = setting(80, "MIDI velocity of every note", live=True, ge=1, le=127)
