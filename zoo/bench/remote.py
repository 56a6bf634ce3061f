"""What runners on other machines share: run a cell where a worker was started, and send its result back.

Results and errors travel as plain values, so that a worker with another version of polyzoo or Python can
still report what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from zoo.bench.local import CellFailed, Process, run_process
from zoo.data.known import known
from zoo.errors import Problem, ZooError


def with_absolute_place(order: Mapping[str, Any]) -> dict[str, Any]:
    """The order with an absolute path of its music; names of datasets stay.

    Relative paths refer to the current folder, and a worker has another.
    """
    place = Path(order["place"])
    is_path = place.exists() and order["place"] not in {corpus.name for corpus in known()}
    return {**order, "place": str(place.resolve()) if is_path else order["place"]}


def run_on_worker(
    order: dict[str, Any], work: str, here: str, watch: Callable[[Process], None] | None = None
) -> dict[str, Any]:
    """Run a cell in a process of its own, on the worker's machine.

    Args:
        order: from `with_absolute_place`.
        work: folder for the trainings.
        here: folder to which relative paths of code files refer, if it exists on this machine.
        watch: as in `zoo.bench.local.run_process`.
    """
    place = Path(here) if Path(here).is_dir() else None
    try:
        return {"result": run_process(order, Path(work) / order["training"], watch, place)}
    except ZooError as error:
        problems = [(problem.what, problem.where, problem.hint) for problem in error.problems]
        return {"problems": problems, "killed": isinstance(error, CellFailed) and error.killed}


def settle(answer: Future[dict[str, Any]], reply: Mapping[str, Any]) -> None:
    """Set the result of a cell, or its `CellFailed`, from the reply of `run_on_worker`."""
    if "result" in reply:
        answer.set_result(reply["result"])
    else:
        problems = (Problem(*problem) for problem in reply["problems"])
        answer.set_exception(CellFailed(*problems, killed=reply["killed"]))


def settle_lost(answer: Future[dict[str, Any]], what: str, name: str) -> None:
    """Set the `CellFailed` of a cell whose worker was lost; it may be tried again."""
    answer.set_exception(CellFailed(Problem(what, name), killed=True))
