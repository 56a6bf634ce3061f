"""The plugin hook, which returns the descriptions of a plugin's parts."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from zoo.parts.description import Description

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


class ZooSpec:
    """The hook that a plugin module implements."""

    @hookspec
    def zoo_parts(self) -> Iterable[Description]:  # type: ignore[empty-body]
        """The descriptions of the plugin's parts. Called once; must not import torch."""
