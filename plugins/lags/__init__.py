"""The control to question 3: the same past as the reader's, handed over without weighing it."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention that hands the past over."""
    return [
        Description(
            slot="attention",
            name="lags",
            summary="What was played 1, 2, 4, ... beats earlier, side by side, with nobody to weigh it",
            target="zoo_plugins.lags.lags:Lags",
            state_version=2,
            settings="zoo_plugins.lags.settings:LagsSettings",
            gives=lambda settings: {"features": settings.features},
        ),
    ]
