"""A worker process, which trains and scores one cell.

Run as `python -m zoo.bench.work FOLDER`, with the order (`Cell.order`) as a line of JSON on standard input.
The result, or `{"problems": [...]}`, is written to standard output. The parent keeps standard input open;
when it closes, the worker saves its training and exits. The training is stored in FOLDER and resumes from
there.
"""

from __future__ import annotations

import _thread
import hashlib
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.bench.cell import SCORED, Cell, FloorsCell
from zoo.bench.reading import READING
from zoo.errors import BundleError, NonFiniteError, Problem, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.registry import Recipe
    from zoo.train.settings import TrainSettings


SPECIFIC = ("place", "music", "training")
"""Entries of an order that are not part of its question: where the music and the training are."""


def do(order: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Run a cell and return its result.

    Raises:
        ZooError: the music cannot be opened, a part cannot be loaded, or the training fails.
    """
    from zoo.data import open_corpus

    corpus = open_corpus(order["place"])
    if order["music"] not in ("", corpus.digest):
        what = f"the worker's {order['data']} is not the same music as here"
        hint = "put the same files and the same version of polyzoo on all machines"
        raise UsageError(Problem(what, order["name"], hint))
    result = _score_floors(order, corpus) if order["term"] == "floors" else _train(order, corpus, folder)
    question = {name: value for name, value in order.items() if name not in SPECIFIC}
    data = _describe(corpus, order["data"], order["split"])
    return {"order": question, "data": data, "made": made(), **result}


def _describe(corpus: Corpus, name: str, split: str) -> dict[str, Any]:
    """The entry of a result about its music: digest, planes and reading."""
    leaky = {
        piece.digest
        for first, second, _ in corpus.leaks()
        for piece, twin in ((first, second), (second, first))
        if piece.split == split and twin.split == "train"
    }
    return {
        "name": name,
        "digest": corpus.digest,
        "planes": sorted(corpus.planes),
        "grid": corpus.grid,
        "reading": READING,
        "leaks": len(leaky),
    }


def _score_floors(order: Mapping[str, Any], corpus: Corpus) -> dict[str, Any]:
    from zoo.measure.floors import floors, velocity_floors
    from zoo.registry import open_registry

    _check_name(FloorsCell(order["plane"], order["data"], order["split"]), order)
    registry, pieces, training = open_registry(), corpus.split(order["split"]), corpus.split("train")
    rows = floors(training, pieces, order["plane"], registry)
    if "velocity" in corpus.planes:
        rows += velocity_floors(training, corpus.split("valid"), pieces, registry)
    return {"floors": {row.label: row.evaluation.to_json() for row in rows}}


def _train(order: Mapping[str, Any], corpus: Corpus, folder: Path) -> dict[str, Any]:
    from zoo.measure import evaluate
    from zoo.model.build import build, term_parameter_count
    from zoo.train.fit import fit
    from zoo.train.lock import lock_folder
    from zoo.train.run import Run
    from zoo.train.settings import TrainSettings

    term, seed = order["term"], order["seed"]
    settings = TrainSettings(**order["train"])
    recipe = _recipe(order, settings).on_grid(corpus.grid)
    model = build(recipe, seed)
    # If another study is training the same cell, wait for it and use its training.
    with lock_folder(folder, patience=-1), _hint_to_remove(folder):
        run = Run(folder, fixed=True)
        parameters = term_parameter_count(model, term)
        known = {"learns": parameters > 0, "parameters": parameters, "parts": _versions(recipe)}
        try:
            result = fit(model, corpus, settings, run, seed=seed, resume=True)
        except NonFiniteError as error:
            # Divergence is a valid result: this learning rate is not chosen.
            messages = [str(problem) for problem in error.problems]
            curve = run.validations(term)
            return {**known, "evaluation": None, "validation": None, "curve": curve, "broke_off": messages}
        curve = run.validations(term)
    evaluation = evaluate(model, corpus.split(order["split"]), seed=seed)
    return {
        **known,
        "evaluation": evaluation.to_json(*SCORED[term]),
        "validation": result.best.get(term),
        "curve": curve,
        "steps": result.step,
        "seconds": round(result.seconds, 1),
        "device": model.device.type,
        "threads": result.threads,
    }


def _recipe(order: Mapping[str, Any], settings: TrainSettings) -> Recipe:
    from zoo.parts import Settings
    from zoo.registry import Recipe, open_registry, parse_recipe
    from zoo.registry.words import stored_words

    recipe = parse_recipe(stored_words(order["recipe"], order.get("files", {})), open_registry())
    isolated = Recipe(recipe.parts, keys=Settings())
    cell = Cell(order["term"], isolated, order["data"], order["split"], settings, order["seed"])
    _check_name(cell, order)
    return recipe


def _check_name(cell: Cell | FloorsCell, order: Mapping[str, Any]) -> None:
    """Check that this code computes what was ordered: the name depends on all versions that change a result.

    Raises:
        UsageError: it computes something else.
    """
    if cell.name != order["name"]:
        what = "the worker has another version of polyzoo or of a part, whose result would be another one"
        raise UsageError(Problem(what, order["name"], "install the same versions on all machines"))


@contextmanager
def _hint_to_remove(folder: Path) -> Iterator[None]:
    """Add a hint to the error of a damaged training, or one of other code: it can be removed and repeated."""
    try:
        yield
    except (BundleError, UsageError) as error:
        hint = f"move or remove the folder {folder}; the same command trains this cell again"
        raise type(error)(*(replace(problem, hint=hint) for problem in error.problems)) from error


def _versions(recipe: Recipe) -> dict[str, str]:
    return {slot: f"{c.entry.qualified} {c.entry.version}" for slot, c in recipe.parts.items()}


def made() -> dict[str, str]:
    """The provenance of a result: versions, machine and digest of the code."""
    import torch

    import zoo

    return {
        "polyzoo": zoo.__version__,
        "torch": torch.__version__.partition("+")[0],
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
        "code": _code(),
    }


PATIENCE = 5.0
"""Seconds that a worker has to save its training after its parent has gone."""


def _code() -> str:
    """Twelve hexadecimal digits, a digest of the code of the zoo and its plugins."""
    from importlib.util import find_spec

    specs = [find_spec(package) for package in ("zoo", "zoo_plugins")]
    folders = [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]
    files = sorted((file.relative_to(folder), file) for folder in folders for file in folder.rglob("*.py"))
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(name.as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _exit_with_parent() -> None:
    sys.stdin.read()
    _thread.interrupt_main()
    time.sleep(PATIENCE)
    os._exit(1)


def main() -> int:
    """Run the cell whose order is on standard input."""
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)  # what a part prints goes to standard error
        order = json.loads(sys.stdin.readline())
        threading.Thread(target=_exit_with_parent, daemon=True).start()
        try:
            result = do(order, Path(sys.argv[1]))
        except KeyboardInterrupt:
            return 130
        except BaseException as error:
            from zoo.registry.entry import plugin_error

            known_error = error if isinstance(error, ZooError) else plugin_error(error)
            if known_error is None:
                raise
            problems = [asdict(problem) for problem in known_error.problems]
            print(json.dumps({"problems": problems}), file=answer)
            return known_error.exit_code
        print(json.dumps(result, allow_nan=False), file=answer)
        return 0


if __name__ == "__main__":
    code = main()
    os._exit(code)  # do not wait for the thread that reads standard input
