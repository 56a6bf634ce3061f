"""Votes: strengths, their intervals, and the command that prints them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.errors import DataError
from zoo.report.votes import Vote, read_all_votes, read_votes, standings


def votes(*ratings: dict[str, int], listener: str = "me", blind: bool = True) -> list[Vote]:
    """Make votes with one group for each set of ratings."""
    return [
        Vote(listener, f"group {number}", name, name, rating, blind)
        for number, group in enumerate(ratings)
        for name, rating in group.items()
    ]


def strengths(cast: list[Vote]) -> dict[str, float]:
    return {model.name: model.strength for model in standings(cast)}


def test_the_higher_rated_model_is_stronger_and_strengths_sum_to_zero() -> None:
    ranking = standings(votes({"a": 5, "b": 3, "c": 1}, {"a": 4, "b": 4, "c": 2}))
    assert [model.name for model in ranking] == ["a", "b", "c"]
    assert sum(model.strength for model in ranking) == pytest.approx(0, abs=1e-9)
    assert [model.pairs for model in ranking] == [4, 4, 4]
    assert ranking[0].preferred > 0.5 > ranking[2].preferred


def test_a_tie_is_half_a_preference_for_each() -> None:
    ranking = standings(votes({"a": 3, "b": 3}, {"a": 1, "b": 1}))
    assert [model.strength for model in ranking] == pytest.approx([0, 0], abs=1e-9)
    assert [model.preferred for model in ranking] == pytest.approx([0.5, 0.5])


def test_the_difference_of_strengths_is_the_log_odds() -> None:
    ratings = [{"a": 5, "b": 1}] * 300 + [{"a": 1, "b": 5}] * 100
    strength = strengths(votes(*ratings))
    assert strength["a"] - strength["b"] == pytest.approx(np.log(3), abs=0.02)


def test_a_model_that_is_named_human_is_not_ranked_as_human_pieces() -> None:
    cast = [
        Vote("me", "g", "Bourree", "human", 1, True),
        Vote("me", "g", "human", "0123456789ab", 5, True),
    ]
    assert [model.name for model in standings(cast)] == ["human 01234567", "human"]


def test_intervals_cover_the_true_strengths() -> None:
    true = {"a": 1.0, "b": 0.0, "c": -1.0}
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        ratings = []
        for _ in range(40):
            first, second = rng.choice(list(true), 2, replace=False)
            first_wins = rng.random() < 1 / (1 + np.exp(true[second] - true[first]))
            ratings.append({first: 4 if first_wins else 2, second: 3})
        for model in standings(votes(*ratings)):
            low, high = model.interval
            covered.append(low < true[model.name] < high)
    assert 0.9 < np.mean(covered) < 0.99


def test_more_votes_give_narrower_intervals() -> None:
    def width(cast: list[Vote]) -> float:
        low, high = standings(cast)[0].interval
        return high - low

    few, many = (
        votes(*[{"a": 4, "b": 2}, {"a": 2, "b": 4}] * 2),
        votes(*[{"a": 4, "b": 2}, {"a": 2, "b": 4}] * 8),
    )
    assert width(many) == pytest.approx(width(few) / 2, rel=0.2)
    assert all(np.isfinite(model.strength) for model in standings(votes({"a": 5, "b": 1})))


def test_a_model_that_was_not_compared_changes_nothing() -> None:
    compared = votes(*[{"a": 5, "b": 3}] * 8, {"a": 2, "b": 4})
    alone = Vote("me", "another group", "c", "c", 5, True)
    scores = {("a", "a"): {"music": "bach"}, ("b", "b"): {"music": "bach"}, ("c", "c"): {"music": "pop"}}
    assert standings([alone, *compared], scores) == standings(compared, scores)
    assert all(model.score for model in standings([alone, *compared], scores))


def test_only_pieces_of_the_same_listener_and_group_are_compared() -> None:
    separate = [Vote("me", "one", "a", "a", 5, True), Vote("me", "two", "b", "b", 1, True)]
    assert standings(separate) == []
    assert standings([separate[0], Vote("you", "one", "b", "b", 1, True)]) == []


def test_human_pieces_are_merged_and_models_of_the_same_name_are_not() -> None:
    cast = [
        Vote("me", "g", "bwv 1", "human", 5, True),
        Vote("me", "g", "run", "0123456789ab", 3, True),
        Vote("me", "h", "bwv 2", "human", 4, True),
        Vote("me", "h", "run", "ba9876543210", 1, True),
    ]
    assert sorted(strengths(cast)) == ["human", "run 01234567", "run ba987654"]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rated = [("a", "aa", 4, True), ("b", "bb", 2, True), ("c", "cc", 5, False)]
    saved_votes = [
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
    Path("votes.json").write_text(
        json.dumps({"format": 1, "page": "0", "models": models, "votes": saved_votes})
    )
    return tmp_path


def test_the_command_counts_blind_ratings_only(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["votes", "votes.json"]) == 0
    out = capsys.readouterr().out
    assert "2 ratings of 1 listener; 1 that were not blind are left out" in out
    assert out.index("\n a ") < out.index("\n b ")
    assert "3.250" in out
    assert run(["votes", "votes.json", "--all", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in output["models"]] == ["c", "a", "b"]
    assert output["models"][1]["score"]["value"] == 3.25
    assert (output["ratings"], output["left_out"], output["listeners"]) == (3, 0, 1)


def test_the_score_of_a_model_is_its_own_with_its_kind_and_on_the_same_music(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(Path("votes.json").read_text())
    names = {vote["name"] for vote in content["votes"]}

    def save(file: str, music: str, value: float, model: str | None = None, **scored: object) -> None:
        scores = {name: {"value": value, "kind": "bound", "music": music, **scored} for name in names}
        changed = [vote | {"model": model or vote["model"], "blind": not model} for vote in content["votes"]]
        Path(file).write_text(json.dumps(content | {"models": scores, "votes": changed, "listener": file}))

    def printed(*files: str) -> str:
        assert run(["votes", *files]) == 0
        return capsys.readouterr().out

    save("one.json", "m1", 4.0)
    save("other models of the same names.json", "m1", 2.0, "0123")
    assert printed("one.json").count("≤ 4.000") == len(names)
    both = printed("one.json", "other models of the same names.json")
    assert both.count("≤ 4.000") == len(names)
    assert "2.000" not in both
    save("two.json", "m2", 3.0)
    Path("two.json").write_text(Path("two.json").read_text().replace('"a"', '"d"'))
    assert "nats" not in printed("one.json", "two.json"), "scores on different music are not comparable"
    for field, value in (("split", "valid"), ("pieces", 7), ("count", 80), ("full_score", False)):
        save("two.json", "m1", 3.0, **{field: value})
        Path("two.json").write_text(Path("two.json").read_text().replace('"a"', '"d"'))
        assert "nats" not in printed("one.json", "two.json"), f"another {field} was scored"


def test_the_last_rating_counts_if_a_listener_saved_several_files(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(Path("votes.json").read_text())
    for file, listener, at, first in (
        ("one.json", "1a", "2024-05-01T10:00", 4),
        ("one (1).json", "1a", "2024-05-01T11:00", 1),
        ("two.json", "2b", "2024-05-01T09:00", 1),
    ):
        changed = [vote | {"at": at} for vote in content["votes"]]
        changed[0]["rating"] = first
        Path(file).write_text(json.dumps(content | {"listener": listener, "votes": changed}))
    for files in (["one.json", "one (1).json", "two.json"], ["two.json", "one (1).json", "one.json"]):
        assert run(["votes", *files, "--json"]) == 0
        printed = capsys.readouterr()
        output = json.loads(printed.out)
        assert "the last blind one counts; 2 ratings left out" in printed.err
        assert (output["ratings"], output["listeners"]) == (4, 2)
        assert [model["name"] for model in output["models"]] == ["b", "a"]


def test_ratings_of_other_pages_and_of_other_pieces_of_a_name_are_all_counted(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(Path("votes.json").read_text()) | {"listener": "1a"}
    first, second = content["votes"][:2]
    again = [first | {"piece": 2, "at": "later"}, second | {"piece": 3, "at": "later"}]
    Path("one.json").write_text(json.dumps(content | {"votes": [first, second, *again]}))
    swapped = [first | {"rating": 2, "at": "later"}, second | {"rating": 4, "at": "later"}]
    Path("two.json").write_text(json.dumps(content | {"votes": [first, second]}))
    Path("other page.json").write_text(json.dumps(content | {"votes": swapped, "page": "1"}))

    def counted(*files: str) -> tuple[int, dict[str, float]]:
        assert run(["votes", *files, "--json"]) == 0
        printed = capsys.readouterr()
        assert "left out" not in printed.err
        output = json.loads(printed.out)
        return output["ratings"], {model["name"]: model["strength"] for model in output["models"]}

    assert counted("one.json")[0] == 4
    ratings, strength = counted("two.json", "other page.json")
    assert ratings == 4
    assert strength == pytest.approx({"a": 0, "b": 0})


def test_a_rating_after_the_names_were_shown_does_not_replace_the_blind_one(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(Path("votes.json").read_text()) | {"listener": "1a"}
    Path("votes.json").write_text(json.dumps(content))
    sighted = [vote | {"blind": False, "rating": 3, "at": "sighted"} for vote in content["votes"]]
    Path("sighted.json").write_text(json.dumps(content | {"votes": sighted}))
    assert run(["votes", "votes.json", "sighted.json"]) == 0
    printed = capsys.readouterr()
    assert "2 ratings of 1 listener; 4 that were not blind are left out" in printed.out
    assert printed.err == ""
    assert run(["votes", "votes.json", "sighted.json", "--all"]) == 0
    assert "3 ratings of 1 listener\n" in capsys.readouterr().out
    strengths = []
    for options in (["votes.json"], ["votes.json", "sighted.json", "--all"]):
        assert run(["votes", *options, "--json"]) == 0
        models = json.loads(capsys.readouterr().out)["models"]
        strengths.append({model["name"]: model["strength"] for model in models})
    assert strengths[1]["a"] > strengths[1]["b"], "the blind ratings of a and b are kept"


def test_two_scores_of_one_model_are_none(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(Path("votes.json").read_text())
    names = {vote["name"] for vote in content["votes"]}
    for file, value in (("one.json", 2.0), ("two.json", 3.0)):
        scores = {name: {"value": value, "kind": "exact", "music": "m"} for name in names}
        Path(file).write_text(json.dumps(content | {"models": scores, "listener": file}))
    printed = []
    for files in (["one.json"], ["one.json", "two.json"], ["two.json", "one.json"]):
        assert run(["votes", *files]) == 0
        printed.append("nats/frame" in capsys.readouterr().out)
    assert printed == [True, False, False]


def test_a_listener_without_counted_ratings_is_not_counted(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(Path("votes.json").read_text())
    sighted = [vote | {"blind": False} for vote in content["votes"]]
    Path("sighted.json").write_text(json.dumps(content | {"votes": sighted}))
    assert run(["votes", "votes.json", "sighted.json"]) == 0
    assert "2 ratings of 1 listener; 4 that were not blind are left out" in capsys.readouterr().out


def test_votes_without_a_comparison_are_an_error(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(Path("votes.json").read_text())
    content["votes"] = content["votes"][1:]
    Path("votes.json").write_text(json.dumps(content))
    assert run(["votes", "votes.json"]) == 3
    assert "votes.json: no two pieces of one group were rated blind\n" in (err := capsys.readouterr().err)
    assert "count the 1 other rating" in err


@pytest.mark.parametrize(
    "change",
    [
        {"votes": 3},
        {"votes": [{"rating": 3}]},
        {"models": None},
        {"models": {"a": {}}},
        {"models": {"a": {"value": "low"}}},
        {"models": {"a": {"value": 3.5, "interval": [float("nan"), 4]}}},
        {"models": {"a": {"value": 10**400}}},
        {"models": {"a": {"value": 1e308}}},
        {"format": "x"},
        {"listener": 3},
        {"page": 3},
        {"votes": [{"piece": "1", "group": "g", "name": "a", "model": "b", "rating": 3, "blind": True}]},
        {"votes": [{"group": "g", "name": "a", "model": "b", "rating": 9, "blind": True}]},
        {"votes": [{"group": "g", "name": "a", "model": None, "rating": 3, "blind": True}]},
    ],
)
def test_an_invalid_file_of_votes_is_an_error(saved: Path, change: dict[str, Any]) -> None:
    content = json.loads(Path("votes.json").read_text()) | change
    Path("votes.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="is not a file of votes"):
        read_votes("votes.json")


def test_a_score_that_the_page_did_not_have_is_left_out(saved: Path) -> None:
    content = json.loads(Path("votes.json").read_text()) | {"models": {"a": None}}
    Path("votes.json").write_text(json.dumps(content))
    assert run(["votes", "votes.json"]) == 0


@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("RATINGS", 2, "3 ratings; the maximum is 2"),
        ("RATED_PIECES", 2, "g: 3 rated pieces in one group; the maximum is 2"),
        ("RATED_MODELS", 2, "3 models; the maximum is 2"),
    ],
)
def test_more_votes_than_can_be_compared_are_one_error(
    limit: str,
    most: int,
    message: str,
    saved: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(f"zoo.report.votes.{limit}", most)
    assert run(["votes", "votes.json", "--all"]) == 3
    assert message in capsys.readouterr().err


def test_the_limit_of_ratings_is_of_all_files_together(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy("votes.json", "more.json")
    monkeypatch.setattr("zoo.report.votes.RATINGS", 5)
    with pytest.raises(DataError, match=r"more\.json: 6 ratings; the maximum is 5"):
        read_all_votes(["votes.json", "more.json"])


def test_a_newer_format_and_a_missing_file_are_errors(saved: Path) -> None:
    Path("newer.json").write_text('{"format": 2}')
    with pytest.raises(DataError, match="newer polyzoo"):
        read_votes("newer.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_votes("missing.json")
