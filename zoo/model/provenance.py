"""What the parts of a model were trained on: all of it, since a part may have been trained several times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.parts import SLOTS, Slot

Music = Mapping[str, Any]
"""A corpus that was trained on: its `name` and `digest`, and as far as known its `pieces`, `frames` and
`piece_digests`, the beginnings of the digests of its training pieces."""


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

    def knows(self, digest: str) -> bool:
        """Whether the part was trained on some music before."""
        return any(music["digest"] == digest for music in self.trained_on)


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
    listed = known.get("trained_on") or ([data] if data and not known.get("source") else [])
    for music in listed if isinstance(listed, list) else []:
        match music:
            case {"name": str(name), "digest": str(digest), **rest}:
                sizes = {key: rest[key] for key in ("pieces", "frames") if isinstance(rest.get(key), int)}
                yield {"name": name, "digest": digest, **sizes, **pieces_of(config, digest)}


def pieces_of(config: Mapping[str, Any], digest: str) -> dict[str, list[str]]:
    """The `piece_digests` of some music as `listed_once` and `data` keep them; empty where nothing does."""
    data, others = config.get("data"), config.get("piece_digests")
    listed = others.get(digest) if isinstance(others, dict) else None
    if isinstance(data, dict) and data.get("digest") == digest:
        listed = data.get("piece_digests", listed)
    return {"piece_digests": list(map(str, listed))} if isinstance(listed, list) else {}


def without_pieces(trained: Sequence[Music]) -> list[dict[str, Any]]:
    """The music that a part was trained on, without the list of its pieces."""
    return [{key: music[key] for key in music if key != "piece_digests"} for music in trained]


def listed_once(found: Mapping[Slot, Sequence[Music]], data: Mapping[str, Any] | None) -> dict[str, Any]:
    """The pieces of all music but `data`, which lists its own, by digest: many parts, one list.

    Args:
        found: what each part was trained on.
        data: what was trained on last.
    """
    every = {music["digest"]: music for trained in found.values() for music in trained}
    own = data.get("digest") if data else None
    return {
        digest: music["piece_digests"]
        for digest, music in every.items()
        if digest != own and "piece_digests" in music
    }


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
