"""Settings of the autoregressive estimator."""

from __future__ import annotations

from zoo.parts import Settings, setting


class NADESettings(Settings):
    """Width, number of orders, and dropout."""

    hidden: int = setting(200, "hidden units", ge=1, le=4096)
    orders: int = setting(
        1,
        "orders of the codes that are averaged: the first is from the lowest up, others are random",
        ge=1,
        le=64,
    )
    dropout: float = setting(0.2, "dropout probability of the features", ge=0, le=0.95)
