"""The one hook of the zoo: a plugin returns the descriptions of its parts."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from zoo.parts.description import Description

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


class ZooSpec:
    """What a plugin module may implement."""

    @hookspec
    def zoo_parts(self) -> Iterable[Description]:  # type: ignore[empty-body]
        """The parts this plugin adds to the zoo. Called once; must not import torch."""
