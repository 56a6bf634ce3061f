"""Statistics of trained parts, for the pictures of docs/answers.md.

    python benchmarks/studies/looks.py --work RUNS --data pop909=PATH

Reads the trainings of `zoo bench run` from the first seed, and writes results/looks/*.json beside the
studies. Parts that are not trained yet are skipped with a message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from zoo.bench.cell import Cell
from zoo.bench.components import component_of
from zoo.bench.grid import Combination
from zoo.bench.reading import READING, MusicReading
from zoo.bench.results import Results
from zoo.bench.study import Study, read_study
from zoo.data import Corpus, open_corpus
from zoo.data.batches import length_batches
from zoo.model.batch import Batch
from zoo.model.build import build
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.parts import Slot
from zoo.parts.terms import Term
from zoo.registry import Registry, open_registry
from zoo.train.run import Run

HERE = Path(__file__).resolve().parent
LOOKS = HERE / "results" / "looks"
BAR = 16
"""Sixteenths in a bar of 4/4."""
CLASSES = 3
"""Doublings are counted in frames with this number of pitch classes, one of which four voices must double."""
DRAWS = 5
BINS, BIN = 32, 4
"""Number of bins of velocities, and width of a bin."""


class UntrainedError(Exception):
    """A part that is needed is not trained yet."""


@dataclass(frozen=True)
class Trainings:
    """The trainings and datasets on this machine.

    Attributes:
        work: the folder in which `zoo bench run` stores trainings.
        music: name of a dataset -> the name or path to open.
        registry: where parts are looked up.
    """

    work: Path
    music: dict[str, str]
    registry: Registry

    def trained(
        self, study: Study, term: Term, data: str, slot: Slot, part: str
    ) -> Iterator[tuple[Combination, Cell, Model]]:
        """The rows with a part in a slot, each with the model that a term trained from the first seed.

        Raises:
            UntrainedError: one of them is not trained on the music on this machine.
        """
        for row in study.combinations:
            if row.labels[slot] == part:
                yield row, *self._best(study, row, term, data)

    def _best(self, study: Study, row: Combination, term: Term, data: str) -> tuple[Cell, Model]:
        component, results = component_of(row.recipe, term, data, self.registry), Results(HERE / "results")
        selection = component.selection(study, results) if component else None
        if selection is None:
            raise UntrainedError(row.label_for(study.slots))
        cell = selection.cells[0]
        best, result = Run(self.work / cell.training).best(), results.read(cell)
        if best is None or not result or not self._is_of(result, data):
            raise UntrainedError(row.label_for(study.slots))
        with torch.enable_grad():  # parts are probed for gradients when they are built
            model = build(cell.recipe.on_grid(self.music_of(data).grid), 0).eval()
        model.load_state_dict(best.tensors)
        return cell, model

    def _is_of(self, result: Mapping[str, Any], data: str) -> bool:
        """Whether a result was measured on the music on this machine, in the current reading."""
        stored = MusicReading.of(result)
        return (stored.digest, stored.number) == (self.music_of(data).digest, READING)

    def unseen(self, study: Study, data: str) -> Corpus:
        """The pieces that are scored."""
        return self.music_of(data).split(study.settings.split)

    def music_of(self, data: str) -> Corpus:
        """Open a dataset by its name in the study."""
        return open_corpus(self.music.get(data, data))


@click.command()
@click.option(
    "--work", type=click.Path(path_type=Path), default=HERE / "runs", help="Folder of the trainings."
)
@click.option("--data", "places", multiple=True, metavar="NAME=PATH", help="Path of a dataset.")
@torch.no_grad()
def main(work: Path, places: tuple[str, ...]) -> None:
    """Write statistics of trained parts to benchmarks/studies/results/looks."""
    trainings = Trainings(work, dict(word.split("=", 1) for word in places), open_registry())
    LOOKS.mkdir(parents=True, exist_ok=True)
    for name, measure in (("attention", reading), ("velocity", loudness), ("decoder", doublings)):
        study = read_study(HERE / f"{name}.toml", trainings.registry)
        for data in study.settings.data:
            try:
                statistics = measure(study, data, trainings)
            except UntrainedError:
                click.echo(f"{measure.__name__} of {data}: a part is not trained yet", err=True)
                continue
            path = LOOKS / f"{measure.__name__}-{data}.json"
            path.write_text(json.dumps(statistics, indent=1) + "\n", encoding="utf-8")
            click.echo(f"wrote {path.relative_to(HERE.parent)}", err=True)


def reading(study: Study, data: str, trainings: Trainings) -> dict[str, Any]:
    """Which lags the history attends to in 4/4: mean weight of each lag, overall and at each sixteenth."""
    encoders: dict[str, Any] = {}
    corpus = trainings.unseen(study, data)
    for row, cell, model in trainings.trained(study, "core", data, "attention", "history"):
        history: Any = model.attention  # of a plugin, which is not imported here
        sums, frames = torch.zeros(BAR, len(history.settings.lags)), torch.zeros(BAR)
        for batch, mask in _batches(model, corpus):
            weights = history.read_weights(batch.inputs, batch.clock, history.start(batch.past))
            clock = batch.clock
            in_common_time = mask & (clock.length == 4 * clock.grid)
            predicted = ((clock.place + 1) % clock.length)[in_common_time]
            sixteenth = predicted * 4 // clock.grid
            sums.index_add_(0, sixteenth, weights[in_common_time])
            frames.index_add_(0, sixteenth, torch.ones(len(sixteenth)))
        encoders[row.labels["encoder"]] = {
            "cell": cell.name,
            "lags": [4 * lag for lag in history.settings.lags],
            "mean": _rounded(sums.sum(0) / frames.sum()),
            "by_sixteenth": _rounded(sums / frames.clamp(min=1).unsqueeze(1)),
            "frames": int(frames.sum()),
        }
    return {**_about(study, corpus, data), "encoders": encoders}


def loudness(study: Study, data: str, trainings: Trainings) -> dict[str, Any]:
    """A histogram of predicted and played velocities."""
    _, cell, model = next(trainings.trained(study, "velocity", data, "velocity", "lstm"))
    spread: Any = model.velocity.spread
    corpus = trainings.unseen(study, data)
    expected, played = [], []
    for indices in _groups(corpus):
        fragments = corpus.whole(indices)
        batch, velocity = model.batch(fragments), model.velocity_batch(fragments)
        assert velocity is not None
        start = model.velocity.start(len(indices))
        predicted, _ = model.velocity.predict(batch.codes, velocity.struck, velocity.previous, start)
        notes = (velocity.struck > 0) & fragments.mask.unsqueeze(-1)
        expected.append(predicted[notes] * 127)
        played.append(velocity.loudness[notes] * 127)
    pairs = torch.stack([torch.cat(expected), torch.cat(played)])
    counts = torch.zeros(BINS, BINS, dtype=torch.int64)
    counts.index_put_((_bin(pairs[0]), _bin(pairs[1])), torch.tensor(1), accumulate=True)
    return {
        **_about(study, corpus, data),
        "cell": cell.name,
        "notes": pairs.shape[1],
        "bin": BIN,
        "counts": counts.tolist(),
        "correlation": round(float(torch.corrcoef(pairs)[0, 1]), 3),
        "spread": round(float(spread.value), 2),
    }


def _bin(velocity: Tensor) -> Tensor:
    return (velocity / BIN).long().clamp(0, BINS - 1)


def doublings(study: Study, data: str, trainings: Trainings) -> dict[str, Any]:
    """How pitch classes are doubled in octaves, in the music and in draws of each decoder.

    The decoders receive the true codes of each frame and the true keys of the frames before it.
    """
    corpus = trainings.unseen(study, data)
    sources: dict[str, Any] = {}
    for row, cell, model in trainings.trained(study, "decoder", data, "encoder", "onset"):
        drawn = _Doublings(model.encoder.membership)
        played = _Doublings(model.encoder.membership)
        for number, (batch, mask) in enumerate(_batches(model, corpus)):
            played.add(batch.keys[mask])
            before = _before(model, batch)
            for draw in range(DRAWS):
                drawn.add(_drawn(model, batch, before, draw, number)[mask])
        sources.setdefault("music", {"cell": None, **played.facts()})
        sources[row.labels["decoder"]] = {"cell": cell.name, **drawn.facts()}
    return {**_about(study, corpus, data), "classes": CLASSES, "draws": DRAWS, "of": sources}


def _before(model: Model, batch: Batch) -> Any:
    """The decoder's state before each frame, after the true keys of earlier frames; rows (B * T, ...)."""
    state, states = model.decoder.start(len(batch.keys)), []
    for t in range(batch.keys.shape[1]):
        states.append(state)
        codes, previous = batch.codes[:, t : t + 1], batch.previous[:, t : t + 1]
        state = model.decoder.follow(codes, previous, state)
    return tree_map(lambda *tensors: torch.stack(tensors, dim=1).flatten(0, 1), *states)


def _drawn(model: Model, batch: Batch, before: Any, *purpose: int) -> Tensor:
    """Drawn keys (B, T, K), each frame given the true keys of earlier frames."""
    codes, previous = (plane.flatten(0, 1).unsqueeze(1) for plane in (batch.codes, batch.previous))
    keys, _ = model.decoder.sample(codes, previous, before, generator(0, "looks", *purpose))
    return keys.view(batch.keys.shape)


class _Doublings:
    """Counts doublings in frames with `CLASSES` pitch classes: number of keys, and pairs doubled together."""

    def __init__(self, membership: Tensor) -> None:
        self._membership = membership.float()
        self._keys = torch.zeros(89, dtype=torch.int64)
        self._pairs = torch.zeros(2, 2, dtype=torch.int64)

    def add(self, keys: Tensor) -> None:
        octaves = keys.float() @ self._membership.T
        active = octaves > 0
        some = active.sum(-1) == CLASSES
        self._keys += torch.bincount(keys[some].sum(-1).long(), minlength=89)
        doubled = octaves > 1
        for first in range(octaves.shape[1]):
            for second in range(octaves.shape[1]):
                both = active[:, first] & active[:, second] & some
                if first != second:
                    index = doubled[both, first].long() * 2 + doubled[both, second].long()
                    self._pairs += torch.bincount(index, minlength=4).view(2, 2)

    def facts(self) -> dict[str, Any]:
        frames, pairs = int(self._keys.sum()), self._pairs.double()
        share = pairs / pairs.sum()
        doubled = float(share[1].sum())
        covariance, variance = float(share[1, 1]) - doubled**2, doubled * (1 - doubled)
        return {
            "frames": frames,
            "keys": {str(n): int(count) for n, count in enumerate(self._keys) if count},
            "doubled": round(doubled, 4),
            "correlation": round(covariance / variance, 4) if variance else None,
        }


def _batches(model: Model, corpus: Corpus) -> Iterator[tuple[Batch, Tensor]]:
    """All pieces in batches, each with its mask (B, T)."""
    for indices in _groups(corpus):
        fragments = corpus.whole(indices)
        yield model.batch(fragments), fragments.mask


def _groups(corpus: Corpus) -> Iterator[list[int]]:
    """Groups of indices of pieces of similar length."""
    return length_batches([piece.frames for piece in corpus.pieces])


def _about(study: Study, corpus: Corpus, data: str) -> dict[str, Any]:
    known = {"data": data, "split": study.settings.split, "digest": corpus.digest, "reading": READING}
    return known | {"pieces": len(corpus.pieces)}


def _rounded(numbers: Tensor) -> Any:
    return [_rounded(row) for row in numbers] if numbers.dim() > 1 else [round(float(n), 4) for n in numbers]


if __name__ == "__main__":
    main()
