"""Grids: the combinations that a study lists, slot by slot."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import Problem, UsageError, ZooError
from zoo.parts import SLOTS, Slot
from zoo.registry import Recipe, Registry, parse_recipe
from zoo.registry.registry import names_file


@dataclass(frozen=True)
class Combination:
    """One row of a table.

    Attributes:
        recipe: its five parts.
        labels: slot -> how the study writes the part, or the part's name where it leaves it open.
    """

    recipe: Recipe
    labels: Mapping[Slot, str]

    def called(self, slots: Sequence[Slot]) -> str:
        """What it is called among rows that differ in some slots: `onset lags`."""
        return " ".join(self.labels[slot] for slot in slots)


def combinations(grids: Any, registry: Registry, faults: list[ZooError]) -> Iterator[Combination]:
    """The rows that grids stand for, each once; what is wrong joins the faults."""
    if not (isinstance(grids, list) and all(isinstance(grid, dict) for grid in grids)):
        faults.append(UsageError(Problem("it takes tables", "grid", "write [[grid]]")))
        return
    seen = set()
    for grid in grids:
        for labels in _product(grid, faults):
            try:
                _refuse_unasked_files(labels, registry)
                recipe = parse_recipe(list(_words(labels)), registry)
            except ZooError as error:
                faults.append(error)
                continue
            if recipe.digest not in seen:
                seen.add(recipe.digest)
                known = {slot: choice.entry.portable for slot, choice in recipe.parts.items()}
                yield Combination(recipe, {**known, **labels})


def _refuse_unasked_files(labels: Mapping[Slot, str], registry: Registry) -> None:
    files = [f"{slot}={label}" for slot, label in labels.items() if names_file(label.split()[0])]
    absent = [file for file in files if not Path(file.partition("=")[2].split()[0]).exists()]
    if absent:
        raise UsageError(
            *(Problem("there is no such file", file, "name one that is there") for file in absent)
        )
    refused = [file for file in files if not registry.trusts(file.partition("=")[2].split()[0])]
    if refused:
        what, cure = "code in a file is run only if you name the file yourself", "add --local if you trust it"
        raise UsageError(*(Problem(what, file, cure) for file in refused))


def _product(grid: Mapping[str, Any], faults: list[ZooError]) -> Iterator[dict[Slot, str]]:
    """Every combination of what a grid lists for the slots."""
    lists: dict[Slot, list[str]] = {}
    for name, options in grid.items():
        slot = next((slot for slot in SLOTS if slot == name), None)
        options = [options] if isinstance(options, str) else options
        if slot is None:
            problem = Problem("there is no such slot", f"grid.{name}", f"the slots are {', '.join(SLOTS)}")
            faults.append(UsageError(problem))
        elif not (isinstance(options, list) and options and all(_is_label(one) for one in options)):
            cure = f'such as {name} = ["PART"]'
            faults.append(UsageError(Problem("it takes a list of parts", f"grid.{name}", cure)))
        else:
            lists[slot] = options
    ordered = [slot for slot in SLOTS if slot in lists]
    for chosen in itertools.product(*(lists[slot] for slot in ordered)):
        yield dict(zip(ordered, chosen, strict=True))


def _is_label(given: Any) -> bool:
    return isinstance(given, str) and bool(given.strip())


def _words(labels: Mapping[Slot, str]) -> Iterator[str]:
    """The words of a recipe from parts as a study writes them: `latency mix=false`."""
    for slot, label in labels.items():
        name, *settings = label.split()
        yield f"{slot}={name}"
        yield from (f"{slot}.{word}" for word in settings)
