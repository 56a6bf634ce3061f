"""The values of a setting to search: a range of numbers, or a list of choices.

train.lr=1e-4..1e-2:log     numbers from 0.0001 to 0.01, evenly on a logarithmic scale
attention.size=64..256      whole numbers, because the setting takes whole numbers
decoder=lstm,rbm            one of these
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic.fields import FieldInfo

from zoo.errors import Problem
from zoo.registry.fields import allowed, choices
from zoo.registry.values import item_kind, members, write_value
from zoo.registry.words import Word

if TYPE_CHECKING:
    from optuna.trial import Trial

RANGE = re.compile(r"(?P<low>.*?)\.\.(?P<high>[^:]*)(:(?P<scale>.*))?")
SCALE = "log"
DIGITS = 4
"""Significant digits of numbers that are drawn from a range, so that a recipe stays readable."""


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included.

    Attributes:
        low: the lower bound.
        high: the upper bound.
        log: whether numbers are drawn evenly on a logarithmic scale.
        whole: whether only whole numbers are drawn.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def examples(self) -> tuple[str, ...]:
        """The bounds, as typed in a recipe; if both are valid, so is the whole range."""
        return self._text(self.low), self._text(self.high)

    def suggest(self, trial: Trial, name: str) -> str:
        """Draw the value of a trial, as typed in a recipe."""
        if self.whole:
            return self._text(trial.suggest_int(name, int(self.low), int(self.high), log=self.log))
        drawn = float(f"{trial.suggest_float(name, self.low, self.high, log=self.log):.{DIGITS}g}")
        return self._text(min(max(drawn, self.low), self.high))

    def contains(self, text: str) -> bool:
        """Whether a value is one that can be drawn."""
        number = _number(text, self.whole)
        return number is not None and self.low <= number <= self.high

    def _text(self, number: float) -> str:
        return write_value(int(number) if self.whole else float(number))


@dataclass(frozen=True)
class Choices:
    """A list of values.

    Attributes:
        examples: all of them, as typed in a recipe.
    """

    examples: tuple[str, ...]

    def suggest(self, trial: Trial, name: str) -> str:
        """Draw the value of a trial, as typed in a recipe."""
        return str(trial.suggest_categorical(name, self.examples))

    def contains(self, text: str) -> bool:
        """Whether a value is one that can be drawn."""
        return text in self.examples


Values = Range | Choices


def values_of_part(word: Word) -> Values | Problem | None:
    """The parts to choose from in a word such as `decoder=lstm,rbm`; None if it names one part."""
    return _choices(word) if "," in word.text else None


def values_of_setting(word: Word, fields: Sequence[FieldInfo]) -> Values | Problem | None:
    """The values of a setting to search.

    Args:
        word: the word, such as `train.lr=1e-4..1e-2:log`.
        fields: the setting, in each part that has it.

    Returns:
        The values; the problem if they cannot be read; None if the word is a single value. A list, or a
        string, is always a single value.
    """
    kinds = {kind for field in fields for kind in members(field.annotation)}
    if not kinds or str in kinds or any(item_kind(kind) is not None for kind in kinds):
        return None
    if ".." in word.text:
        if not kinds & {int, float}:
            hint = f"list values instead: {word.key}={','.join(choices(fields[0]))}"
            return Problem(
                f"a range needs a number, but this setting takes {allowed(fields[0])}", str(word), hint
            )
        is_whole = any(float not in members(field.annotation) for field in fields)
        return _range(word, is_whole)
    return _choices(word) if "," in word.text else None


def _choices(word: Word) -> Choices | Problem:
    texts = [text.strip() for text in word.text.split(",")]
    if not all(texts) or len(set(texts)) < len(texts):
        unique = ",".join(dict.fromkeys(filter(None, texts)))
        hint = f"separate different values with commas: {shlex.quote(f'{word.key}={unique}')}"
        return Problem("a value is missing or given twice", str(word), hint)
    return Choices(tuple(texts))


def _range(word: Word, whole: bool) -> Range | Problem:
    match = RANGE.fullmatch(word.text)
    assert match is not None
    example = f"write a range as {word.key}=LOW..HIGH, or {word.key}=LOW..HIGH:{SCALE}"
    low, high = (_number(match[name], whole) for name in ("low", "high"))
    if low is None or high is None:
        return Problem(
            f"the bounds of a range must be {'whole ' if whole else ''}numbers", str(word), example
        )
    if match["scale"] not in (None, SCALE):
        return Problem(f"unknown scale {match['scale']}", str(word), f"use {SCALE}, or leave it out")
    if low >= high:
        return Problem("the first bound must be below the second", str(word), example)
    if match["scale"] and low <= 0:
        return Problem("a logarithmic range must begin above 0", str(word), "raise its first bound")
    return Range(low, high, match["scale"] is not None, whole)


def _number(text: str, whole: bool) -> float | None:
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


FIXED = ("minutes", "epochs", "steps", "validate_every", "validate_frames", "device", "threads", "tracker")
"""Training settings that are the same in all trials: the budget, how trials are scored, and the machine."""


def live_problem(word: Word) -> Problem:
    """The problem with searching a setting that changes how the same model is scored."""
    what = "this setting changes how a model is scored, not the model, so trials cannot be compared by it"
    return Problem(what, str(word), "choose one value")


def fixed_problem(word: Word) -> Problem:
    """The problem with searching a setting that must be the same in all trials."""
    hint = "choose one value"
    return Problem(
        "this setting must be the same in all trials, so that scores are comparable", str(word), hint
    )
