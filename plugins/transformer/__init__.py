"""A Transformer over frames: every frame attends to the frames before it."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention of a Transformer."""
    return [
        Description(
            slot="attention",
            name="transformer",
            summary="A Transformer: every frame attends to the frames of the last bars",
            target="zoo_plugins.transformer.transformer:Transformer",
            settings="zoo_plugins.transformer.settings:TransformerSettings",
            gives=lambda settings: {"features": settings.heads * settings.head},
            citation=(
                "Vaswani et al., Attention Is All You Need, NIPS 2017; "
                "relative positions: Huang et al., Music Transformer, ICLR 2019"
            ),
        ),
    ]
