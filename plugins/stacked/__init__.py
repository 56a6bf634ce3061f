"""A stack of LSTMs with residual connections: a simple, strong baseline for other attentions."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention of stacked LSTMs."""
    return [
        Description(
            slot="attention",
            name="stacked",
            summary="A stack of LSTMs with residual connections",
            target="zoo_plugins.stacked.stacked:Stacked",
            settings="zoo_plugins.stacked.settings:StackedSettings",
            gives=lambda settings: {"features": settings.hidden},
            citation=(
                "Graves, Mohamed and Hinton, Speech Recognition with Deep Recurrent Neural Networks, "
                "ICASSP 2013; the shortcuts: Wu et al., Google's Neural Machine Translation System, 2016"
            ),
        ),
    ]
