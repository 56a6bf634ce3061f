"""Looks into trained parts, for the pictures of docs/answers.md: small files of numbers.

    python benchmarks/looks.py --work RUNS --data pop909=PATH

Reads what `zoo bench run` trained from the first seed, where it keeps trainings, and writes
results/looks/*.json beside the studies. What is not trained yet is left out, and said.
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
from zoo.bench.reading import READING, Reading
from zoo.bench.results import Results
from zoo.bench.study import Study, read_study
from zoo.data import Corpus, open_corpus
from zoo.data.batches import length_batches
from zoo.model.build import build
from zoo.model.model import Batch, Model
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
"""Doublings are counted in frames of so many pitch classes: four voices must double one of them."""
DRAWS = 5
BINS, BIN = 32, 4
"""Velocities are put in bins of four."""


class UntrainedError(Exception):
    """What is to be looked into is not trained yet."""


@dataclass(frozen=True)
class Place:
    """Where trainings and music lie.

    Attributes:
        work: the folder in which `zoo bench run` keeps trainings.
        music: name -> the name or path to open.
        registry: where parts are looked up.
    """

    work: Path
    music: dict[str, str]
    registry: Registry

    def trained(
        self, study: Study, term: Term, data: str, slot: Slot, part: str
    ) -> Iterator[tuple[Combination, Cell, Model]]:
        """The rows that have a part, each with what a term of it learned from the first seed.

        Raises:
            UntrainedError: one is not trained on the music that is here.
        """
        for row in study.combinations:
            if row.labels[slot] == part:
                yield row, *self._best(study, row, term, data)

    def _best(self, study: Study, row: Combination, term: Term, data: str) -> tuple[Cell, Model]:
        component, results = component_of(row.recipe, term, data, self.registry), Results(HERE / "results")
        choice = component.selection(study, results) if component else None
        if choice is None:
            raise UntrainedError(row.label_for(study.slots))
        cell = choice.cells[0]
        best, result = Run(self.work / cell.training).best(), results.read(cell)
        if best is None or not result or not self._is_of(result, data):
            raise UntrainedError(row.label_for(study.slots))
        with torch.enable_grad():  # parts are probed for gradients when they are built
            model = build(cell.recipe.on_grid(self.music_of(data).grid), 0).eval()
        model.load_state_dict(best.tensors)
        return cell, model

    def _is_of(self, result: Mapping[str, Any], data: str) -> bool:
        """Whether a result is of the music that lies here, as it is read now."""
        found = Reading.of(result)
        return (found.digest, found.number) == (self.music_of(data).digest, READING)

    def unseen(self, study: Study, data: str) -> Corpus:
        """The pieces that are scored."""
        return self.music_of(data).split(study.settings.split)

    def music_of(self, data: str) -> Corpus:
        """Music by its name in a study."""
        return open_corpus(self.music.get(data, data))


@click.command()
@click.option("--work", type=click.Path(path_type=Path), default=HERE / "runs", help="Where trainings lie.")
@click.option("--data", "places", multiple=True, metavar="NAME=PATH", help="Where music lies here.")
@torch.no_grad()
def main(work: Path, places: tuple[str, ...]) -> None:
    """Write what can be seen in trained parts to benchmarks/results/looks."""
    place = Place(work, dict(word.split("=", 1) for word in places), open_registry())
    LOOKS.mkdir(parents=True, exist_ok=True)
    for name, look in (("attention", reading), ("velocity", loudness), ("decoder", doublings)):
        study = read_study(HERE / f"{name}.toml", place.registry)
        for data in study.settings.data:
            try:
                found = look(study, data, place)
            except UntrainedError:
                click.echo(f"{look.__name__} of {data}: not all of it is trained yet", err=True)
                continue
            path = LOOKS / f"{look.__name__}-{data}.json"
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            click.echo(f"wrote {path.relative_to(HERE.parent)}", err=True)


def reading(study: Study, data: str, place: Place) -> dict[str, Any]:
    """Where the history is read in 4/4: the mean weight of each lag, and that at each sixteenth."""
    found: dict[str, Any] = {}
    corpus = place.unseen(study, data)
    for row, cell, model in place.trained(study, "core", data, "attention", "history"):
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
        found[row.labels["encoder"]] = {
            "cell": cell.name,
            "lags": [4 * lag for lag in history.settings.lags],
            "mean": _rounded(sums.sum(0) / frames.sum()),
            "by_sixteenth": _rounded(sums / frames.clamp(min=1).unsqueeze(1)),
            "frames": int(frames.sum()),
        }
    return {**_about(study, corpus, data), "encoders": found}


def loudness(study: Study, data: str, place: Place) -> dict[str, Any]:
    """How loud notes are played, in columns by how loud they are expected to be."""
    _, cell, model = next(place.trained(study, "velocity", data, "velocity", "lstm"))
    spread: Any = model.velocity.spread
    corpus = place.unseen(study, data)
    expected, played = [], []
    for indices in _groups(corpus):
        fragments = corpus.whole(indices)
        batch, velocity = model.batch(fragments), model.velocity_batch(fragments)
        assert velocity is not None
        start = model.velocity.start(len(indices))
        guess, _ = model.velocity.predict(batch.codes, velocity.struck, velocity.previous, start)
        notes = (velocity.struck > 0) & fragments.mask.unsqueeze(-1)
        expected.append(guess[notes] * 127)
        played.append(velocity.loudness[notes] * 127)
    guessed, heard = torch.cat(expected), torch.cat(played)
    counts = torch.zeros(BINS, BINS, dtype=torch.int64)
    counts.index_put_((_bin(guessed), _bin(heard)), torch.tensor(1), accumulate=True)
    return {
        **_about(study, corpus, data),
        "cell": cell.name,
        "notes": len(heard),
        "bin": BIN,
        "counts": counts.tolist(),
        "correlation": round(float(torch.corrcoef(torch.stack([guessed, heard]))[0, 1]), 3),
        "spread": round(float(spread.value), 2),
    }


def _bin(velocity: Tensor) -> Tensor:
    return (velocity / BIN).long().clamp(0, BINS - 1)


def doublings(study: Study, data: str, place: Place) -> dict[str, Any]:
    """How pitch classes are doubled in octaves: in the music, and as each decoder draws it.

    The decoders are given the true codes of each frame and the true keys before it.
    """
    corpus = place.unseen(study, data)
    found: dict[str, Any] = {}
    for row, cell, model in place.trained(study, "decoder", data, "encoder", "onset"):
        drawn = _Doubled(model.encoder.membership)
        played = _Doubled(model.encoder.membership)
        for number, (batch, mask) in enumerate(_batches(model, corpus)):
            played.add(batch.keys[mask])
            before = _before(model, batch)
            for draw in range(DRAWS):
                drawn.add(_drawn(model, batch, before, draw, number)[mask])
        found.setdefault("music", {"cell": None, **played.facts()})
        found[row.labels["decoder"]] = {"cell": cell.name, **drawn.facts()}
    return {**_about(study, corpus, data), "classes": CLASSES, "draws": DRAWS, "of": found}


def _before(model: Model, batch: Batch) -> Any:
    """The decoder's state before each frame, after what was really played; rows (B * T, ...)."""
    state, states = model.decoder.start(len(batch.keys)), []
    for t in range(batch.keys.shape[1]):
        states.append(state)
        codes, previous = batch.codes[:, t : t + 1], batch.previous[:, t : t + 1]
        state = model.decoder.follow(codes, previous, state)
    return tree_map(lambda *tensors: torch.stack(tensors, dim=1).flatten(0, 1), *states)


def _drawn(model: Model, batch: Batch, before: Any, *purpose: int) -> Tensor:
    """Keys (B, T, K), each frame drawn after what was really played before it."""
    codes, previous = (plane.flatten(0, 1).unsqueeze(1) for plane in (batch.codes, batch.previous))
    keys, _ = model.decoder.sample(codes, previous, before, generator(0, "looks", *purpose))
    return keys.view(batch.keys.shape)


class _Doubled:
    """Counts doublings: keys in frames of some pitch classes, and whether two classes double together."""

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
        for one in range(octaves.shape[1]):
            for other in range(octaves.shape[1]):
                both = active[:, one] & active[:, other] & some
                if one != other:
                    index = doubled[both, one].long() * 2 + doubled[both, other].long()
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
    """All pieces, a batch at a time, each with the mask of its frames (B, T)."""
    for indices in _groups(corpus):
        fragments = corpus.whole(indices)
        yield model.batch(fragments), fragments.mask


def _groups(corpus: Corpus) -> Iterator[list[int]]:
    """Indices of whole pieces of similar length."""
    return length_batches([piece.frames for piece in corpus.pieces])


def _about(study: Study, corpus: Corpus, data: str) -> dict[str, Any]:
    known = {"data": data, "split": study.settings.split, "digest": corpus.digest, "reading": READING}
    return known | {"pieces": len(corpus.pieces)}


def _rounded(numbers: Tensor) -> Any:
    return [_rounded(row) for row in numbers] if numbers.dim() > 1 else [round(float(n), 4) for n in numbers]


if __name__ == "__main__":
    main()
