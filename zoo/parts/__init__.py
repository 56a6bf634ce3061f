"""The API for plugin authors: descriptions and settings; `zoo.parts.interfaces` has the torch classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.parts.description import API, SLOTS, Description, Fact, Slot
from zoo.parts.hooks import hookimpl, hookspec

if TYPE_CHECKING:
    from zoo.parts.settings import Settings, setting

__all__ = ["API", "SLOTS", "Description", "Fact", "Settings", "Slot", "hookimpl", "hookspec", "setting"]


def __getattr__(name: str) -> Any:
    """Import pydantic only when settings are used; importing it would double the time of `zoo list`."""
    if name in ("Settings", "setting"):
        from zoo.parts import settings

        return getattr(settings, name)
    raise AttributeError(f"module 'zoo.parts' has no attribute {name!r}")
