"""The model card: the README of a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zoo.model.front_matter import front_matter
from zoo.model.provenance import LISTS
from zoo.registry.registry import names_file

CARD = """\
{front_matter}
# {words}

A model of polyphonic music, built with polyzoo {version} from these parts:

{parts}

It reads and generates music on a grid of {frames} frames per quarter note, keys {lowest} to {highest} (MIDI).
{trained}
## Usage

```console
$ pip install {packages}
$ zoo generate . -o music.mid{local}
```

A path stands for a copy of the sources; if your package index has the package, its name is enough.

```python
import zoo

zoo.load("."{consent}).generate(frames=256).write("music.mid")
```
{scores}
## Files

- `config.json`: the recipe and the training record
- `model.safetensors`: the weights
- `sample.mid` (optional): music that the model generated
- `manifest.json`: a checksum of each of these files

polyzoo does not load a bundle if one of these files was changed. This README may be edited.
"""

TERMS = """\
Nats per frame of validation pieces, lower is better. `validation` has the terms of the training: core
(codes), decoder (keys given the codes) and velocity; `validation_kinds` says which of them are exact, upper
bounds or estimates."""
SCORE = """
`validation_score` is the score of `zoo evaluate`: {terms}, without velocity."""


def card(config: Mapping[str, Any]) -> str:
    """The text of README.md, from the content of config.json."""
    parts = config["parts"]
    grid = config["grid"]
    files = any(names_file(part["name"]) for part in parts.values())
    return CARD.format(
        front_matter=front_matter(config),
        words=config["words"],
        version=config["versions"]["polyzoo"],
        parts=_table(
            ("slot", "part", "version", "summary", "parameters"),
            (
                (slot, part["name"], part["version"], part["summary"], f"{part['parameters']:,}")
                for slot, part in parts.items()
            ),
        ),
        frames=grid["frames_per_quarter"],
        lowest=grid["lowest_key"],
        highest=grid["lowest_key"] + grid["keys"] - 1,
        trained=_trained(config["data"], config["training"], parts),
        packages=" ".join(f"./{name}" for name in _packages(parts)),
        local=" --local    # runs the code of a part that is a file" if files else "",
        consent=", local=True" if files else "",
        scores=_scores(config["scores"]),
    )


def _packages(parts: Mapping[str, Any]) -> list[str]:
    """The distributions that the parts come from; a part that is a file of code has none."""
    packaged = {part["distribution"] for part in parts.values() if not names_file(part["name"])}
    return sorted({"polyzoo", *packaged})


def _trained(
    data: Mapping[str, Any] | None, training: Mapping[str, Any] | None, parts: Mapping[str, Any]
) -> str:
    taken = [(slot, part["source"], part["weights"]) for slot, part in parts.items() if part["source"]]
    if taken:
        table = _table(("slot", "weights from", "sha256 of the weights"), taken)
        return f"\n## Combined from trained parts\n\n{table}\n{_history(parts)}"
    if not data:
        return "\nThere is no record of any training.\n"
    # config.json lists the digest of every piece, too much for a card.
    shown = {name: value for name, value in data.items() if name not in LISTS}
    rows = [*_flat(shown), *_flat(training or {})]
    return f"\n## Training\n\n{_table(('setting', 'value'), rows)}\n{_history(parts)}"


def _history(parts: Mapping[str, Any]) -> str:
    """All music that each part was trained on; empty if it is a single corpus for all parts."""
    trained_on = {slot: part.get("trained_on", []) for slot, part in parts.items()}
    corpora = {tuple(music["digest"] for music in history) for history in trained_on.values()}
    if len(corpora) < 2 and all(len(history) < 2 for history in trained_on.values()):
        return ""
    rows = [
        (slot, music["name"], music["digest"][:12])
        for slot, history in trained_on.items()
        for music in history
    ]
    table = _table(("slot", "music", "digest"), rows)
    return f"\nThe music that each part was trained on, oldest first:\n\n{table}\n"


def _scores(scores: Mapping[str, Any] | None) -> str:
    rows = list(_flat(scores or {}))
    if not scores or not rows:  # nothing was validated
        return ""
    about = TERMS
    if score := scores.get("validation_score"):
        is_full = score.get("full_score", True)
        terms = "core, decoder and residual" if is_full else "core and decoder, as the music has no onsets"
        about += SCORE.format(terms=terms)
    return f"\n## Scores\n\n{about}\n\n{_table(('score', 'value'), rows)}\n"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:.5g}" if isinstance(value, float) else str(value)


def _table(heading: tuple[str, ...], rows: Any) -> str:
    """A Markdown table; text in cells stays in its cell and is no HTML."""
    lines = [heading, tuple("---" for _ in heading), *(map(_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """The text in one line, with the characters escaped that would end the cell or begin an HTML element."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")
