"""The model card: a bundle's README, for the person who finds the folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CARD = """\
---
library_name: polyzoo
tags: [music, midi, symbolic-music]
---
# {words}

A model of polyphonic music, made with polyzoo {version} from these parts:

{parts}

It reads and generates music on a grid of {frames} frames per quarter note, keys {lowest} to {highest} (MIDI).
{trained}
## Use it

```console
$ pip install {distributions}
$ zoo generate . -o music.mid
```

```python
import zoo

zoo.load(".").generate(frames=256).write("music.mid")
```
{scores}
## What lies here

`config.json` says what the model is, `model.safetensors` holds its weights, `sample.mid` (if there is one) is
music it wrote, and `manifest.json` has a checksum of each of them. polyzoo refuses these files if they were
changed. This text may be edited.
"""


def card(config: Mapping[str, Any]) -> str:
    """The text of README.md from the content of config.json."""
    parts = config["parts"]
    grid = config["grid"]
    return CARD.format(
        words=config["words"],
        version=config["versions"]["polyzoo"],
        parts=_table(
            ("slot", "part", "version", "what it is", "parameters"),
            (
                (slot, part["name"], part["version"], part["summary"], f"{part['parameters']:,}")
                for slot, part in parts.items()
            ),
        ),
        frames=grid["frames_per_quarter"],
        lowest=grid["lowest_key"],
        highest=grid["lowest_key"] + grid["keys"] - 1,
        trained=_trained(config["data"], config["training"], parts),
        distributions=" ".join(sorted({"polyzoo", *(part["distribution"] for part in parts.values())})),
        scores=_scores(config["scores"]),
    )


def _trained(
    data: Mapping[str, Any] | None, training: Mapping[str, Any] | None, parts: Mapping[str, Any]
) -> str:
    taken = [(slot, part["source"], part["weights"]) for slot, part in parts.items() if part["source"]]
    if taken:
        table = _table(("slot", "weights from", "sha256 of its weights"), taken)
        return f"\n## Put together from trained parts\n\n{table}\n{_history(parts)}"
    if not data:
        return "\nNothing is on record of how it was trained, if it was.\n"
    # config.json lists every training piece, which is more than a reader of the card wants to know
    shown = {name: value for name, value in data.items() if name != "piece_digests"}
    rows = [*_flat(shown), *_flat(training or {})]
    return f"\n## Trained on\n\n{_table(('what', 'value'), rows)}\n{_history(parts)}"


def _history(parts: Mapping[str, Any]) -> str:
    """All music that each part was trained on; nothing where it is the same single corpus for all."""
    trained_on = {slot: part.get("trained_on", []) for slot, part in parts.items()}
    if len({tuple(music["digest"] for music in each) for each in trained_on.values()}) < 2 and all(
        len(each) < 2 for each in trained_on.values()
    ):
        return ""
    rows = [
        (slot, music["name"], music["digest"][:12]) for slot, each in trained_on.items() for music in each
    ]
    return f"\nEach part was trained on, oldest first:\n\n{_table(('slot', 'music', 'digest'), rows)}\n"


def _scores(scores: Mapping[str, Any] | None) -> str:
    if not scores:
        return ""
    return f"\n## Scores\n\nNats per frame, lower is better.\n\n{_table(('score', 'value'), _flat(scores))}\n"


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", f"{value:.5g}" if isinstance(value, float) else str(value)


def _table(heading: tuple[str, ...], rows: Any) -> str:
    """A Markdown table; a bar in a cell would end it."""
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
