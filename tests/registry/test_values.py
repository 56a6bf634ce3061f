from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from pydantic.fields import FieldInfo

from zoo.registry.fields import allowed, choices
from zoo.registry.values import read_value, write_value

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(numbers)
def test_numbers_survive(value: float) -> None:
    assert read_value(write_value(value), type(value)) == value


@given(st.text())
def test_texts_survive(value: str) -> None:
    assert read_value(write_value(value), str) == value


@given(st.lists(st.text(min_size=1)))
def test_lists_of_texts_survive(value: list[str]) -> None:
    assert read_value(write_value(value), tuple[str, ...]) == value


@given(st.lists(numbers))
def test_lists_of_numbers_survive(value: list[float]) -> None:
    assert read_value(write_value(value), list[float]) == value


@given(st.text(), st.sampled_from([int, float, bool, str, int | None, tuple[int, ...], Literal["a", 3]]))
def test_any_text_can_be_read(text: str, kind: Any) -> None:
    read_value(text, kind)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3", int, 3),
        ("3", float, 3),
        ("3", str, "3"),
        ("3", Literal["3", 4], "3"),
        ("4", Literal["3", 4], 4),
        ("1_000", int, 1000),
        (".5", float, 0.5),
        ("-1.e3", float, -1000.0),
        (".5", int, ".5"),
        ("true", bool, True),
        ("yes", bool, "yes"),
        ("none", int | None, None),
        ("none", str, "none"),
        ('"none"', str | None, "none"),
        ("1,2", tuple[int, ...], [1, 2]),
        ("[1, 2]", tuple[int, ...], [1, 2]),
        ("", tuple[int, ...], []),
        ("1", tuple[int, ...], [1]),
        ("a,'b,c'", list[str], ["a", "b,c"]),
        ("2020-01-01", int, "2020-01-01"),
        ("1\nx = 2", int, "1\nx = 2"),
    ],
)
def test_reading(text: str, kind: Any, value: Any) -> None:
    result = read_value(text, kind)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "bounds", "words"),
    [
        (int, {"ge": 1, "le": 9}, "a whole number from 1 to 9"),
        (float, {"gt": 0, "lt": 1}, "a number above 0, below 1"),
        (float | None, {"ge": 0}, "a number of at least 0 or none"),
        (int, {"multiple_of": 4}, "a whole number divisible by 4"),
        (bool, {}, "true or false"),
        (str, {"max_length": 3}, "a string at most 3 long"),
        (Literal["a", "b"], {}, "one of a, b"),
        (
            tuple[Annotated[int, Field(ge=1)], ...],
            {"min_length": 1},
            "a comma-separated list, each item a whole number of at least 1, at least 1 long",
        ),
    ],
)
def test_allowed_values_in_words(kind: Any, bounds: dict[str, Any], words: str) -> None:
    field = FieldInfo.from_annotation(Annotated[kind, Field(**bounds)])
    assert allowed(field) == words


def test_choices() -> None:
    assert choices(FieldInfo.from_annotation(Literal["a", "b c"] | None)) == ["a", '"b c"', "none"]
    assert choices(FieldInfo.from_annotation(bool)) == ["true", "false"]
    assert choices(FieldInfo.from_annotation(int)) == []
