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
        labels: slot -> the part as the study writes it, or its name if the study does not mention the slot.
    """

    recipe: Recipe
    labels: Mapping[Slot, str]

    def label_for(self, slots: Sequence[Slot]) -> str:
        """The labels of the given slots: `onset lags`."""
        return " ".join(self.labels[slot] for slot in slots)


def combinations(grids: Any, registry: Registry, faults: list[ZooError]) -> Iterator[Combination]:
    """The rows that grids expand to, without duplicates; errors are appended to `faults`."""
    if not (isinstance(grids, list) and all(isinstance(grid, dict) for grid in grids)):
        faults.append(UsageError(Problem("must be an array of tables", "grid", "write [[grid]]")))
        return
    seen = set()
    for grid in grids:
        for labels in _product(grid, faults):
            try:
                _refuse_untrusted_files(labels, registry)
                recipe = parse_recipe(list(_words(labels)), registry)
            except ZooError as error:
                faults.append(error)
                continue
            if recipe.digest not in seen:
                seen.add(recipe.digest)
                names = {slot: choice.entry.portable for slot, choice in recipe.parts.items()}
                yield Combination(recipe, {**names, **labels})


def _refuse_untrusted_files(labels: Mapping[Slot, str], registry: Registry) -> None:
    # A study may come from someone else: naming it on the command line does not trust the code it names.
    files = [f"{slot}={label}" for slot, label in labels.items() if names_file(label.split()[0])]
    absent = [file for file in files if not Path(file.partition("=")[2].split()[0]).exists()]
    if absent:
        raise UsageError(*(Problem("this file does not exist", file, "check the path") for file in absent))
    refused = [file for file in files if not registry.trusts(file.partition("=")[2].split()[0])]
    if refused:
        what = "code in a file is run only if you name the file yourself"
        hint = "add --local if you trust it"
        raise UsageError(*(Problem(what, file, hint) for file in refused))


def _product(grid: Mapping[str, Any], faults: list[ZooError]) -> Iterator[dict[Slot, str]]:
    """The Cartesian product of the parts that a grid lists for each slot."""
    lists: dict[Slot, list[str]] = {}
    for name, options in grid.items():
        slot = next((slot for slot in SLOTS if slot == name), None)
        options = [options] if isinstance(options, str) else options
        if slot is None:
            problem = Problem("unknown slot", f"grid.{name}", f"the slots are {', '.join(SLOTS)}")
            faults.append(UsageError(problem))
        elif not (isinstance(options, list) and options and all(map(_is_label, options))):
            hint = f'for example {name} = ["PART"]'
            faults.append(UsageError(Problem("must be a list of parts", f"grid.{name}", hint)))
        else:
            lists[slot] = options
    ordered = [slot for slot in SLOTS if slot in lists]
    for chosen in itertools.product(*(lists[slot] for slot in ordered)):
        yield dict(zip(ordered, chosen, strict=True))


def _is_label(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _words(labels: Mapping[Slot, str]) -> Iterator[str]:
    """The words of a recipe from labels such as `latency mix=false`."""
    for slot, label in labels.items():
        name, *settings = label.split()
        yield f"{slot}={name}"
        yield from (f"{slot}.{word}" for word in settings)
