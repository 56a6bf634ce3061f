"""What the parts of a model were trained on: all of it, since a part may have been trained several times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from zoo.parts import SLOTS, Slot

Music = Mapping[str, Any]
"""A corpus that was trained on: its `name` and `digest`, and as far as known its `pieces` and `frames`."""

Counted = Literal["keep", "add"]
"""What becomes of the counts of a trained part when it is trained on: they stay, or this music is added."""


@dataclass(frozen=True)
class Origin:
    """Where the weights that a part begins its training with come from.

    Attributes:
        source: the run or bundle they were taken from.
        weights: their sha256.
        trained_on: the music behind them, oldest first; empty where there is no record of it.
    """

    source: str
    weights: str
    trained_on: tuple[Music, ...]

    def counted(self, digest: str) -> Counted:
        """What becomes of the counts of the part when it is trained on some music: no piece counts twice."""
        return "keep" if any(music["digest"] == digest for music in self.trained_on) else "add"


def trained_on(config: Mapping[str, Any]) -> dict[Slot, tuple[Music, ...]]:
    """What each part of a bundle was trained on, oldest first, from the content of config.json.

    Bundles of polyzoo 0.1 name one corpus for all parts, or none where parts were put together.
    """
    return {slot: tuple(_of_part(config, slot)) for slot in SLOTS}


def _of_part(config: Mapping[str, Any], slot: Slot) -> Iterator[Music]:
    parts = config.get("parts")
    part = parts.get(slot) if isinstance(parts, dict) else None
    known = part if isinstance(part, dict) else {}
    data = config.get("data")
    listed = known.get("trained_on", [data] if data and not known.get("source") else [])
    for music in listed if isinstance(listed, list) else []:
        match music:
            case {"name": str(name), "digest": str(digest), **rest}:
                sizes = {key: rest[key] for key in ("pieces", "frames") if isinstance(rest.get(key), int)}
                yield {"name": name, "digest": digest, **sizes}


def other_music(found: Mapping[Slot, Sequence[Music]], digest: str) -> dict[str, list[Slot]]:
    """What parts were trained on besides some music: name -> the parts.

    Args:
        found: as `trained_on` gives it.
        digest: of the music that is known.
    """
    others: dict[str, list[Slot]] = {}
    for slot, trained in found.items():
        for name in dict.fromkeys(music["name"] for music in trained if music["digest"] != digest):
            others.setdefault(name, []).append(slot)
    return others
