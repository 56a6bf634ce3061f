"""Training settings that parts propose: what wins, and what a run, a bundle and Python get."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.study import read_study
from zoo.cli.main import run
from zoo.parts import Slot
from zoo.registry import Choice, open_registry, parse_recipe
from zoo.train.plan import read_plan
from zoo.train.proposals import train_words, with_proposals
from zoo.train.settings import SECTIONS, TrainSettings

from .mine import MINE

PLUGIN = f"""{MINE}
@hookimpl
def zoo_parts():
    training = {{"lr": 0.002, "warmup": 7}}
    return [Description("attention", "mine", "Made for a test", Mine, training=training)]
"""
WORDS = ["attention=./mine.py", "sampler.hidden=4", "decoder.hidden=4", "train.batch=4", "train.frames=16"]
WORDS += ["train.stride=8", "train.past=4", "train.device=cpu"]
Parts = Mapping[Slot, Choice]


def proposing(**proposals: Mapping[str, Any]) -> Parts:
    """The parts of the baseline, some of which propose training settings."""
    parts = parse_recipe("velocity=mean", open_registry()).parts

    def changed(choice: Choice) -> Choice:
        training = proposals.get(choice.entry.slot, {})
        description = replace(choice.entry.description, training=training)
        return replace(choice, entry=replace(choice.entry, description=description))

    return {slot: changed(choice) for slot, choice in parts.items()}


def resolved(words: str, parts: Parts) -> TrainSettings:
    given = parse_recipe(words, open_registry(), sections=SECTIONS).sections["train"]
    return with_proposals(given, parts)[0]


def test_a_part_proposes_the_learning_rate_of_its_own_term() -> None:
    parts = proposing(sampler={"lr": 0.002}, decoder={"lr": 0.03}, velocity={"lr": 0.5})
    settings = resolved("train.steps=5", parts)
    assert (settings.rate("core"), settings.rate("decoder"), settings.rate("velocity")) == (0.002, 0.03, 0.5)
    assert (settings.lr, settings.steps) == (0.01, 5)


def test_of_several_parts_the_first_in_the_order_of_the_slots_counts() -> None:
    decoder = {"warmup": 9, "clip": 2.0}
    parts = proposing(decoder=decoder, sampler={"lr": 0.5, "warmup": 8}, attention={"lr": 0.002})
    settings, accepted = with_proposals(TrainSettings(), parts)
    assert (settings.lr_core, settings.warmup, settings.clip) == (0.002, 8, 2.0)
    assert {str(proposal): proposal.part for proposal in accepted} == {
        "train.lr_core=0.002": "attention=history",
        "train.warmup=8": "sampler=voices",
        "train.clip=2.0": "decoder=lstm",
    }


@pytest.mark.parametrize(
    ("words", "core", "warmup"),
    [
        ("", 0.002, 9),
        ("train.lr=0.01", 0.01, 9),
        ("train.lr_core=0.3", 0.3, 9),
        ("train.lr_decoder=0.3", 0.002, 9),
        ("train.warmup=0", 0.002, 0),
        ("strong", 0.004, 50),
    ],
)
def test_words_and_named_recipes_win_over_proposals(words: str, core: float, warmup: int) -> None:
    settings = resolved(words, proposing(attention={"lr": 0.002, "warmup": 9}))
    assert (settings.rate("core"), settings.warmup) == (core, warmup)


def test_without_proposals_nothing_changes() -> None:
    settings = TrainSettings(steps=3)
    assert with_proposals(settings, proposing()) == (settings, [])


@pytest.mark.parametrize("given", [{}, {"lr": 0.003}, {"lr_core": 0.2, "warmup": 9}, {"warmup": 4}])
def test_words_of_settings_give_them_whatever_the_parts_propose(given: dict[str, Any]) -> None:
    parts = proposing(attention={"lr": 0.002, "warmup": 9})
    expected = TrainSettings(**given)
    for stored in (expected.model_dump(), expected.model_dump(exclude_none=True)):
        assert resolved(" ".join(train_words(stored, parts)), parts) == expected


@pytest.fixture
def train(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`zoo train -o run` with an attention that proposes settings, in an empty folder."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(PLUGIN)
    words = [*WORDS, f"data={songs}"]
    return lambda *extra, start=True: run(["train", *(words if start else []), *extra, "-o", "run"])


def stored_settings() -> dict[str, Any]:
    plan = read_plan(Path("run"))
    assert plan is not None
    config = json.loads(Path("run/bundle/config.json").read_text())
    assert config["training"]["settings"] == {k: v for k, v in plan["train"].items() if v is not None}
    return dict(plan["train"])


def test_a_training_says_what_comes_from_which_part(
    train: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("train.steps=2") == 0
    said = "train.lr_core=0.002 train.warmup=7: proposed by attention=./mine.py:mine"
    assert said in " ".join(capsys.readouterr().err.split())
    assert (stored_settings()["lr_core"], stored_settings()["warmup"]) == (0.002, 7)
    assert train("--resume", "train.steps=3", "attention=./mine.py", start=False) == 0
    assert "proposed" not in capsys.readouterr().err
    assert (stored_settings()["lr_core"], stored_settings()["steps"]) == (0.002, 3)


def test_a_run_against_the_proposals_of_its_parts_is_resumed(
    train: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its words do not have settings with default values, which the parts must not replace."""
    assert train("train.steps=2", "train.warmup=0", "train.lr=0.01") == 0
    assert train("--resume", "train.steps=3", "attention=./mine.py", start=False) == 0
    settings = stored_settings()
    assert (settings["lr_core"], settings["warmup"], settings["steps"]) == (None, 0, 3)
    assert "proposed" not in capsys.readouterr().err


def test_a_study_ignores_proposals_and_never_stops_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(PLUGIN)
    study = '[train]\nsteps = 4\n[train.bach]\nsteps = 6\n[[grid]]\nattention = "./mine.py"\n'
    Path("study.toml").write_text(study)
    settings = read_study(Path("study.toml"), open_registry(local=True))
    for train in (settings.train, settings.train_on("bach")):
        assert (train.lr_core, train.warmup, train.wait) == (None, 0, 0)
