"""A recipe with ranges: what is searched, what belongs to which part, and all mistakes at once."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from zoo.errors import UsageError
from zoo.registry import Registry
from zoo.registry.words import Word
from zoo.search.space import Space, parse_space
from zoo.search.values import Choices, Range


def texts(space: Space, **chosen: str) -> list[str]:
    words = space.recipe_words({key.replace("__", "."): text for key, text in chosen.items()})
    return [f"{word.key}={word.text}" if isinstance(word, Word) else word for word in words]


def test_parts_come_first_and_single_values_are_not_searched(registry: Registry) -> None:
    space = parse_space("train.lr=1e-3..1e-1:log attention.local=4..8 decoder=lstm,rbm seed=3", registry)
    assert space.searched == {
        "decoder": Choices(("lstm", "rbm")),
        "train.lr": Range(1e-3, 1e-1, log=True),
        "attention.local": Range(4, 8, whole=True),
    }
    assert space.parse(next(space.examples), registry).recipe.values["seed"] == 3


def test_settings_of_one_of_several_parts_are_left_out_with_the_others(registry: Registry) -> None:
    space = parse_space("decoder=lstm,rbm decoder.steps=1..9 decoder.chains=4 decoder.hidden=4..9", registry)
    assert space.owners == {
        "decoder.steps": ("rbm",),
        "decoder.chains": ("rbm",),
        "decoder.hidden": ("lstm", "rbm"),
    }
    assert texts(space, decoder="lstm", decoder__hidden="5") == ["decoder=lstm", "decoder.hidden=5"]
    assert texts(space, decoder="rbm", decoder__hidden="5", decoder__steps="2") == [
        "decoder=rbm",
        "decoder.steps=2",
        "decoder.chains=4",
        "decoder.hidden=5",
    ]


def test_only_values_of_the_chosen_part_are_drawn(registry: Registry) -> None:
    space = parse_space("decoder=lstm,rbm decoder.steps=1..9", registry)
    trial = optuna.trial.FixedTrial({"decoder": "lstm", "decoder.steps": 2})
    assert space.suggest("decoder.steps", trial, {"decoder": "lstm"}) is None
    assert space.suggest("decoder.steps", trial, {"decoder": "rbm"}) == "2"


def test_named_recipes_and_files_may_be_varied(registry: Registry, tmp_path: Path) -> None:
    space = parse_space("strong train.lr=1e-3..1e-2", registry)
    recipe = space.parse({"train.lr": "0.005"}, registry).recipe
    assert recipe.sections["train"].lr == 0.005
    assert recipe.sections["train"].optimizer == "adamw"
    file = tmp_path / "search.toml"
    file.write_text('decoder = ["lstm", "rbm"]\n[train]\nlr = "1e-3..1e-2"\n')
    assert list(parse_space(f"@{file}", registry).searched) == ["decoder", "train.lr"]


def test_all_mistakes_are_reported_at_once_where_they_were_typed(registry: Registry) -> None:
    words = [
        "decoder=lstm,rmb",
        "train.lr=1e-4..5:log",
        "train.batch=4..2",
        "train.steps=10..20",
        "train.schedule=constant,cosin",
        "velocity=mean,lstm",
        "sampler.paths=1..20",
        "velocity.hidden=4..16",
        "train.lr_velocity=1e-3..1e-2:log",
        "attention.nothing=1..2",
        "sampler.voices=1..99",
        "nonsense",
    ]
    with pytest.raises(UsageError) as caught:
        parse_space(words, registry)
    places = {problem.where: problem for problem in caught.value.problems}
    assert set(words) == set(places)
    assert places["train.lr=1e-4..5:log"].what == "it takes a number above 0, of at most 1"
    assert places["train.lr=1e-4..5:log"].hint == "the nearest valid value is train.lr=1"
    assert places["decoder=lstm,rmb"].hint == "did you mean decoder=rbm"
    assert "changes how a model is scored, not the model" in places["sampler.paths=1..20"].what
    for word in ("velocity=mean,lstm", "velocity.hidden=4..16", "train.lr_velocity=1e-3..1e-2:log"):
        assert places[word].what == "loudness is not part of the score, so trials cannot be compared by it"
    assert "must be the same in all trials" in places["train.steps=10..20"].what


def test_rules_between_settings_are_checked_at_the_bounds(registry: Registry) -> None:
    with pytest.raises(UsageError, match="a stride of 400 leaves gaps"):
        parse_space("train.stride=100..400", registry)
    assert parse_space("train.stride=100..400 train.frames=512", registry).searched


def test_the_bounds_of_a_setting_hold_for_each_part_that_has_it(registry: Registry) -> None:
    with pytest.raises(UsageError, match=r"decoder.hidden=4..2000: it takes a whole number from 1 to 1024"):
        parse_space("decoder=lstm,rbm decoder.hidden=4..2000", registry)


def test_a_search_needs_something_to_search(registry: Registry) -> None:
    with pytest.raises(UsageError, match="there is nothing to search"):
        parse_space("strong data=bach", registry)


def test_trained_parts_can_be_tuned(registry: Registry) -> None:
    space = parse_space("@bach train.lr=1e-4..1e-3:log", registry)
    assert space.others == ("core=@bach",)
    swap = space.parse({"train.lr": "0.0002"}, registry)
    assert swap.recipe.sections["train"].lr == 0.0002
    assert set(swap.sources) == {"encoder", "attention", "sampler", "decoder", "velocity"}
    with pytest.raises(UsageError, match="was trained with"):
        parse_space("@bach attention.heads=1..4", registry)
