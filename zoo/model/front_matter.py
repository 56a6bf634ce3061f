"""The YAML front matter of a model card, as the Hugging Face Hub reads it: tags, datasets and metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

TAGS = ("music", "midi", "symbolic-music", "polyphonic", "music-generation")
METRIC = "nats-per-frame"


def front_matter(config: Mapping[str, Any]) -> str:
    """The front matter from the content of config.json; strings are JSON, which YAML includes.

    A license is not known here: the training record has none. `zoo push --license` adds it.
    """
    music = list(_music(config))
    lines = [
        "---",
        "library_name: polyzoo",
        f"tags: {_yaml(TAGS)}",
        *([f"datasets: {_yaml(music)}"] if music else []),
        *_model_index(config),
        "---",
    ]
    return "\n".join(lines)


def _music(config: Mapping[str, Any]) -> Iterator[str]:
    """The names of all music that the parts were trained on, without duplicates."""
    trained_on = (
        music for part in config["parts"].values() for music in part.get("trained_on", []) if music["digest"]
    )
    names = [music["name"] for music in trained_on] or [(config["data"] or {}).get("name")]
    yield from dict.fromkeys(filter(None, names))


def _model_index(config: Mapping[str, Any]) -> Iterator[str]:
    """The score on the validation pieces: its value, kind and interval."""
    data, scores = config["data"] or {}, config["scores"] or {}
    score = scores.get("validation_score")
    if not score or "name" not in data:
        return
    arguments = {"kind": score["kind"], "interval_95": score["interval"], "pieces": score["pieces"]}
    if not score.get("full_score", True):
        arguments["terms"] = "the keys alone, since the music has no onsets"
    yield from (
        "model-index:",
        f"- name: {_yaml(config['words'])}",
        "  results:",
        "  - task: {type: music-generation, name: Polyphonic music modeling}",
        f"    dataset: {_yaml({'name': data['name'], 'type': data['name'], 'split': 'validation'})}",
        "    metrics:",
        f"    - type: {METRIC}",
        "      name: Nats per frame (lower is better)",
        f"      value: {_yaml(round(score['nats'], 4))}",
        f"      args: {_yaml(arguments)}",
    )


def _yaml(value: Any) -> str:
    """A value as JSON that YAML reads as well.

    YAML would read the two escapes of a character beyond 16 bits as two, and refuses bare DEL.
    """
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if " " <= char <= "~" or char > "\uffff" else f"\\u{ord(char):04x}" for char in text)
