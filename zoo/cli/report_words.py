"""The arguments of `zoo report`: models, runs, music, studies and results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import Problem, UsageError


@dataclass
class Named:
    """The arguments of the command by kind, in the order given.

    Attributes:
        bundles: name -> folder of a bundle.
        runs: name -> folder of a run.
        music: MIDI files.
        studies: files of studies.
        results: files of JSON.
    """

    bundles: dict[str, Path] = field(default_factory=dict)
    runs: dict[str, Path] = field(default_factory=dict)
    music: list[Path] = field(default_factory=list)
    studies: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)


def find_named(words: Sequence[str]) -> Named:
    """The words by what they are.

    Raises:
        UsageError: some are nothing that a report can show; all of them.
    """
    from zoo.model.pretrained import RECIPE, bundle_folder, is_bundle
    from zoo.music.listing import is_midi_name

    named, problems = Named(), []
    for word in dict.fromkeys(words):
        path = Path(word)
        if is_bundle(word):
            named.bundles[word] = bundle_folder(word)
        if (path / RECIPE).is_file():
            named.runs[word] = path
        elif word in named.bundles:
            continue
        elif path.is_file() and is_midi_name(path):
            named.music.append(path)
        elif path.is_file() and path.suffix in (".toml", ".json"):
            (named.studies if path.suffix == ".toml" else named.results).append(path)
        else:
            problems.append(_strange(word, path))
    if problems:
        raise UsageError(*problems)
    return named


def _strange(word: str, path: Path) -> Problem:
    hint = "name a bundle, a run, a MIDI file, a study (.toml) or results (.json)"
    if not path.exists():
        return Problem("there is no bundle, run or file of this name", word, hint)
    if path.is_dir():
        return Problem("this folder is neither a bundle nor a run", word, hint)
    return Problem("a report cannot show this file", word, hint)
