"""What is kept of a training with the model that came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data import Corpus
from zoo.learn.events import History
from zoo.learn.settings import TrainSettings
from zoo.model.provenance import Origin
from zoo.music.grid import Pedal
from zoo.music.meter import Meter
from zoo.parts import SLOTS, Slot


def common_meter(corpus: Corpus) -> list[int]:
    """The time signature that holds for most frames, as [upper number, lower number]."""
    frames = Counter[tuple[int, int]]()
    for piece in corpus.pieces:
        frames.update(piece.meter.held(piece.frames))
    return list(frames.most_common(1)[0][0]) if frames else [4, 4]


def record(
    history: History,
    corpus: Corpus,
    settings: TrainSettings,
    seed: int,
    origins: Mapping[Slot, Origin] | None = None,
) -> dict[str, Any]:
    """The scores, data and training of a bundle, as `zoo.model.bundle.save_bundle` takes them.

    Args:
        history: what `zoo.learn.fit.fit` returned.
        corpus: what it was given.
        settings: what it was given.
        seed: what it was given.
        origins: what it was given.
    """
    pieces, began = corpus.split("train"), origins or {}
    # A bundle is given away, and the folder in which its maker keeps music is private.
    name = Path(corpus.name).resolve().name
    music = {"name": name, "digest": corpus.digest, "pieces": len(pieces.pieces), "frames": pieces.frames}
    return {
        "scores": {"validation": dict(history.best)},
        "data": {
            "name": name,
            "digest": corpus.digest,
            "grid": corpus.grid,
            "pedal": corpus.pedal,
            "meter": common_meter(pieces),
            "pieces": len(pieces.pieces),
            "frames": pieces.frames,
        },
        "training": {
            "settings": settings.model_dump(mode="json", exclude_none=True),
            "seed": seed,
            "steps": history.step,
            "seconds": round(history.seconds, 1),
            "best_step": dict(history.best_step),
            **({"began_from": {slot: origin.source for slot, origin in began.items()}} if began else {}),
        },
        "trained_on": {slot: [*(began[slot].trained_on if slot in began else ()), music] for slot in SLOTS},
    }


def pedal_of(record: Mapping[str, Any]) -> Pedal:
    """Where the notes of the music that a model was trained on end, and so those of a primer should."""
    return "hold" if record.get("data", {}).get("pedal") == "hold" else "keep"


def meter_of(record: Mapping[str, Any], grid: int) -> Meter:
    """The meter in which a model writes unless it is told: the most common one of what it was trained on."""
    beats, unit = record.get("data", {}).get("meter", (4, 4))
    return Meter.of(beats, unit, grid=grid)
