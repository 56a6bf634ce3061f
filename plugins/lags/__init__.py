"""The control for question 3: the same lags as in `history`, concatenated without weighting."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention that concatenates the lags."""
    return [
        Description(
            slot="attention",
            name="lags",
            summary="What was played 1, 2, 4, ... beats earlier, concatenated, without weighting",
            target="zoo_plugins.lags.lags:Lags",
            state_version=2,
            settings="zoo_plugins.lags.settings:LagsSettings",
            gives=lambda settings: {"features": settings.features},
        ),
    ]
