"""Ranges and lists of values, as they are typed."""

from __future__ import annotations

from typing import Any, Literal

import optuna
import pytest

from zoo.errors import Problem
from zoo.parts import Settings, setting
from zoo.registry.words import Word
from zoo.search.values import Choices, Range, values_of_part, values_of_setting


class Toy(Settings):
    size: int = setting(8, "size", ge=1, le=64)
    rate: float | None = setting(None, "rate", gt=0, le=1)
    kind: Literal["plain", "wide"] = setting("plain", "kind")
    lags: list[int] = setting([1, 2], "lags")
    name: str = setting("", "name")


def read(name: str, text: str) -> Any:
    return values_of_setting(Word(f"attention.{name}", text), [Toy.model_fields[name]])


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("size", "4..16", Range(4, 16, whole=True)),
        ("size", "4..16:log", Range(4, 16, log=True, whole=True)),
        ("size", "4,8,16", Choices(("4", "8", "16"))),
        ("size", "4", None),
        ("rate", "1e-4..1e-2:log", Range(1e-4, 1e-2, log=True)),
        ("rate", "0.1..0.5", Range(0.1, 0.5)),
        ("rate", ".1...5", Range(0.1, 0.5)),
        ("rate", "none,0.1", Choices(("none", "0.1"))),
        ("kind", "plain,wide", Choices(("plain", "wide"))),
        ("lags", "1,2,4", None),
        ("name", "a,b", None),
        ("name", "../music", None),
    ],
)
def test_values_are_read_by_the_type_of_the_setting(name: str, text: str, values: object) -> None:
    assert read(name, text) == values


@pytest.mark.parametrize(
    ("name", "text", "what", "hint"),
    [
        ("size", "4..4", "the first bound must be below the second", "attention.size=LOW..HIGH"),
        ("size", "4.5..8", "the bounds of a range must be whole numbers", "attention.size=LOW..HIGH"),
        ("rate", "a..b", "the bounds of a range must be numbers", "attention.rate=LOW..HIGH"),
        ("rate", "0.1..inf", "the bounds of a range must be numbers", "attention.rate=LOW..HIGH"),
        ("rate", "0..1:log", "a logarithmic range must begin above 0", "raise its first bound"),
        ("rate", "0.1..1:lin", "unknown scale lin", "use log"),
        ("kind", "plain..wide", "a range needs a number", "attention.kind=plain,wide"),
        ("size", "4,,8", "a value is missing or given twice", "attention.size=4,8"),
        ("size", "4,8,4", "a value is missing or given twice", "attention.size=4,8"),
    ],
)
def test_mistakes_are_explained(name: str, text: str, what: str, hint: str) -> None:
    problem = read(name, text)
    assert isinstance(problem, Problem)
    assert what in problem.what
    assert hint in problem.hint
    assert problem.where == f"attention.{name}={text}"


def test_parts_are_listed_with_commas() -> None:
    assert values_of_part(Word("decoder", "lstm,rbm")) == Choices(("lstm", "rbm"))
    assert values_of_part(Word("decoder", "lstm")) is None
    assert isinstance(values_of_part(Word("decoder", "lstm,")), Problem)


def test_drawn_numbers_are_readable_and_within_the_bounds() -> None:
    low, high = 0.00123412, 0.00123567
    trial = optuna.trial.FixedTrial({"x": low, "y": 0.123456789})
    assert Range(low, high).suggest(trial, "x") == "0.00123412"
    assert Range(0.1, 1.0).suggest(trial, "y") == "0.1235"
    assert Range(0.1, 1.0).examples == ("0.1", "1.0")


def test_whole_numbers_are_written_as_such() -> None:
    values = Range(4, 64, log=True, whole=True)
    assert values.suggest(optuna.trial.FixedTrial({"x": 17}), "x") == "17"
    assert values.examples == ("4", "64")
