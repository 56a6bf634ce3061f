"""The ability to copy: find moments like this one, and hear how the music went on from there."""

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
            summary="LSTMs that find moments like this one in the last bars, and hear what came next then",
            target="zoo_plugins.copying.copying:Copying",
            settings="zoo_plugins.copying.settings:CopyingSettings",
            gives=lambda settings: {"features": settings.features},
            citation=(
                "Grave, Joulin and Usunier, Improving Neural Language Models with a Continuous Cache, "
                "ICLR 2017; finding nothing: Merity et al., Pointer Sentinel Mixture Models, ICLR 2017"
            ),
        ),
    ]
