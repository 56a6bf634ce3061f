"""What is kept of a training with the model that came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data import Corpus
from zoo.learn.events import History
from zoo.learn.settings import TrainSettings
from zoo.music.grid import Pedal
from zoo.music.meter import Meter


def common_meter(corpus: Corpus) -> list[int]:
    """The time signature that holds for most frames, as [upper number, lower number]."""
    frames = Counter[tuple[int, int]]()
    for piece in corpus.pieces:
        frames.update(piece.meter.held(piece.frames))
    return list(frames.most_common(1)[0][0]) if frames else [4, 4]


def record(history: History, corpus: Corpus, settings: TrainSettings, seed: int) -> dict[str, Any]:
    """The scores, data and training of a bundle, as `zoo.model.bundle.save_bundle` takes them."""
    pieces = corpus.split("train")
    return {
        "scores": {"validation": dict(history.best)},
        "data": {
            # a bundle is given away, and where its maker keeps music is nobody's business
            "name": Path(corpus.name).resolve().name,
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
            "threads": history.threads,
            "best_step": dict(history.best_step),
        },
    }


def pedal_of(record: Mapping[str, Any]) -> Pedal:
    """Where the notes of the music that a model was trained on end, and so those of a primer should."""
    return "hold" if record.get("data", {}).get("pedal") == "hold" else "keep"


def meter_of(record: Mapping[str, Any], grid: int) -> Meter:
    """The meter in which a model writes unless it is told: the most common one of what it was trained on."""
    beats, unit = record.get("data", {}).get("meter", (4, 4))
    return Meter.of(beats, unit, grid=grid)
