"""The record of a training that is saved in the bundle of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data import Corpus
from zoo.model.provenance import MusicRecord, Origin
from zoo.music.grid import Pedal
from zoo.music.meter import Meter
from zoo.parts import SLOTS, Slot
from zoo.train.events import FitResult
from zoo.train.settings import TrainSettings

DIGITS = 12
"""Of a piece's digest, in a record."""


def common_meter(corpus: Corpus) -> list[int]:
    """The time signature that holds for most frames, as [upper number, lower number]."""
    frames = Counter[tuple[int, int]]()
    for piece in corpus.pieces:
        frames.update(piece.meter.durations(piece.frames))
    return list(frames.most_common(1)[0][0]) if frames else [4, 4]


def record(
    result: FitResult,
    corpus: Corpus,
    settings: TrainSettings,
    seed: int,
    origins: Mapping[Slot, Origin] | None = None,
) -> dict[str, Any]:
    """The scores, data and training of a bundle, as `zoo.model.bundle.save_bundle` takes them.

    Args:
        result: what `zoo.train.fit.fit` returned.
        corpus: what it was given.
        settings: what it was given.
        seed: what it was given.
        origins: what it was given.
    """
    pieces, began = corpus.split("train"), origins or {}
    # A bundle is given away, and the folder in which its maker keeps music is private.
    name = Path(corpus.name).resolve().name
    music = {
        "name": name,
        "digest": corpus.digest,
        "pieces": len(pieces.pieces),
        "frames": pieces.frames,
        "piece_digests": sorted(_digests(pieces)),
    }
    return {
        "scores": {"validation": dict(result.best)},
        "data": {
            **music,
            "grid": corpus.grid,
            "pedal": corpus.pedal,
            "meter": common_meter(pieces),
        },
        "training": {
            "settings": settings.model_dump(mode="json", exclude_none=True),
            "seed": seed,
            "steps": result.step,
            "seconds": round(result.seconds, 1),
            "threads": result.threads,
            **({"ranks": result.ranks} if result.ranks > 1 else {}),
            "best_step": dict(result.best_step),
            **({"began_from": {slot: origin.source for slot, origin in began.items()}} if began else {}),
        },
        "trained_on": {slot: [*(began[slot].trained_on if slot in began else ()), music] for slot in SLOTS},
    }


def trained_on(record: Mapping[str, Any], corpus: Corpus, pieces: Corpus) -> int | None:
    """How many of these pieces a model was trained on, wherever they were read from.

    A piece counts if it is the same note for note; another version of it does not.

    Args:
        record: of the model's bundle.
        corpus: the music that the pieces are part of, with its training pieces.
        pieces: those that are to be scored.

    Returns:
        The count; None where none are known and the record does not list all pieces that the parts were
        trained on, as those of earlier versions do not.
    """
    found: Mapping[Slot, Sequence[MusicRecord]] = record.get("trained_on", {})
    known: set[str] = set()
    is_listed = all(found.get(slot) for slot in record.get("sources", ()))
    for music in {music["digest"]: music for trained in found.values() for music in trained}.values():
        if "piece_digests" in music:
            known |= set(music["piece_digests"])
        elif music["digest"] == corpus.digest:
            known |= _digests(corpus.split("train"))
        else:
            is_listed = False
    count = sum(piece.digest[:DIGITS] in known for piece in pieces.pieces)
    return count if count or is_listed else None


def _digests(corpus: Corpus) -> set[str]:
    return {piece.digest[:DIGITS] for piece in corpus.pieces}


def pedal_of(record: Mapping[str, Any]) -> Pedal:
    """Where the notes of the music that a model was trained on end, and so those of a primer should."""
    return "hold" if record.get("data", {}).get("pedal") == "hold" else "keep"


def meter_of(record: Mapping[str, Any], grid: int) -> Meter:
    """The default meter of a model: the most common one of its training pieces."""
    beats, unit = record.get("data", {}).get("meter", (4, 4))
    return Meter.of(beats, unit, grid=grid)
