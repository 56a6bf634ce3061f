"""Question 3: does a hierarchy of slower and slower memories beat a reader of the past?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import Problem
from zoo.parts import Description, Fact, hookimpl

if TYPE_CHECKING:
    from .settings import HierarchicalSettings


def _fit(settings: HierarchicalSettings, facts: Mapping[str, Fact]) -> Iterable[Problem]:
    """Each level must tick slower than the one below, which it hears."""
    from .settings import LEVELS

    ordered = sorted(set(settings.levels), key=LEVELS.index)
    if list(settings.levels) != ordered:
        yield Problem(
            f"the levels {', '.join(settings.levels)} do not tick slower and slower",
            where="attention=hierarchical",
            hint=f"attention.levels={','.join(ordered)} does",
        )


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention of several clocks."""
    return [
        Description(
            slot="attention",
            name="hierarchical",
            summary="LSTMs over LSTMs, each ticking slower: every frame, every beat, every bar",
            target="zoo_plugins.hierarchical.hierarchical:Hierarchical",
            state_version=2,
            settings="zoo_plugins.hierarchical.settings:HierarchicalSettings",
            gives=lambda settings: {"features": settings.features},
            fit=_fit,
            citation="Koutník, Greff, Gomez and Schmidhuber, A Clockwork RNN, ICML 2014",
        ),
    ]
