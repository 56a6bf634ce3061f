"""Question 3: is a hierarchy of increasingly slow LSTMs better than attention to the past?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import Problem
from zoo.parts import Description, Fact, hookimpl

if TYPE_CHECKING:
    from .settings import HierarchicalSettings


def _fit(settings: HierarchicalSettings, facts: Mapping[str, Fact]) -> Iterable[Problem]:
    """Each level must tick more slowly than the level below, whose output it receives."""
    from .settings import LEVELS

    ordered = sorted(set(settings.levels), key=LEVELS.index)
    if list(settings.levels) != ordered:
        yield Problem(
            f"the levels {', '.join(settings.levels)} are not ordered from fast to slow",
            where="attention=hierarchical",
            hint=f"use attention.levels={','.join(ordered)}",
        )


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The hierarchical attention."""
    return [
        Description(
            slot="attention",
            name="hierarchical",
            summary="A stack of increasingly slow LSTMs: one step per frame, per beat, per bar",
            target="zoo_plugins.hierarchical.hierarchical:Hierarchical",
            state_version=2,
            settings="zoo_plugins.hierarchical.settings:HierarchicalSettings",
            gives=lambda settings: {"features": settings.features},
            fit=_fit,
            citation="Koutník, Greff, Gomez and Schmidhuber, A Clockwork RNN, ICML 2014",
        ),
    ]
