"""Whole searches in this process: failing trials, the best bundle, and `zoo.tune`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import zoo
from zoo.cli.main import run
from zoo.errors import BundleError, DataError, PluginError, Problem, UsageError, ZooError
from zoo.model.build import build
from zoo.model.bundle import save_bundle
from zoo.model.config import read_config
from zoo.registry import Registry, parse_recipe
from zoo.search import trial as trials
from zoo.search import tune as tuning
from zoo.search.trial import TrainedTrial, discard_checkpoints
from zoo.search.tune import SearchResult
from zoo.train.events import Started, Stepped, Validated
from zoo.train.learner import Learner
from zoo.train.lock import lock_folder
from zoo.train.run import Run
from zoo.train.summary import summarize

from .conftest import WORDS

Tune = Callable[..., SearchResult]


@pytest.fixture
def tune(words: list[str], tmp_path: Path) -> Tune:
    """A search of three trials of four steps, unless arguments say otherwise."""

    def go(*more: str, steps: int = 4, **options: Any) -> SearchResult:
        given = {"output": tmp_path / "search", "trials": 3, "seed": 1, **options}
        replaced = {word.partition("=")[0] for word in more}
        kept = [word for word in words if word.partition("=")[0] not in replaced]
        return zoo.tune([*kept, f"train.steps={steps}", *more], **given)

    return go


def test_the_best_trial_is_kept_as_a_bundle(tune: Tune, songs: Path, tmp_path: Path) -> None:
    result = tune()
    best = result.best
    assert best is not None
    assert [trial.state for trial in result.trials] == ["complete"] * 3
    assert best.nats == min(trial.nats or 9e9 for trial in result.trials)
    model = zoo.load(result.bundle)
    score = model.evaluate(songs, split="valid").score()
    assert (score.value, score.kind) == (pytest.approx(best.nats), best.kind)
    assert model.recipe.parts["decoder"].entry.name == best.chosen["decoder"]
    assert model.recipe.parts["attention"].settings.local == int(best.chosen["attention.local"])
    assert (result.bundle / "sample.mid").exists()


def test_values_that_were_tried_are_not_trained_again(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for word in WORDS.split() if not re.search(r"\.\.|,", word)]
    search = [*words, "decoder=lstm,uniform", f"data={songs}", "train.steps=2"]
    result = zoo.tune(search, output=tmp_path / "search", trials=6, seed=1, progress=True)
    assert [trial.state for trial in result.trials] == ["complete"] * 6
    first = {str(trial.chosen): trial for trial in reversed(result.trials)}
    assert len(first) == 2
    for trial in result.trials:
        earlier = first[str(trial.chosen)]
        is_first = earlier.number == trial.number
        assert trial.repeats == (0 if is_first else earlier.number)
        assert (trial.nats, trial.kind) == (earlier.nats, earlier.kind)
        assert (tmp_path / "search" / "trials" / f"{trial.number:03d}").exists() == is_first
    assert result.best in first.values()
    assert "nats, as trial 1, which had the same values: decoder=" in capsys.readouterr().err


def test_pruned_values_are_not_trained_again(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(*given: Any, **named: Any) -> TrainedTrial:
        trained = train_trial(*given, **named)
        return replace(trained, pruned=True) if "uniform" in str(given[0]) else trained

    train_trial = tuning.train_trial
    monkeypatch.setattr(tuning, "train_trial", bad)
    words = [word for word in WORDS.split() if not re.search(r"\.\.|,", word)]
    search = [*words, "decoder=lstm,uniform", f"data={songs}", "train.steps=2"]
    result = zoo.tune(search, output=tmp_path / "search", trials=6, seed=1)
    pruned = [trial for trial in result.trials if trial.chosen["decoder"] == "uniform"]
    assert len(pruned) > 1
    assert [trial.state for trial in pruned] == ["pruned"] * len(pruned)
    assert {trial.repeats for trial in pruned[1:]} == {pruned[0].number}


def test_trials_leave_their_metrics_and_no_checkpoints(tune: Tune, tmp_path: Path) -> None:
    result = tune()
    folders = sorted((tmp_path / "search" / "trials").iterdir())
    assert [folder.name for folder in folders] == ["001", "002", "003"]
    assert not list((tmp_path / "search" / "trials").rglob("*.safetensors"))
    for folder, trial in zip(folders, result.trials, strict=True):
        summary = summarize(folder)
        assert (summary.state, summary.step) == ("finished", 4)
        assert summary.plan["train"]["lr"] == float(trial.chosen["train.lr"])


def test_a_diverging_trial_fails_and_the_search_goes_on(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn
    models: list[Any] = []

    def spoil(learner: Learner, *arguments: Any) -> Any:
        if learner.model not in models:
            models.append(learner.model)
        if len(models) == 2:
            next(learner.model.attention.parameters()).register_hook(lambda gradient: gradient * float("nan"))
        return learn(learner, *arguments)

    monkeypatch.setattr(Learner, "learn", spoil)
    result = tune()
    assert [trial.state for trial in result.trials] == ["complete", "failed", "complete"]
    assert "nan" in result.trials[1].problem
    assert result.ranked()[-1].number == 2


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (PluginError(Problem("it failed", "decoder=mine")), "decoder=mine: it failed"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_other_errors_of_a_trial_fail_it_too(
    tune: Tune, monkeypatch: pytest.MonkeyPatch, error: BaseException, problem: str
) -> None:
    assemble, calls = trials.assemble, []

    def fail_once(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        return assemble(*arguments)

    monkeypatch.setattr(trials, "assemble", fail_once)
    result = tune(trials=2)
    assert [trial.state for trial in result.trials] == ["failed", "complete"]
    assert result.trials[0].problem == problem


def test_a_search_whose_trials_all_fail_is_an_error(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> Any:
        raise PluginError(Problem("it failed", "decoder=mine"))

    monkeypatch.setattr(trials, "assemble", fail)
    with pytest.raises(ZooError, match="no trial completed") as caught:
        tune(trials=2)
    assert "it failed" in str(caught.value)


def test_values_that_do_not_fit_together_fail_their_trial(tune: Tune) -> None:
    result = tune("train.stride=8,16", "train.frames=16,8", trials=6, seed=3)
    states = {trial.state: trial for trial in result.trials}
    assert set(states) == {"complete", "failed"}
    assert "leaves gaps between fragments" in states["failed"].problem


def test_a_mistake_that_concerns_all_trials_ends_the_search(tune: Tune) -> None:
    with pytest.raises(UsageError, match="no device abacus"):
        tune("train.device=abacus")
    assert [trial.state for trial in tune(resume=True).trials] == ["complete"] * 3


def test_a_full_disk_ends_the_search_and_not_the_trial(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = trials.fit

    def full(*arguments: Any, **options: Any) -> Any:
        raise ZooError(Problem("cannot be written: no space left on device"))

    monkeypatch.setattr(trials, "fit", full)
    with pytest.raises(ZooError, match="no space left"):
        tune()
    monkeypatch.setattr(trials, "fit", fit)
    assert [trial.state for trial in tune(resume=True).trials] == ["complete"] * 3


def test_a_search_that_takes_the_name_of_another_is_not_changed(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune()
    search, other, fit = tmp_path / "search", tmp_path / "other", trials.fit
    shutil.copytree(search, other)
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}

    def exchange(*arguments: Any, **options: Any) -> Any:
        result = fit(*arguments, **options)
        search.rename(tmp_path / "moved")
        other.rename(search)
        return result

    monkeypatch.setattr(trials, "fit", exchange)
    with pytest.raises(ZooError, match="another folder has taken its name; nothing is written there"):
        tune(trials=4, resume=True)
    search.rename(other)
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before


def test_bad_trials_are_pruned(tune: Tune) -> None:
    result = tune(trials=9, steps=8)
    states = [trial.state for trial in result.trials]
    assert "pruned" in states
    assert states[:5] == ["complete"] * 5
    pruned = result.trials[states.index("pruned")]
    assert 4 <= pruned.steps < 8


def test_pruning_ignores_loudness_as_the_ranking_does() -> None:
    reported: list[tuple[int, float]] = []
    pruning = trials.Pruning(lambda *report: bool(reported.append(report)), pieces=None)
    best = SimpleNamespace(nats={"core": 1.0, "decoder": 2.0, "velocity": 4.0})
    learner: Any = SimpleNamespace(best=best, validated=-1)
    pruning.on_start(learner, Started(0, 10, None, 5, "cpu", 1, 1))
    pruning.on_validation(learner, Validated(5, {}, (), 1.0))
    assert reported == [(5, 3.0)]


def test_scores_of_different_encoders_compare(tune: Tune, songs: Path) -> None:
    result = tune("encoder=onset,sounding", trials=4)
    assert {trial.chosen["encoder"] for trial in result.trials} == {"onset", "sounding"}
    study = [json.loads(line) for line in (result.folder / "study.journal").read_text().splitlines()]
    reported = [entry["intermediate_value"] for entry in study if "intermediate_value" in entry]
    for trial, halfway in zip(result.trials, reported, strict=True):
        # Both are whole scores, and a trial improves little from its second to its fourth step.
        assert trial.nats == pytest.approx(halfway, rel=0.25)


def test_words_may_be_keywords_and_continue_a_search(words: list[str], songs: Path, tmp_path: Path) -> None:
    rest = [word for word in words if not word.startswith("data=")]
    options: dict[str, Any] = {"output": tmp_path / "search", "seed": 2}
    first = zoo.tune([*rest, "train.steps=2"], data=str(songs), trials=1, **options)
    again = zoo.tune(output=tmp_path / "search", trials=2, resume=True)
    assert again.trials[0] == first.trials[0]
    assert len(again.trials) == 2


def test_another_search_is_not_continued(tune: Tune, words: list[str], tmp_path: Path) -> None:
    tune(trials=1)
    with pytest.raises(UsageError, match="use --resume to continue it"):
        tune(trials=1)
    with pytest.raises(UsageError) as caught:
        tune("train.clip=2", seed=7, resume=True)
    assert {problem.where for problem in caught.value.problems[1:]} == {"train.clip", "--seed"}
    with pytest.raises(UsageError, match="there is no search here to continue"):
        zoo.tune(output=tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()


def test_other_music_does_not_continue_a_search(tune: Tune, songs: Path, tmp_path: Path) -> None:
    tune(trials=1)
    (tmp_path / "other").mkdir()
    for path in sorted(songs.glob("*.mid"))[:8]:
        (tmp_path / "other" / path.name).write_bytes(path.read_bytes())
    plan = json.loads((tmp_path / "search" / "search.json").read_text())
    plan["words"]["data"] = str(tmp_path / "other")
    (tmp_path / "search" / "search.json").write_text(json.dumps(plan))
    with pytest.raises(UsageError, match="the music: is now"):
        zoo.tune(output=tmp_path / "search", trials=2, resume=True)


def test_music_needs_validation_pieces(words: list[str], songs: Path, tmp_path: Path) -> None:
    words = [word for word in words if not word.startswith("data=")]
    with pytest.raises(DataError, match="no validation pieces to compare trials on"):
        zoo.tune(words, data=str(songs / "0.mid"), output=tmp_path / "search")


EVIL = "import pathlib; pathlib.Path('evil').touch()\n"


def test_a_search_folder_runs_no_code(tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tune(trials=1)
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text(EVIL)
    plan = tmp_path / "search" / "search.json"
    content = json.loads(plan.read_text())
    content["others"] = ["attention=./evil.py"]
    plan.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="not the plan of a search"):
        zoo.tune(output=tmp_path / "search", trials=2, resume=True)
    assert not Path("evil").exists()


def test_files_of_a_search_are_code_or_trained_parts(tune: Tune, tmp_path: Path) -> None:
    tune(trials=1)
    plan = tmp_path / "search" / "search.json"
    content = json.loads(plan.read_text())
    content |= {"others": ["@evil.toml"], "files": {"@evil.toml": "0" * 64}}
    plan.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"@evil\.toml"):
        zoo.tune(output=tmp_path / "search", trials=2, resume=True)


def test_a_trial_that_was_extended_by_hand_is_not_ranked(tune: Tune, tmp_path: Path) -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, Stepped) and event.step == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.search.watch.SearchWatch.__call__", lambda watch, event: interrupt(event))
        with pytest.raises(KeyboardInterrupt):
            tune(trials=1, steps=4)
    folder = tmp_path / "search" / "trials" / "001"
    plan = json.loads((folder / "recipe.json").read_text())
    (folder / "recipe.json").write_text(json.dumps(plan | {"train": plan["train"] | {"steps": 900}}))
    with pytest.raises(BundleError, match="trained with another budget"):
        tune(trials=1, steps=4, resume=True)
    assert (folder / "last.safetensors").exists()


def test_the_bundle_of_a_search_is_not_replaced(tune: Tune, tmp_path: Path) -> None:
    tune(trials=1)
    with pytest.raises(UsageError, match="the bundle of the search search, which only `zoo tune` writes"):
        zoo.build("markov").save(tmp_path / "search" / "bundle", overwrite=True)


@pytest.mark.parametrize("trials", [1, 2])
def test_values_that_a_search_does_not_have_are_not_parsed(
    trials: int, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(trials=1)
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text(EVIL)
    journal = tmp_path / "search" / "study.journal"
    text = journal.read_text()
    assert '"decoder":"' in text
    for name in ("lstm", "uniform"):
        text = text.replace(f'"decoder":"{name}"', '"decoder":"./evil.py"')
    journal.write_text(text)
    with pytest.raises(BundleError, match="not values of this search"):
        tune(trials=trials, resume=True)
    assert not Path("evil").exists()


@pytest.mark.parametrize("typed", [True, False])
def test_code_that_changed_since_the_search_was_started_is_refused(
    typed: bool, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials of different code must not be ranked in one table."""
    monkeypatch.chdir(tmp_path)
    assert run(["plugin", "new", "mine", "--slot", "decoder", "--file"]) == 0
    tune("decoder=./mine.py,lstm", trials=1)
    Path("mine.py").write_text(EVIL)
    stored = partial(zoo.tune, output=tmp_path / "search", local=True)
    resume = partial(tune, "decoder=./mine.py,lstm") if typed else stored
    with pytest.raises(UsageError, match=r"mine\.py: the file has changed"):
        resume(trials=2, resume=True)
    assert not Path("evil").exists()


@pytest.mark.parametrize("digests", [{}, {"./mine.py": ""}, {"./mine.py": "0.1.0"}, None])
def test_a_search_that_does_not_say_what_its_code_was_runs_none(
    digests: Any, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["plugin", "new", "mine", "--slot", "decoder", "--file"]) == 0
    tune("decoder=./mine.py,lstm", trials=1)
    Path("mine.py").write_text(EVIL)
    plan = tmp_path / "search" / "search.json"
    content = json.loads(plan.read_text())
    assert content["files"].keys() == {"./mine.py"}
    del content["files"]
    plan.write_text(json.dumps(content if digests is None else content | {"files": digests}))
    with pytest.raises(BundleError, match=r"digests of \./mine\.py|is not the plan of a search"):
        zoo.tune(output=tmp_path / "search", local=True, trials=2, resume=True)
    assert not Path("evil").exists()


def test_code_of_a_recipe_in_another_folder_is_found_when_the_search_is_continued(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipes").mkdir()
    monkeypatch.chdir("recipes")
    assert run(["plugin", "new", "mine", "--slot", "decoder", "--file"]) == 0
    monkeypatch.chdir(tmp_path)
    Path("recipes/r.toml").write_text('decoder = "./mine.py"')
    kept = [word for word in words if not word.startswith("decoder")]
    search: dict[str, Any] = {"output": "search", "local": True}
    zoo.tune(["@recipes/r.toml", *kept, "train.steps=2"], trials=1, seed=1, **search)
    result = zoo.tune(trials=2, resume=True, **search)
    assert [trial.state for trial in result.trials] == ["complete"] * 2


def test_trained_parts_that_changed_since_the_search_was_started_are_refused(
    registry: Registry, songs: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    model = build(parse_recipe("sampler.hidden=4 decoder=uniform", registry))
    save_bundle(model, source)
    words = [f"core=@{source}", "decoder=lstm", "decoder.hidden=4..9", "train.steps=2", f"data={songs}"]
    search = {"output": tmp_path / "search", "seed": 1}
    zoo.tune(words, trials=1, **search)
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    save_bundle(model, source)
    with pytest.raises(UsageError, match=r"core=@.*the file has changed"):
        zoo.tune(words, trials=2, resume=True, **search)


@pytest.mark.parametrize(
    "name", ["core=@hf:evil/x", "core=@hf:evil/x@main", "core=@./hf:evil/x", "core=@././/hf:evil/x"]
)
def test_continuing_a_search_downloads_nothing_that_was_not_typed(
    name: str, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search may have been sent."""
    tune(trials=1)
    plan = tmp_path / "search" / "search.json"
    content = json.loads(plan.read_text())
    downloads: list[str] = []
    monkeypatch.setattr("zoo.model.pretrained.download", downloads.append)
    for change in ({"others": [name], "files": {name: "0" * 64}}, {"others": [name]}):
        plan.write_text(json.dumps(content | change))
        with pytest.raises(UsageError, match="would be downloaded from the Hub"):
            zoo.tune(output=tmp_path / "search", resume=True)
    for files in ({name: "0" * 64}, {"x": "0" * 64}):
        plan.write_text(json.dumps(content | {"files": files}))
        with pytest.raises(BundleError, match="is not the plan of a search"):
            zoo.tune(output=tmp_path / "search", resume=True)
    assert downloads == []


@pytest.mark.parametrize("trials", [1, 2])
def test_a_bundle_that_is_not_the_best_model_is_an_error(trials: int, tune: Tune, registry: Registry) -> None:
    result = tune(trials=1)
    (result.bundle / "manifest.json").unlink()
    with pytest.raises(BundleError, match="is missing"):
        tune(trials=trials, resume=True)
    shutil.rmtree(result.bundle)
    save_bundle(build(parse_recipe("sampler.hidden=4", registry)), result.bundle)
    with pytest.raises(BundleError, match="is not the model of trial 1"):
        tune(trials=trials, resume=True)


def test_a_search_whose_bundle_was_moved_away_is_continued(tune: Tune, tmp_path: Path) -> None:
    result = tune(trials=1)
    result.bundle.rename(tmp_path / "mine")
    assert tune(trials=1, resume=True).trials == result.trials
    assert not result.bundle.exists(), "another trial would be sold as the best one"
    again = tune(trials=6, resume=True)
    assert again.best is not None
    assert again.best.number > 1, "choose another seed"
    assert read_config(again.bundle)["scores"]["validation_score"]["nats"] == again.best.nats


@pytest.fixture
def starve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Let the given calls of `Learner.learn`, from 1, run out of memory; returns the steps of all calls."""

    def go(*calls: int, error: type[BaseException] = torch.OutOfMemoryError) -> list[int]:
        learn, steps = Learner.learn, list[int]()

        def starved(learner: Learner, *arguments: Any) -> Any:
            steps.append(learner.step)
            if len(steps) in calls:
                raise error("CUDA out of memory")
            return learn(learner, *arguments)

        monkeypatch.setattr(Learner, "learn", starved)
        return steps

    return go


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_a_trial_that_runs_out_of_memory_it_had_is_tried_again_from_its_checkpoint(
    tune: Tune, starve: Callable[..., list[int]], error: type[BaseException], tmp_path: Path
) -> None:
    whole = tune(trials=2, output=tmp_path / "whole")
    steps = starve(8, error=error)
    assert [replace(trial, seconds=0.0) for trial in tune(trials=2).trials] == [
        replace(trial, seconds=0.0) for trial in whole.trials
    ]
    assert steps == [0, 1, 2, 3, 0, 1, 2, 3, 2, 3]


def test_checkpoints_of_a_trial_that_ran_out_of_memory_twice_stay(
    tune: Tune, starve: Callable[..., list[int]]
) -> None:
    starve(7, 8)
    result = tune(trials=3)
    assert [trial.state for trial in result.trials] == ["complete", "failed", "complete"]
    assert Run(result.folder / "trials" / "002").saved_steps() == 2
    assert tune(trials=3, resume=True).trials == result.trials
    assert Run(result.folder / "trials" / "002").saved_steps() == 2


def test_memory_that_others_hold_does_not_fail_all_remaining_trials(
    tune: Tune, starve: Callable[..., list[int]], tmp_path: Path
) -> None:
    starve(5, 6)
    with pytest.raises(ZooError, match="trials 2 and 3 ran out of memory") as caught:
        tune(trials=5)
    assert caught.value.exit_code == 1
    assert f"zoo tune -o {tmp_path / 'search'} --resume" in str(caught.value)
    states = [trial.state for trial in tune(trials=5, resume=True).trials]
    assert states == ["complete", "failed", "complete", "complete", "complete"]


def test_a_trial_that_lost_its_checkpoints_says_how_the_search_goes_on(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = trials.fit

    def interrupted(*arguments: Any, **options: Any) -> Any:
        fit(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trials, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tune(trials=1)
    folder = tmp_path / "search" / "trials" / "001"
    for file in folder.glob("*.safetensors"):
        file.unlink()
    with pytest.raises(BundleError, match="trains this trial again"):
        tune(trials=1, resume=True)
    shutil.rmtree(folder)
    assert tune(trials=1, resume=True).best is not None


@pytest.mark.parametrize(("steps", "is_removed"), [(5, False), (6, True)])
def test_the_checkpoints_of_a_trial_that_was_trained_further_stay(
    steps: int, is_removed: bool, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("zoo.search.tune.discard_checkpoints", lambda folder, steps: None)
        tune(trials=1, steps=6)
    folder = tmp_path / "search" / "trials" / "001"
    assert Run(folder).saved_steps() == 6
    with lock_folder(folder):
        discard_checkpoints(folder, 6)
    assert Run(folder).saved_steps() == 6, "a process trains in it"
    discard_checkpoints(folder, steps)
    assert Run(folder).saved_steps() == (0 if is_removed else 6)


@pytest.mark.parametrize("link", ["trials", "trials/001"])
def test_links_in_a_search_delete_no_files_elsewhere(link: str, tune: Tune, tmp_path: Path) -> None:
    """The checkpoints of finished trials are removed: those of another run must not be."""
    tune(trials=1)
    checkpoint = tmp_path / "my_run" / "001" / "last.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("precious")
    shutil.rmtree(tmp_path / "search" / link)
    target = checkpoint.parent if "/" in link else checkpoint.parent.parent
    (tmp_path / "search" / link).symlink_to(target)
    with pytest.raises(UsageError, match="is a link"):
        tune(trials=2, resume=True)
    assert checkpoint.read_text() == "precious"
