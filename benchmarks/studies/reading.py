"""Measure how well datasets fit their grid, for docs/reading.md.

    python benchmarks/studies/reading.py --data pop909=PATH --data classical=PATH

Reads each dataset, counts the residual on its training pieces, scores it on its test pieces, and writes
results/reading.json.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch

from zoo.data import Corpus, open_corpus
from zoo.data.summary import summarise
from zoo.parts.counted import CountedResidual
from zoo.parts.residual import Plane

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "reading.json"
PLANES: tuple[Plane, ...] = ("onset", "sounding")


@click.command()
@click.option("--data", "places", multiple=True, metavar="NAME=PATH", help="A dataset and its path.")
@torch.no_grad()
def main(places: tuple[str, ...]) -> None:
    """Write statistics of `bach` and of the given datasets."""
    statistics = {}
    for name, _, place in (word.partition("=") for word in ("bach=bach", *places)):
        statistics[name] = facts(open_corpus(place))
        click.echo(f"{name}: done", err=True)
    RESULT.write_text(json.dumps(statistics, indent=1) + "\n", encoding="utf-8")


def facts(corpus: Corpus) -> dict[str, Any]:
    """Statistics of a corpus, and the nats of the residual of each plane."""
    return {
        "digest": corpus.digest,
        "grid": corpus.grid,
        "families": len({piece.family for piece in corpus.pieces}),
        "leaks": leaks(corpus),
        "summary": asdict(summarise(corpus)),
        "residual": {plane: residual(corpus, plane) for plane in PLANES} if "onset" in corpus.planes else {},
    }


def leaks(corpus: Corpus) -> int:
    """Number of validation and test pieces that share music with a training piece."""
    pairs = [pair for *pair, _ in corpus.leaks() if "train" in (pair[0].split, pair[1].split)]
    return len({piece.title for pair in pairs for piece in pair if piece.split != "train"})


def residual(corpus: Corpus, plane: Plane) -> float:
    """Nats per frame of the test pieces under a residual that was counted on the training pieces."""
    table, nats, frames = CountedResidual(plane), 0.0, 0
    for split in ("train", "test"):
        pieces = corpus.split(split)
        for index in range(len(pieces.pieces)):
            music = pieces.whole([index])
            assert music.onset is not None
            score = music.onset[:, 1:], music.sounding[:, 1:], music.clock[:, 1:]
            if split == "train":
                table.count(*score, mask=music.mask)
            else:
                nats, frames = nats - float(table.log_prob(*score).sum()), frames + music.frames
    return nats / frames


if __name__ == "__main__":
    main()
