"""Question 3, delay lines: recurrence over beats and bars instead of single frames."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention made of delay lines."""
    return [
        Description(
            slot="attention",
            name="latency",
            summary="Delay lines: LSTMs whose recurrence reaches back 1 to 128 frames",
            target="zoo_plugins.latency.latency:Latency",
            state_version=2,
            settings="zoo_plugins.latency.settings:LatencySettings",
            gives=lambda settings: {"features": settings.features},
            citation=(
                "El Hihi and Bengio, Hierarchical Recurrent Neural Networks for Long-Term Dependencies, "
                "NIPS 1995; Chang et al., Dilated Recurrent Neural Networks, NIPS 2017"
            ),
        ),
    ]
