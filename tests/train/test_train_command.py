"""`zoo train`: from words to a bundle, and what is said on the way."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from zoo.cli.main import run
from zoo.model.bundle import load_bundle
from zoo.train.events import Started, Stepped, Validated
from zoo.train.learner import Learner
from zoo.train.watch import Watch, clock

WORDS = [
    "attention=none",
    "attention.local=4",
    "attention.features=5",
    "sampler.hidden=4",
    "decoder.hidden=4",
    "train.batch=4",
    "train.frames=16",
    "train.stride=8",
    "train.past=4",
    "train.validate_every=2",
]


class Said:
    """What a command line came to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Train = Callable[..., Said]


@pytest.fixture
def train(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Train:
    """`zoo train -o run` in an empty folder, with a tiny model and the tunes."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def go(*more: str, words: list[str] = [*WORDS, f"data={songs}"]) -> Said:  # noqa: B006
        code = run(["train", *words, *more, "-o", "run"])
        return Said(code, *capsys.readouterr())

    return go


def test_it_trains_and_says_what_is_next(train: Train, songs: Path) -> None:
    said = train("train.steps=4", "seed=3")
    assert said.code == 0, said.err
    assert "4 steps in 0:0" in said.out
    assert f"{songs}: 6 training pieces, 2 validation pieces" in said.err.replace("\n", " ")
    assert f"zoo evaluate run/bundle data={songs}" in said.out
    assert "zoo generate run/bundle" in said.out
    assert "step 4 of 4" in said.err
    assert "nats/frame" in said.err
    assert load_bundle("run/bundle").recipe.parts["attention"].settings.local == 4
    assert Path("run/bundle/sample.mid").read_bytes().startswith(b"MThd")
    config = json.loads(Path("run/bundle/config.json").read_text())
    assert config["data"]["name"] == songs.name
    assert config["training"]["seed"] == 3
    assert config["training"]["settings"]["steps"] == 4
    assert set(config["scores"]["validation"]) == {"core", "decoder"}


def test_music_read_in_another_way_is_evaluated_in_that_way(train: Train, songs: Path) -> None:
    said = train("train.steps=2", "pedal=hold", r"family=^(\d) ?")
    assert said.code == 0, said.err
    assert f"zoo evaluate run/bundle data={songs} pedal=hold 'family=^(\\d) ?'" in said.out
    config = json.loads(Path("run/bundle/config.json").read_text())
    assert config["data"]["pedal"] == "hold"


def test_json_is_all_that_is_printed(train: Train) -> None:
    said = train("train.steps=2", "--json")
    found = json.loads(said.out)
    assert found["bundle"] == "run/bundle"
    assert found["steps"] == 2
    assert found["best_step"] == {"core": 2, "decoder": 2}


def test_a_run_goes_on_without_its_words(train: Train) -> None:
    train("train.steps=2")
    weights = Path("run/bundle/model.safetensors").read_bytes()
    again = train("--resume", words=[])
    assert again.code == 0
    assert "The run was complete" in again.err
    assert Path("run/bundle/model.safetensors").read_bytes() == weights
    longer = train("train.epochs=1", "--resume", "--json", words=[])
    assert longer.code == 0, longer.err
    assert json.loads(longer.out)["steps"] > 2


def test_resuming_what_was_never_begun_begins_it(train: Train) -> None:
    said = train("train.steps=2", "--resume")
    assert said.code == 0
    assert "The run was complete" not in said.err


def test_without_words_there_must_be_a_run_to_go_on_with(train: Train) -> None:
    said = train("--resume", words=[])
    assert said.code == 2
    assert "there is no run here to resume" in said.err
    assert not Path("run").exists()


def test_a_run_is_not_trained_over(train: Train) -> None:
    train("train.steps=2")
    said = train("train.steps=2")
    assert (said.code, said.out) == (2, "")
    assert "--resume goes on with it" in said.err


def test_another_recipe_is_refused_with_the_difference(train: Train) -> None:
    train("train.steps=2")
    said = train("train.lr=0.5", "--resume", words=[])
    assert said.code == 2
    assert "train.lr: is 0.5 now, the run was begun with" in said.err
    said = train("train.steps=2", "sampler.voices=3", "--resume")
    assert said.code == 2
    assert "sampler.voices: is 3 now" in said.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["data=/nowhere"], 3, "there is no corpus"),
        (["velocity=lsmt"], 2, "velocity=lsmt"),
        (["train.steps=1", "train.minutes=1"], 2, "one is enough"),
        (["train.device=abacus"], 2, "no device abacus"),
        (["train.steps=0"], 2, "train.steps=1"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_left(
    train: Train, songs: Path, words: list[str], code: int, said: str
) -> None:
    found = train(words=[*words, *([] if "data" in words[0] else [f"data={songs}"])])
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert not Path("run").exists()


def test_ctrl_c_says_how_to_go_on(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn

    def press(learner: Learner, *arguments: Any) -> Any:
        if learner.step == 2:
            signal.raise_signal(signal.SIGINT)
        return learn(learner, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", press)
        said = train("train.steps=6")
    assert said.code == 130
    assert "Continue with: zoo train -o run --resume" in said.err
    assert not Path("run/bundle").exists()
    interrupted = train("--resume", "--json", words=[])
    assert json.loads(interrupted.out)["steps"] == 6


def test_a_value_that_is_no_number_ends_with_code_6(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn

    def spoil(learner: Learner, *arguments: Any) -> Any:
        if learner.step == 1:
            with_nan = learner.model.decoder.get_parameter("linear.bias")
            with_nan.register_hook(lambda gradient: gradient * float("nan"))
        return learn(learner, *arguments)

    monkeypatch.setattr(Learner, "learn", spoil)
    said = train("train.steps=6")
    assert said.code == 6
    assert "the gradient of the decoder is nan at step 2" in said.err
    assert "nonfinite.json" in said.err


def test_speed_is_not_told_before_it_is_known() -> None:
    lines = io.StringIO()
    watch = Watch(Console(file=lines, width=100))
    watch(Started(step=7, steps=None, seconds=600, epoch=10, device="cpu", threads=1))
    watch(Stepped(8, {"core": 3.0}, frames=1000, seconds=30.0))
    assert "step 8, epoch 1, 9:30 left" in lines.getvalue()
    assert "training on cpu with 1 thread, from step 7, 10 steps per epoch" in lines.getvalue()


def test_a_terminal_sees_a_table() -> None:
    window = io.StringIO()
    console = Console(file=window, force_terminal=True, width=100, markup=False)
    with Watch(console) as watch:
        watch(Started(step=0, steps=100, seconds=None, epoch=10, device="cpu", threads=1))
        for step in range(1, 31):
            losses = {"core": 3.0, "decoder": 2.0}
            watch(Stepped(step, losses, frames=1000, seconds=0.5 * step))  # type: ignore[arg-type]
        watch(Validated(30, {"core": 2.5, "decoder": 1.25}, ("core",), seconds=16.0))
    text = window.getvalue()
    for said in ("step 30 of 100, epoch 3, 2,000 frames/s, 0:35 left", "core", "2.500", "together", "3.750"):
        assert said in text


@pytest.mark.parametrize(("seconds", "said"), [(7, "0:07"), (150.4, "2:30"), (3723, "1:02:03")])
def test_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert clock(seconds) == said
