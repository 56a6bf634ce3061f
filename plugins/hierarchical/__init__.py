"""Question 3: does a hierarchy of slower and slower memories beat a reader of the past?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zoo.errors import Problem
from zoo.parts import Description, Fact, Settings, hookimpl, setting

LONGEST = 4096
"""Frames between ticks beyond which no piece would make a level tick often enough to learn."""


class HierarchicalSettings(Settings):
    """How many levels there are, how much slower each ticks, and how wide they are."""

    levels: int = setting(3, "how many levels; the first ticks every frame", ge=1, le=12)
    stride: int = setting(4, "how many ticks of a level make one of the next", ge=2, le=64)
    hidden: int = setting(100, "width of each level", ge=1, le=4096)
    features: int = setting(130, "width of the LSTM that joins all levels, the features", ge=1, le=4096)


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
            settings=HierarchicalSettings,
            gives=lambda settings: {"features": settings.features},
            fit=_fit,
            citation="Koutník, Greff, Gomez and Schmidhuber, A Clockwork RNN, ICML 2014",
        ),
    ]
