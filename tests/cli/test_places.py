"""`--data NAME=PATH` says where music is on this machine."""

from __future__ import annotations

import pytest

from zoo.cli.places import named_places
from zoo.errors import UsageError


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (["a=/x"], {"a": "/x", "a=b": "a=b"}),
        (["a=b=/x"], {"a": "a", "a=b": "/x"}),
        (["a=b=/x", "a=/y=z"], {"a": "/y=z", "a=b": "/x"}),
        (["a=b"], {"a": "b", "a=b": "a=b"}),
        (["a=b="], {"a": "b=", "a=b": "a=b"}),
    ],
)
def test_longest_matching_name_gets_the_path(given: list[str], places: dict[str, str]) -> None:
    assert named_places(["a", "a=b"], given, "the study") == places


@pytest.mark.parametrize("word", ["songs", "songs="])
def test_name_without_a_path_is_an_error(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        named_places(["songs"], [word], "the study")
    (problem,) = caught.value.problems
    assert (problem.what, problem.where) == ("has no path", f"--data {word}")
    assert "--data songs=PATH" in problem.hint


def test_unknown_dataset_is_an_error() -> None:
    with pytest.raises(UsageError, match="is not music of the study"):
        named_places(["songs"], ["sons=/x"], "the study")
