"""Question 3: does a hierarchy of slower and slower memories beat a reader of the past?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import Problem
from zoo.parts import Description, Fact, hookimpl

if TYPE_CHECKING:
    from .settings import HierarchicalSettings

LONGEST = 4096
"""Frames between ticks beyond which no piece would make a level tick often enough to learn."""


def _fit(settings: HierarchicalSettings, facts: Mapping[str, Fact]) -> Iterable[Problem]:
    """The slowest level must tick within a piece."""
    period = settings.stride ** (settings.levels - 1)
    if period <= LONGEST:
        return
    levels = settings.levels
    while settings.stride ** (levels - 1) > LONGEST:
        levels -= 1
    yield Problem(
        f"{settings.levels} levels with stride {settings.stride} tick every {period:,} frames at the top, "
        f"over {LONGEST:,}",
        where="attention=hierarchical",
        cure=f"attention.levels={levels} fits",
    )


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The attention of several clocks."""
    return [
        Description(
            slot="attention",
            name="hierarchical",
            summary="LSTMs over LSTMs, each ticking slower: every sixteenth, every beat, every bar",
            target="zoo_plugins.hierarchical.hierarchical:Hierarchical",
            settings="zoo_plugins.hierarchical.settings:HierarchicalSettings",
            gives=lambda settings: {"features": settings.features},
            fit=_fit,
            citation="Koutník, Greff, Gomez and Schmidhuber, A Clockwork RNN, ICML 2014",
        ),
    ]
