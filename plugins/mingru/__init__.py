"""A memory that is computed for all frames at once: gated averages whose gates ignore the hidden state."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention of minimal GRUs."""
    return [
        Description(
            slot="attention",
            name="mingru",
            summary="A stack of minimal GRUs: fast memories that average their input over learned spans",
            target="zoo_plugins.mingru.mingru:MinGRU",
            settings="zoo_plugins.mingru.settings:MinGRUSettings",
            gives=lambda settings: {"features": settings.hidden},
            citation="Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, Were RNNs All We Needed?, 2024",
        ),
    ]
