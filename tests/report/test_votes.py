"""Votes: strengths follow from preferences, and intervals from how many there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.errors import DataError
from zoo.report.votes import Vote, read_votes, standings


def votes(*ratings: dict[str, int], listener: str = "me", blind: bool = True) -> list[Vote]:
    """One group for each set of ratings."""
    return [
        Vote(listener, f"group {number}", name, name, rating, blind)
        for number, group in enumerate(ratings)
        for name, rating in group.items()
    ]


def strengths(found: list[Vote]) -> dict[str, float]:
    return {one.name: one.strength for one in standings(found)}


def test_the_one_rated_higher_is_stronger_and_the_sum_is_zero() -> None:
    found = standings(votes({"a": 5, "b": 3, "c": 1}, {"a": 4, "b": 4, "c": 2}))
    assert [one.name for one in found] == ["a", "b", "c"]
    assert sum(one.strength for one in found) == pytest.approx(0, abs=1e-9)
    assert [one.pairs for one in found] == [4, 4, 4]
    assert found[0].preferred > 0.5 > found[2].preferred


def test_equal_ratings_are_half_a_preference_each() -> None:
    found = standings(votes({"a": 3, "b": 3}, {"a": 1, "b": 1}))
    assert [one.strength for one in found] == pytest.approx([0, 0], abs=1e-9)
    assert [one.preferred for one in found] == pytest.approx([0.5, 0.5])


def test_two_models_stand_as_their_odds_say() -> None:
    ratings = [{"a": 5, "b": 1}] * 300 + [{"a": 1, "b": 5}] * 100
    found = strengths(votes(*ratings))
    assert found["a"] - found["b"] == pytest.approx(np.log(3), abs=0.02)


def test_true_strengths_lie_in_the_intervals() -> None:
    true = {"a": 1.0, "b": 0.0, "c": -1.0}
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(60):
        ratings = []
        for _ in range(40):
            one, two = rng.choice(list(true), 2, replace=False)
            won = rng.random() < 1 / (1 + np.exp(true[two] - true[one]))
            ratings.append({one: 4 if won else 2, two: 3})
        inside += [one.interval[0] < true[one.name] < one.interval[1] for one in standings(votes(*ratings))]
    assert 0.9 < np.mean(inside) < 0.99


def test_more_votes_narrow_the_interval_and_more_pieces_of_one_order_do_not_as_much() -> None:
    def width(found: list[Vote]) -> float:
        low, high = standings(found)[0].interval
        return high - low

    few, many = (
        votes(*[{"a": 4, "b": 2}, {"a": 2, "b": 4}] * 2),
        votes(*[{"a": 4, "b": 2}, {"a": 2, "b": 4}] * 8),
    )
    assert width(many) == pytest.approx(width(few) / 2, rel=0.2)
    assert all(np.isfinite(one.strength) for one in standings(votes({"a": 5, "b": 1})))


def test_only_pieces_of_one_listener_and_group_are_compared() -> None:
    apart = [Vote("me", "one", "a", "a", 5, True), Vote("me", "two", "b", "b", 1, True)]
    assert standings(apart) == []
    assert standings([apart[0], Vote("you", "one", "b", "b", 1, True)]) == []


def test_people_stand_together_and_two_models_of_one_name_apart() -> None:
    found = [
        Vote("me", "g", "bwv 1", "human", 5, True),
        Vote("me", "g", "run", "0123456789ab", 3, True),
        Vote("me", "h", "bwv 2", "human", 4, True),
        Vote("me", "h", "run", "ba9876543210", 1, True),
    ]
    assert sorted(strengths(found)) == ["human", "run 01234567", "run ba987654"]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rated = [("a", "aa", 4, True), ("b", "bb", 2, True), ("c", "cc", 5, False)]
    kept = [
        {
            "piece": n,
            "group": "g",
            "name": name,
            "model": model,
            "rating": rating,
            "blind": blind,
            "at": "now",
        }
        for n, (name, model, rating, blind) in enumerate(rated)
    ]
    models = {"a": {"value": 3.25, "kind": "exact"}}
    Path("votes.json").write_text(json.dumps({"format": 1, "page": "0", "models": models, "votes": kept}))
    return tmp_path


def test_the_command_ranks_what_was_rated_blind(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["votes", "votes.json"]) == 0
    out = capsys.readouterr().out
    assert "2 ratings of 1 listener; 1 that were not blind are left out" in out
    assert out.index("\n a ") < out.index("\n b ")
    assert "3.250" in out
    assert run(["votes", "votes.json", "--all", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in told["models"]] == ["c", "a", "b"]
    assert told["models"][1]["score"]["value"] == 3.25
    assert (told["ratings"], told["left_out"], told["listeners"]) == (3, 0, 1)


def test_votes_that_compare_nothing_are_refused(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(Path("votes.json").read_text())
    content["votes"] = content["votes"][1:]
    Path("votes.json").write_text(json.dumps(content))
    assert run(["votes", "votes.json"]) == 3
    assert "votes.json: no two pieces of one group were rated blind (1 were not)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"votes": 3},
        {"votes": [{"rating": 3}]},
        {"models": None},
        {"format": "x"},
        {"votes": [{"group": "g", "name": "a", "model": "b", "rating": 9, "blind": True}]},
        {"votes": [{"group": "g", "name": "a", "model": None, "rating": 3, "blind": True}]},
    ],
)
def test_what_is_no_file_of_votes_is_refused(saved: Path, change: dict[str, Any]) -> None:
    content = json.loads(Path("votes.json").read_text()) | change
    Path("votes.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="holds no votes"):
        read_votes("votes.json")


def test_votes_of_a_newer_page_and_missing_ones_are_refused(saved: Path) -> None:
    Path("newer.json").write_text('{"format": 2}')
    with pytest.raises(DataError, match="newer polyzoo"):
        read_votes("newer.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_votes("missing.json")
