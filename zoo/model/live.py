"""Live settings: settings that can be changed on a trained model without changing its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.errors import Problem, UsageError
from zoo.model.model import Model
from zoo.parts import SLOTS, Settings
from zoo.parts.interfaces import Part
from zoo.registry.fields import Checked, check, live
from zoo.registry.hints import closest
from zoo.registry.values import read_value


def set_live(model: Model, words: Iterable[str]) -> dict[str, Any]:
    """Change live settings of a model's parts.

    Args:
        model: a model, trained or not.
        words: `slot.setting=value`, as typed.

    Returns:
        The changed settings with their new values, such as `{"sampler.paths": 64}`.

    Raises:
        UsageError: a word does not name a live setting, or its value is invalid; holds all problems, and
            nothing is changed.
    """
    wanted: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    for word in words:
        slot, _, name = word.partition("=")[0].partition(".")
        refusal = _refusal(model, slot, name, word)
        if refusal is None and name in wanted.get(slot, {}):
            refusal = Problem(f"{slot}.{name} is given twice", word, "keep one of them")
        if refusal is None:
            wanted.setdefault(slot, {})[name] = word
        else:
            problems.append(refusal)
    checked = {slot: _checked(_settings(model, slot), slot, given) for slot, given in wanted.items()}
    problems += [problem for result in checked.values() for problem in result.problems]
    if problems:
        raise UsageError(*problems)
    for slot, result in checked.items():
        model.get_submodule(slot).settings = result.settings
    return {
        f"{slot}.{name}": getattr(checked[slot].settings, name) for slot in wanted for name in wanted[slot]
    }


def live_settings(model: Model) -> list[str]:
    """The live settings of a model's parts, such as `sampler.paths`."""
    return [
        f"{slot}.{name}"
        for slot in SLOTS
        for name, field in type(_settings(model, slot)).model_fields.items()
        if live(field)
    ]


def _settings(model: Model, slot: str) -> Settings:
    part = model.get_submodule(slot)
    assert isinstance(part, Part)
    settings: Settings = part.settings
    return settings


def _refusal(model: Model, slot: str, name: str, word: str) -> Problem | None:
    """Why a word does not name a live setting; None if it does."""
    allowed = live_settings(model)
    hint = f"the live settings are {', '.join(allowed)}" if allowed else "this model has no live settings"
    if slot not in SLOTS:
        return Problem("not a setting of a part", word, hint)
    if not name:
        return Problem("a trained model keeps its parts", word, "evaluate a model with that recipe instead")
    if name not in type(_settings(model, slot)).model_fields:
        near = closest(f"{slot}.{name}", allowed)
        return Problem(f"the {slot} has no such setting", word, f"did you mean {near}" if near else hint)
    if f"{slot}.{name}" not in allowed:
        return Problem("this setting cannot be changed after training", word, hint)
    return None


def _checked(before: Settings, slot: str, words: Mapping[str, str]) -> Checked:
    """The settings of a part with those in the words replaced."""
    fields = type(before).model_fields
    given = {
        name: read_value(word.partition("=")[2], fields[name].annotation) for name, word in words.items()
    }
    return check(type(before), {**before.model_dump(mode="json"), **given}, slot, words)
