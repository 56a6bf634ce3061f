"""`--data NAME=PATH`: where the music of a study or of submissions is on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from typing import Any

import click

from zoo.errors import Problem, UsageError


def data_option(owner: str) -> Callable[[Any], Any]:
    """The option `--data`, which may be repeated.

    Args:
        owner: whose music it is, for the help text, such as `the study`.
    """
    help = f"Path of music of {owner} on this machine."
    return click.option("--data", "places", multiple=True, metavar="NAME=PATH", help=help)


def named_places(
    names: Iterable[str], given: Iterable[str], owner: str, *, from_others: bool = False
) -> dict[str, str]:
    """The path of each dataset: as given by `--data`, or else its name.

    Args:
        names: the datasets.
        given: the values of `--data`.
        owner: whose music it is, for error messages, such as `the study`.
        from_others: whether files of others contain the names: one that is not of a known corpus then has a
            path only if `--data` gives one.

    Raises:
        UsageError: a value is not `NAME=PATH`, or names other music.
    """
    from zoo.data.opening import is_named
    from zoo.registry.words import not_text

    places = {name: name for name in names}
    unplaced = {name for name in places if from_others and not is_named(name)}
    problems = []
    for word in given:
        if invalid := not_text(word, f"--data {word}"):
            problems += invalid
            continue
        # A name may contain "=" itself, so take the longest name that leaves a path.
        named = (name for name in places if word.startswith(f"{name}=") and word != f"{name}=")
        name = max(named, key=len, default="")
        if name:
            places[name] = word[len(name) + 1 :]
            unplaced.discard(name)
        elif (name := word.removesuffix("=")) in places:
            hint = f"write --data {shlex.quote(f'{name}=PATH')}"
            problems.append(Problem("has no path", f"--data {word}", hint))
        else:
            hint = f"the names of this music are {', '.join(places)}" if places else ""
            problems.append(Problem(f"is not music of {owner}", f"--data {word}", hint))
    if problems:
        raise UsageError(*problems)
    return {name: place for name, place in places.items() if name not in unplaced}
