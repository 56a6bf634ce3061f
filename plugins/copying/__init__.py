"""An attention that copies: it attends to similar moments in the past and to how the music continued."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention that copies."""
    return [
        Description(
            slot="attention",
            name="copying",
            summary="LSTMs that attend to similar moments in the last bars and to what came next there",
            target="zoo_plugins.copying.copying:Copying",
            settings="zoo_plugins.copying.settings:CopyingSettings",
            gives=lambda settings: {"features": settings.features},
            citation=(
                "Grave, Joulin and Usunier, Improving Neural Language Models with a Continuous Cache, "
                "ICLR 2017; the sentinel: Merity et al., Pointer Sentinel Mixture Models, ICLR 2017"
            ),
        ),
    ]
