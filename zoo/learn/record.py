"""What is kept of a training with the model that came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.data import Corpus
from zoo.learn.events import History
from zoo.learn.settings import TrainSettings


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
            "pieces": len(pieces.pieces),
            "frames": pieces.frames,
        },
        "training": {
            "settings": settings.model_dump(mode="json", exclude_none=True),
            "seed": seed,
            "steps": history.step,
            "seconds": round(history.seconds, 1),
            "best_step": dict(history.best_step),
        },
    }
