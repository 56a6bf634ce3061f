"""Provenance: all music that each part of a model was trained on, in one or in several trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.parts import SLOTS, Slot

MusicRecord = Mapping[str, Any]
"""The record of a corpus that was trained on: `name` and `digest`, and if known `pieces`, `frames` and
`piece_digests`, the first digits of the digests of its training pieces and of their note patterns,
`validation_digests`, the same of its validation pieces, and how it was read, `pedal` and `meter`."""

LISTS = ("piece_digests", "validation_digests")
"""The lists of pieces in a record, which parts with the same music share."""
KNOWN = ("name", "digest", "pieces", "frames", "pedal", "meter")
"""The fields of a record besides its lists of pieces."""
MOST_LISTED = 300_000
"""Maximum number of digests in all lists of a file, of which a piece has up to three; they take 7 MB."""


@dataclass(frozen=True)
class Origin:
    """The origin of the initial weights of a part.

    Attributes:
        source: the run or bundle that they were taken from.
        weights: their sha256.
        trained_on: the music that they were trained on, oldest first; empty if not recorded.
    """

    source: str
    weights: str
    trained_on: tuple[MusicRecord, ...]

    def knows(self, digest: str) -> bool:
        """Whether the weights were trained on the music with this digest."""
        return any(music["digest"] == digest for music in self.trained_on)


def trained_on(config: Mapping[str, Any]) -> dict[Slot, tuple[MusicRecord, ...]]:
    """The music that each part of a bundle was trained on, oldest first, from a checked config.json.

    Bundles of polyzoo 0.1 name one corpus for all parts, or none if the parts come from several bundles.
    """
    return {slot: tuple(_of_part(config, slot)) for slot in SLOTS}


def _of_part(config: Mapping[str, Any], slot: Slot) -> Iterator[MusicRecord]:
    part, data = config.get("parts", {}).get(slot, {}), config.get("data")
    for music in part.get("trained_on") or ([data] if data and not part.get("source") else []):
        if music.get("name") is not None and music.get("digest") is not None:
            known = {key: music[key] for key in KNOWN if key in music}
            yield {**known, **pieces_of(config, music["digest"])}


def with_reading(
    records: Mapping[Slot, Sequence[MusicRecord]], config: Mapping[str, Any]
) -> dict[Slot, tuple[MusicRecord, ...]]:
    """The records of parts that are taken from a bundle, which say how the music was read.

    Args:
        records: the result of `trained_on`.
        config: the config.json of the bundle, which says it of the music of its last training.
    """
    data = config.get("data") or {}
    known = {key: data[key] for key in ("pedal", "meter") if key in data}
    return {
        slot: tuple(
            {**known, **music} if music["digest"] == data.get("digest") else music for music in trained
        )
        for slot, trained in records.items()
    }


def pieces_of(config: Mapping[str, Any], digest: str) -> dict[str, list[str]]:
    """The lists of pieces of the music with this digest, from a config.json; empty if it has none."""
    data = config.get("data") or {}
    shared = {name: config.get(name, {}).get(digest) for name in LISTS}
    own = {name: data[name] for name in LISTS if name in data} if data.get("digest") == digest else {}
    return {name: listed for name, listed in {**shared, **own}.items() if listed is not None}


def without_pieces(trained: Sequence[MusicRecord]) -> list[dict[str, Any]]:
    """The records of a part without their lists of pieces."""
    return [{key: music[key] for key in music if key not in LISTS} for music in trained]


def shared_pieces(
    records: Mapping[Slot, Sequence[MusicRecord]], data: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Each of `LISTS`, by digest of the music, so that parts with the same music share one list.

    Args:
        records: slot -> the music that its part was trained on.
        data: the music of the last training, which is omitted because it has a list of its own.
    """
    every = {music["digest"]: music for trained in records.values() for music in trained}
    own = data.get("digest") if data else None
    return {
        name: {digest: music[name] for digest, music in every.items() if digest != own and name in music}
        for name in LISTS
    }


def with_short_lists(content: Mapping[str, Any]) -> dict[str, Any]:
    """A config.json or a plan without its longest lists of pieces, if they are too long to be read again.

    Whether the model was trained on some piece of that music is then unknown, as in bundles of old versions.
    """
    data = dict(content.get("data") or {})
    own = {(name, None): data[name] for name in LISTS if name in data}
    shared = {(name, digest): listed for name in LISTS for digest, listed in content.get(name, {}).items()}
    by_length = sorted({**own, **shared}.items(), key=lambda entry: len(entry[1]))
    room, kept = MOST_LISTED, set()
    for place, listed in by_length:
        room -= len(listed)
        if room >= 0:
            kept.add(place)
    if len(kept) == len(by_length):
        return dict(content)
    return {
        **content,
        "data": {key: value for key, value in data.items() if key not in LISTS or (key, None) in kept},
        **{
            name: {digest: listed for digest, listed in content[name].items() if (name, digest) in kept}
            for name in LISTS
            if name in content
        },
    }


def other_music(records: Mapping[Slot, Sequence[MusicRecord]], digest: str) -> dict[str, list[Slot]]:
    """Name of the music -> the parts that were trained on it, for all music with another digest.

    Args:
        records: the result of `trained_on`.
        digest: digest of the music to leave out.
    """
    others: dict[str, list[Slot]] = {}
    for slot, trained in records.items():
        for name in dict.fromkeys(music["name"] for music in trained if music["digest"] != digest):
            others.setdefault(name, []).append(slot)
    return others
