"""The command on a page that trains a model again: it reads the same music, and gives the same weights."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.cli.main import run
from zoo.data import Corpus
from zoo.model.bundle import Bundle, open_bundle
from zoo.report.recipe import RecipeSummary, training_command
from zoo.train.events import Event, Stepped
from zoo.train.learner import Learner
from zoo.train.summary import summarize
from zoo.train.trained import open_trained

TINY = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4"
TRAIN = "train.steps=2 train.batch=2 train.frames=16 train.stride=8 train.past=4 train.validate_every=2"


def config(folder: str) -> Any:
    return json.loads(Path(folder, "bundle/config.json").read_text())


@pytest.fixture
def folder(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("songs").mkdir()
    titles = [f"{'ab'[number % 2]}{number}.mid" for number in range(10)]
    for title in titles:
        shutil.copy(songs / title[1:], Path("songs", title))
    rows = [f"{title},{title[0]}" for title in titles]
    Path("families.csv").write_text("\n".join(["title,family", *rows]) + "\n")
    return tmp_path


@pytest.mark.parametrize("family", ["^.", "families.csv"])
def test_the_command_that_trains_a_model_again_kept_pedal_and_family(folder: Path, family: str) -> None:
    words = [*TINY.split(), *TRAIN.split(), "grid=8", "seed=3", "data=songs"]
    rule = folder / family if family.endswith(".csv") else family
    words += ["pedal=hold", f"family={rule}"]
    assert run(["train", *words, "-o", "first"]) == 0
    command = training_command(open_bundle("first"))
    assert f"pedal=hold {shlex.quote(f'family={family}')}" in command
    assert str(folder) not in command
    assert run(shlex.split(command)[1:]) == 0
    first, again = config("first"), config("RUN")
    assert first["data"]["digest"] == again["data"]["digest"]
    weights = [{slot: part["weights"] for slot, part in each["parts"].items()} for each in (first, again)]
    assert weights[0] == weights[1]
    assert zoo.open_corpus("songs", grid=8, pedal="hold").digest != first["data"]["digest"]


@pytest.mark.parametrize("typed", ["./bach", "bach"])
def test_a_folder_that_is_called_like_a_corpus_is_recorded_as_a_path(folder: Path, typed: str) -> None:
    Path("songs").rename("bach")
    music = typed if typed.startswith(".") else str(folder / typed)
    assert run(["train", *TINY.split(), *TRAIN.split(), f"data={music}", "-o", "first"]) == 0
    record = config("first")
    assert record["data"]["name"] == "./bach"
    assert str(folder) not in Path("first/bundle/config.json").read_text()
    assert {music["name"] for part in record["parts"].values() for music in part["trained_on"]} == {"./bach"}
    assert "data=./bach" in training_command(open_bundle("first")).split()
    assert summarize(Path("first")).music == "./bach"
    shutil.rmtree("first/bundle")
    trained = open_trained(Path("first")).trained_on
    assert {music["name"] for listed in trained.values() for music in listed} == {"./bach"}


def test_the_commands_of_a_page_run_the_code_that_the_model_needs(folder: Path) -> None:
    assert run(["plugin", "new", "mine", "--slot", "attention", "--file"]) == 0
    Path("registry.toml").write_text('[plugins]\nmine = "./mine.py"\n')
    words = [*TRAIN.split(), "sampler.hidden=4", "decoder.hidden=4", "data=songs"]
    for attention, output in (("mine/mine", "listed"), ("./mine.py", "named")):
        assert run(["train", f"attention={attention}", *words, "-o", output, "--local"]) == 0
        assert run(["report", output, "-o", f"{output}.html", "--bars", "1", "--local"]) == 0
        page = html.unescape(Path(f"{output}.html").read_text("utf-8"))
        again, report = re.findall(r"zoo (?:train|report) [^<]*", page)[-2:]
        Path(f"{output}.html").unlink()
        shutil.rmtree("RUN", ignore_errors=True)
        for command in (again, report):
            os.environ.pop("ZOO_LOCAL", None)
            assert run(shlex.split(command)[1:]) == 0, command


def test_a_model_of_several_processes_is_trained_again_by_as_many(folder: Path) -> None:
    assert run(["train", *TINY.split(), *TRAIN.split(), "data=songs", "-o", "first"]) == 0
    bundle = open_bundle("first")
    record = {**bundle.record, "training": {**bundle.record["training"], "ranks": 2}}
    command = training_command(Bundle(bundle.model, record))
    assert command.startswith("torchrun --nproc-per-node 2 --no-python zoo train ")


def test_the_command_of_a_run_continued_with_other_budgets_takes_its_steps_at_once(folder: Path) -> None:
    words = [*TINY.split(), *TRAIN.split(), "data=songs"]
    assert run(["train", *words, "-o", "first"]) == 0
    for budget in ("train.epochs=1", "train.steps=46"):
        assert run(["train", "-o", "first", "--resume", budget]) == 0
    assert config("first")["training"]["continued"] is True
    command = training_command(open_bundle("first"))
    assert "train.steps=46" in command.split()
    assert "train.epochs" not in command
    assert run(shlex.split(command)[1:]) == 0
    first, again = config("first"), config("RUN")
    assert first["training"]["steps"] == again["training"]["steps"] == 46
    weights = [{slot: part["weights"] for slot, part in each["parts"].items()} for each in (first, again)]
    assert weights[0] == weights[1]


def test_a_smaller_budget_on_resuming_does_not_shorten_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was interrupted after three steps; the smaller budget ended it there."""
    step = Learner.learn

    def learn(learner: Learner, *arguments: Any) -> Any:
        if learner.step == 2:
            signal.raise_signal(signal.SIGINT)
        return step(learner, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", learn)
        longer = TRAIN.replace("steps=2", "steps=9").split()
        assert run(["train", *TINY.split(), *longer, "data=songs", "-o", "first"]) == 130
    assert run(["train", "-o", "first", "--resume", "train.steps=1"]) == 0
    assert "train.steps=3" in training_command(open_bundle("first")).split()


def test_no_command_is_shown_for_weights_that_need_two_sessions(folder: Path) -> None:
    words = [*TINY.split(), *TRAIN.split(), "data=songs"]
    assert run(["train", *words, "train.schedule=cosine", "-o", "first"]) == 0
    assert run(["train", "-o", "first", "--resume", "train.steps=4"]) == 0
    bundle = open_bundle("first")
    summary = RecipeSummary.from_bundle("first", bundle)
    assert summary.command == ""
    assert summary.without_command == "continued with another budget or patience"

    training = bundle.record["training"]
    constant = {**training, "settings": {**training["settings"], "schedule": "constant"}}
    for best, shown in ((2, True), (4, True), (3, False)):
        # A session of three steps validates after the third, and one of four does not.
        record = {**bundle.record, "training": {**constant, "best_step": {"core": best}}}
        assert bool(training_command(Bundle(bundle.model, record))) == shown


def test_no_command_is_shown_for_music_in_memory(folder: Path) -> None:
    rolls = list(zoo.open_corpus("songs"))
    model = zoo.build(TINY)
    model.fit(Corpus.from_rolls(rolls), steps=1, batch=2, device="cpu")
    model.save("made")
    summary = RecipeSummary.from_bundle("made", open_bundle("made"))
    assert summary.command == ""
    assert summary.without_command == "trained from Python, on music in memory"


def test_no_command_is_shown_for_what_only_python_does(folder: Path) -> None:
    """`zoo train` has one seed for the initial weights and for training, and no callbacks."""

    def reason(built: int, trained: int, *callbacks: zoo.Callback) -> str | None:
        model = zoo.build(TINY, seed=built)
        model.fit("songs", steps=1, batch=2, device="cpu", seed=trained, callbacks=callbacks)
        model.save("made", overwrite=True)
        return RecipeSummary.from_bundle("made", open_bundle("made")).without_command

    assert not reason(5, 5)
    assert reason(0, 5) == "trained from Python, with initial weights of seed 0"
    both = "trained from Python, with initial weights of seed 7 and with callbacks"
    assert reason(7, 0, zoo.Callback()) == both


def test_no_command_is_shown_for_some_pieces_or_for_frozen_parameters(folder: Path) -> None:
    def reason(data: Corpus, model: zoo.ZooModel) -> str | None:
        model.fit(data, steps=1, batch=2, device="cpu")
        model.save("made", overwrite=True)
        return RecipeSummary.from_bundle("made", open_bundle("made")).without_command

    songs, frozen = zoo.open_corpus("songs"), zoo.build(TINY)
    assert not reason(songs, zoo.build(TINY))
    fewer = songs.take(range(len(songs.pieces) - 1))
    assert reason(fewer, zoo.build(TINY)) == "trained from Python, on some pieces of a corpus"
    next(iter(frozen.parameters())).requires_grad_(False)
    assert reason(songs, frozen) == "trained from Python, with frozen parameters"


def test_no_command_is_shown_for_a_training_that_was_interrupted(folder: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 2:
            raise KeyboardInterrupt

    model = zoo.build(TINY)
    with pytest.raises(KeyboardInterrupt):
        model.fit("songs", steps=50, batch=2, device="cpu", validate_every=1, listen=interrupt)
    model.save("made")
    assert RecipeSummary.from_bundle("made", open_bundle("made")).without_command == "interrupted"


def test_another_seed_is_only_named_for_weights_that_begin_with_one(folder: Path) -> None:
    model = zoo.build(TINY)
    model.fit("songs", steps=1, batch=2, device="cpu")
    model.fit("songs", steps=1, batch=2, device="cpu", seed=3)
    model.save("made")
    assert "from_python" not in open_bundle("made").record["training"]
