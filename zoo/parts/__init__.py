"""What a plugin author needs to describe a part; `zoo.parts.interfaces` holds the torch half."""

from zoo.parts.description import API, SLOTS, Description, Fact, Settings, Slot, setting
from zoo.parts.hooks import hookimpl, hookspec

__all__ = ["API", "SLOTS", "Description", "Fact", "Settings", "Slot", "hookimpl", "hookspec", "setting"]
