"""Measure whether fine-tuning a pretrained model is better than training from nothing, for docs/recipes.md.

    OMP_NUM_THREADS=1 python benchmarks/studies/finetuning.py bach FOLDER

Trains on ten pieces of a folder for two minutes, once from the weights of a pretrained model and once from
new weights of the same recipe, scores both on test pieces of the folder, and writes results/finetuning.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import zoo

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "finetuning.json"
TRAINED, SCORED, MINUTES = 10, 40, 2
SETTINGS: dict[str, Any] = {
    "optimizer": "adamw",
    "decay": 0.03,
    "warmup": 50,
    "schedule": "cosine",
    "ema": 0.99,
    "group_by_length": "true",
    "validate_every": 20,
}
"""The settings of the recipe `strong`; validations are closer together because there are few steps."""
RATES = {"fine-tuned": 0.001, "from nothing": 0.004}


@click.command()
@click.argument("name")
@click.argument("folder")
@click.option("--seeds", default=2, help="Number of seeds.")
def main(name: str, folder: str, seeds: int) -> None:
    """Fine-tune the pretrained model NAME on ten pieces of FOLDER."""
    corpus = zoo.open_corpus(folder)
    train, test = corpus.split("train"), corpus.split("test")
    ten = zoo.Corpus.from_rolls([train[index] for index in range(TRAINED)], name="ten pieces")
    held_out = zoo.Corpus.from_rolls([test[index] for index in range(SCORED)], name="held-out pieces")
    rows = [row(zoo.load(name), held_out, "not fine-tuned", None)]
    for seed in range(seeds):
        for start, model in starts(name):
            rows.append(tuned(model, ten, held_out, start, seed))
            click.echo(json.dumps(rows[-1]), err=True)
    facts = {
        "model": name,
        "music": {"name": Path(folder).name, "digest": corpus.digest},
        "trained": {"pieces": TRAINED, "digest": ten.digest, "minutes": MINUTES, "settings": SETTINGS},
        "scored": {"pieces": SCORED, "digest": held_out.digest},
        "polyzoo": zoo.__version__,
        "rows": rows,
    }
    RESULT.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def starts(name: str) -> Iterator[tuple[str, zoo.ZooModel]]:
    """The pretrained model, and an untrained model of the same recipe."""
    yield "fine-tuned", zoo.load(name)
    yield "from nothing", zoo.build(str(zoo.load(name).recipe))


def tuned(
    model: zoo.ZooModel, ten: zoo.Corpus, held_out: zoo.Corpus, start: str, seed: int
) -> dict[str, Any]:
    """Train a model on ten pieces, and score it."""
    result = model.fit(ten, minutes=MINUTES, lr=RATES[start], seed=seed, **SETTINGS)
    return {**row(model, held_out, start, seed), "lr": RATES[start], "steps": result.step}


def row(model: zoo.ZooModel, held_out: zoo.Corpus, start: str, seed: int | None) -> dict[str, Any]:
    """The score of a model on the held-out pieces."""
    figure = model.evaluate(held_out, split="all").figure("codes", "keys")
    return {"start": start, "seed": seed, "nats": figure.value, "kind": figure.kind}


if __name__ == "__main__":
    main()
