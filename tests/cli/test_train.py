"""`zoo train`: its output, its errors, and the bundle that it writes."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import zoo
from zoo.cli.main import run
from zoo.model.bundle import load_bundle, open_bundle
from zoo.report.recipe import RecipeSummary
from zoo.report.results import read_results
from zoo.train.events import Started, Stepped, Validated
from zoo.train.learner import Learner
from zoo.train.score import Scores
from zoo.train.summary import summarize
from zoo.train.watch import Watch, clock

from .conftest import Output

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


Train = Callable[..., Output]


@pytest.fixture
def train(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Train:
    """`zoo train -o run` in an empty folder, with a tiny model and the tunes."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run_train(
        *extra: str,
        words: list[str] = [*WORDS, f"data={songs}"],  # noqa: B006
        output: str = "run",
    ) -> Output:
        code = run(["train", *words, *extra, "-o", output])
        return Output(code, *capsys.readouterr())

    return run_train


def test_the_command_trains_and_suggests_what_to_do_next(train: Train, songs: Path) -> None:
    result = train("train.steps=4", "seed=3")
    assert result.code == 0, result.err
    assert "4 steps in 0:0" in result.out
    assert f"{songs}: 6 training pieces, 2 validation pieces" in result.err.replace("\n", " ")
    assert f"zoo evaluate run/bundle data={songs}" in result.out
    assert "zoo generate run/bundle" in result.out
    assert "step 4 of 4" in result.err
    assert "nats/frame" in result.err
    assert load_bundle("run/bundle").recipe.parts["attention"].settings.local == 4
    assert run(["generate", "run", "--seed", "3", "-o", "same.mid"]) == 0
    assert Path("run/bundle/sample.mid").read_bytes() == Path("same.mid").read_bytes()
    config = json.loads(Path("run/bundle/config.json").read_text())
    assert config["data"]["name"] == songs.name
    assert config["training"]["seed"] == 3
    assert config["training"]["settings"]["steps"] == 4
    assert set(config["scores"]["validation"]) == {"core", "decoder"}


@pytest.mark.parametrize("output", ["runs/lr=0.01", "lr=0.01", "-o", "a=b c"])
def test_printed_commands_work_with_any_name_of_a_run(train: Train, output: str) -> None:
    Path("runs").mkdir()
    result = train("train.steps=2", output=output)
    assert result.code == 0, result.err
    lines = [line for line in result.out.splitlines() if " zoo " in line]
    commands = [shlex.split(line.removeprefix("Next:"))[1:] for line in lines]
    assert [command[0] for command in commands] == ["evaluate", "generate", "report"]
    for command in commands:
        assert run(command) == 0, command


def test_the_bundle_has_its_score_on_the_validation_pieces_with_kind_and_interval(
    train: Train, songs: Path
) -> None:
    assert train("train.steps=2", "sampler.objective=bound").code == 0
    config = json.loads(Path("run/bundle/config.json").read_text())
    score = zoo.load("run").evaluate(songs, split="valid").score()
    assert config["scores"]["validation_score"] == {
        "nats": pytest.approx(score.value),
        "kind": "bound",
        "interval": score.interval and pytest.approx(list(score.interval)),
        "pieces": 2,
        "full_score": True,
    }
    kinds = config["scores"]["validation_kinds"]
    assert kinds.keys() == config["scores"]["validation"].keys()
    assert kinds["core"] == "bound"
    assert "value: " in Path("run/bundle/README.md").read_text()
    assert "validation_kinds.core" in Path("run/bundle/README.md").read_text()
    assert ("validation, core", f"≤ {config['scores']['validation']['core']:.3f} nats per frame") in (
        RecipeSummary.from_bundle("run", open_bundle("run")).facts
    )


def test_the_score_on_music_without_onsets_is_not_called_a_full_one(train: Train) -> None:
    frames = [[60 + (3 * number + step) % 12] for step in range(40) for number in range(2)]
    pieces = {name: [[*frames[:n]] for n in range(20, 30)] for name in ("train", "valid", "test")}
    Path("frames.json").write_text(json.dumps(pieces))
    result = train("train.steps=1", words=[*WORDS, "data=frames.json", "encoder=sounding"])
    assert result.code == 0
    out = " ".join(result.out.split())
    assert "keys that sound on are not struck again" in result.err
    assert "computes it: the keys alone, as this music has no onsets, without velocity" in out
    card = Path("run/bundle/README.md").read_text()
    assert "core and decoder, as the music has no onsets, without velocity" in card
    config = json.loads(Path("run/bundle/config.json").read_text())
    assert config["scores"]["validation_score"]["full_score"] is False


def test_the_last_lines_name_the_score_and_the_terms_of_the_training(train: Train) -> None:
    result = train("train.steps=2", "velocity=mean")
    config = json.loads(Path("run/bundle/config.json").read_text())
    terms, score = config["scores"]["validation"], config["scores"]["validation_score"]
    keys = terms["core"] + terms["decoder"]
    assert score["nats"] > keys
    out = " ".join(result.out.split())
    assert f"best validation: core ≤ {terms['core']:.3f}, decoder {terms['decoder']:.3f}, velocity" in out
    assert f"{score['nats']:.3f} nats/frame on 2 validation pieces" in out
    assert "on 2 validation pieces, as `zoo evaluate` computes it: with the residual, without velocity" in out
    assert summarize(Path("run")).nats == pytest.approx(keys)
    assert "`validation_score` is the score of `zoo evaluate`" in Path("run/bundle/README.md").read_text()


def test_the_suggested_commands_have_the_same_data_options(train: Train, songs: Path) -> None:
    result = train("train.steps=2", "pedal=hold", r"family=^(\d) ?")
    assert result.code == 0, result.err
    assert f"zoo evaluate run/bundle data={songs} pedal=hold 'family=^(\\d) ?'" in result.out
    config = json.loads(Path("run/bundle/config.json").read_text())
    assert config["data"]["pedal"] == "hold"


def test_json_is_the_only_output(train: Train) -> None:
    result = train("train.steps=2", "--json")
    content = json.loads(result.out)
    assert content["bundle"] == "run/bundle"
    assert content["steps"] == 2
    assert content["best_step"] == {"core": 2, "decoder": 2}


def test_a_run_is_resumed_without_its_words(train: Train) -> None:
    train("train.steps=2")
    weights = Path("run/bundle/model.safetensors").read_bytes()
    again = train("--resume", words=[])
    assert again.code == 0
    assert "The run was complete" in again.err
    assert Path("run/bundle/model.safetensors").read_bytes() == weights
    longer = train("train.epochs=1", "--resume", "--json", words=[])
    assert longer.code == 0, longer.err
    assert json.loads(longer.out)["steps"] > 2


def test_a_run_inside_its_music_folder_does_not_add_its_sample_to_the_music(
    train: Train, songs: Path
) -> None:
    for song in songs.iterdir():
        Path(song.name).write_bytes(song.read_bytes())
    assert train("train.steps=2", words=[*WORDS, "data=."]).code == 0
    again = train("train.steps=4", "--resume", words=[])
    assert again.code == 0, again.err
    assert "6 training pieces, 2 validation pieces" in " ".join(again.err.split())


def test_the_bundle_of_a_complete_run_is_not_written_again(train: Train) -> None:
    first = train("train.steps=4", "--json")
    manifest, card = Path("run/bundle/manifest.json"), Path("run/bundle/README.md")
    card.write_text("by hand")
    before = manifest.stat().st_ino
    again = train("--resume", "--json", words=[])
    assert "The run was complete" in again.err
    assert json.loads(again.out) == json.loads(first.out)
    assert manifest.stat().st_ino == before
    assert card.read_text() == "by hand"
    manifest.unlink()  # killed before the bundle was written
    Path("run/bundle").rename("elsewhere")
    assert json.loads(train("--resume", "--json", words=[]).out) == json.loads(first.out)
    load_bundle("run/bundle")


def test_the_bundle_of_a_run_that_takes_the_name_of_another_is_not_replaced(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("train.steps=2", output="other")
    manifest = Path("other/bundle/manifest.json").read_bytes()

    def exchange(record: dict[str, Any], *arguments: object) -> dict[str, Any]:
        Path("run").rename("moved")
        Path("other").rename("run")
        return record

    monkeypatch.setattr("zoo.measure.validation.with_score", exchange)
    result = train("train.steps=2", "seed=1")
    assert result.code == 1
    assert result.err.splitlines()[-2].startswith("error: run: was moved, and another folder has taken its")
    assert Path("run/bundle/manifest.json").read_bytes() == manifest
    assert not Path("moved/bundle").exists()


def test_an_edited_model_card_is_kept_beside_that_of_an_extended_run(train: Train) -> None:
    train("train.steps=4")
    Path("run/bundle/README.md").write_text("by hand")
    result = train("--resume", "train.steps=6", words=[])
    assert "note: run/bundle/README.md was not the generated one; its text is now README.old.md" in result.err
    assert Path("run/bundle/README.old.md").read_text() == "by hand"
    assert "| steps | 6 |" in Path("run/bundle/README.md").read_text()
    assert "README.old" not in train("--resume", "train.steps=8", words=[]).err


def test_a_training_says_that_it_stopped_early_and_how_to_go_on(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = Scores({"core": 1.0, "decoder": 1.0})
    monkeypatch.setattr("zoo.train.validation.validate", lambda *arguments: scores)
    result = train("train.steps=5", "train.patience=1")
    said = "stopped early: no term improved in the last 2 steps; --resume train.patience=0 trains to the end"
    assert said in " ".join(result.out.split())
    assert json.loads(Path("run/bundle/config.json").read_text())["training"]["stopped"] == "patience"
    again = train("--resume", words=[])
    assert "The run was complete; --resume train.patience=0 trains to the end of the budget." in again.err
    longer = train("--resume", "train.patience=0", "--json", words=[])
    content = json.loads(longer.out)
    assert (content["steps"], content["stopped"]) == (5, "budget")


def test_a_run_finds_its_music_from_another_folder(
    train: Train, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tunes").symlink_to(songs)
    train("train.steps=2", words=[*WORDS, "data=tunes"])
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    longer = train("train.steps=3", "--resume", "--json", words=[], output="../run")
    assert longer.code == 0, longer.err
    assert json.loads(longer.out)["steps"] == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_of_music_that_are_not_utf8_reach_the_bundle_and_the_results(
    train: Train, songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in old archives of MIDI files; a link to the folder is what the error about its name proposes."""
    folder = os.fsdecode(b"m\xfcsic")
    Path(folder).mkdir()
    for song in songs.glob("*.mid"):
        (Path(folder) / os.fsdecode(b"\xfc" + os.fsencode(song.name))).write_bytes(song.read_bytes())
    Path("music").symlink_to(folder)
    trained = train("train.steps=2", words=[*WORDS, "data=music"])
    assert trained.code == 0, trained.err
    config = json.loads(Path("run/bundle/config.json").read_text())
    assert config["data"]["name"] == "m\\udcfcsic"
    assert run(["evaluate", "run", "data=music", "samples=0", "--json"]) == 0
    Path("score.json").write_text(capsys.readouterr().out)
    (result,) = read_results(Path("score.json"))
    assert all(piece["title"].startswith("\\udcfc") for row in result["rows"] for piece in row["pieces"])
    Path("run").rename(os.fsdecode(b"r\xfcn"))
    Path("link").symlink_to(os.fsdecode(b"r\xfcn"))
    tuned = train("train.steps=2", words=["@link", *WORDS[5:], "data=music"], output="tuned")
    assert tuned.code == 0, tuned.err
    assert run(["build", "core=@link", "decoder=@link", "-o", "combined"]) == 0
    words = [*WORDS, "data=music", "train.lr=1e-3..1e-2", "train.steps=2"]
    assert run(["tune", *words, "--trials", "1", "-o", "search"]) == 0
    monkeypatch.chdir(folder)
    assert run(["tune", *WORDS, "data=../music", *words[-2:], "--trials", "1", "-o", "../other"]) == 0


def test_the_music_may_be_named_again_but_not_exchanged(train: Train, songs: Path) -> None:
    train("train.steps=2")
    again = train(f"data={songs}", "train.steps=3", "--resume", "--json", words=[])
    assert json.loads(again.out)["steps"] == 3
    Path("other").mkdir()
    (Path("other") / "a.mid").write_bytes(sorted(songs.glob("*.mid"))[0].read_bytes())
    refused = train("data=other", "--resume", words=[])
    assert refused.code == 2
    assert "the music: is" in refused.err
    assert "to continue, omit data= and restore the music" in refused.err
    assert "zoo train @RUN data=NEW -o NEW_RUN trains" in refused.err


@pytest.mark.parametrize("words", [["train"], ["tune", "train.lr=1e-3..1e-2"]])
def test_a_place_that_cannot_take_the_bundle_is_refused_before_training(
    words: list[str],
    songs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It can never be another place, so that the training of hours would stay without its bundle."""
    monkeypatch.chdir(tmp_path)
    command = [*words, *WORDS, f"data={songs}", "train.steps=2", "-o", "run"]
    if words[0] == "tune":
        command += ["--trials", "1"]
    assert run(command) == 0
    (tmp_path / "run" / "bundle" / "manifest.json").unlink()
    monkeypatch.setattr("zoo.train.learner.Learner.__init__", lambda *args, **options: pytest.fail("trained"))
    longer = ["--trials", "2"] if words[0] == "tune" else ["train.steps=4"]
    capsys.readouterr()
    assert run([words[0], "-o", "run", "--resume", *longer]) in (2, 5)
    err = capsys.readouterr().err
    assert "run/bundle" in err
    assert f"zoo {words[0]} -o run --resume writes the bundle" in err or "manifest.json: is missing" in err


@pytest.mark.parametrize("output", [".", "", "/"])
def test_a_run_needs_a_folder_of_its_own(train: Train, output: str) -> None:
    result = train("train.steps=1", output=output)
    assert result.code == 2
    assert "a run needs a folder of its own" in result.err
    assert not Path("recipe.json").exists()


def test_a_run_with_the_name_of_a_bundle_on_the_hub_could_not_be_named(train: Train) -> None:
    result = train("train.steps=1", output="./hf:me/mine")
    assert result.code == 2
    assert "names that begin with `hf:` are bundles on the Hub" in result.err
    assert not Path("hf:me").exists()


def test_music_without_a_name_is_refused(train: Train) -> None:
    result = train("data=", "train.steps=1", words=[])
    assert result.code == 2
    assert "data=: no music is named" in result.err
    assert "a shell variable may be unset" in result.err


def test_a_single_piece_is_trained_on_with_a_note(train: Train, songs: Path) -> None:
    Path("one").mkdir()
    (Path("one") / "a.mid").write_bytes(sorted(songs.glob("*.mid"))[0].read_bytes())
    result = train("train.steps=1", words=[*WORDS, "data=one"])
    assert result.code == 0
    assert "one: 1 training piece, 0 validation pieces" in result.err
    assert "note: there is one piece only: nothing is held out" in result.err
    assert "1 step in" in result.out
    assert "run/bundle: the last weights" in result.out
    assert "zoo evaluate" not in result.out
    assert "Next:  zoo generate run/bundle" in result.out


def test_resuming_a_missing_run_starts_it(train: Train) -> None:
    result = train("train.steps=2", "--resume")
    assert result.code == 0
    assert "The run was complete" not in result.err
    assert "note: there is no run in run; a new one is started" in result.err
    assert "a new one is started" not in train("train.steps=3", "--resume", words=[]).err


@pytest.mark.parametrize("settings", [[], ["train.steps=5"], ["train.steps=5", "train.patience=0"]])
def test_resuming_without_a_recipe_needs_a_run(train: Train, settings: list[str]) -> None:
    result = train("--resume", words=settings)
    assert result.code == 2
    assert "there is no run here to resume" in result.err
    assert not Path("run").exists()


def test_an_existing_run_is_not_overwritten(train: Train) -> None:
    train("train.steps=2")
    result = train("train.steps=2")
    assert (result.code, result.out) == (2, "")
    assert "use --resume to continue it" in result.err


def test_another_recipe_is_an_error_that_lists_the_differences(train: Train) -> None:
    train("train.steps=2")
    result = train("train.lr=0.5", "--resume", words=[])
    assert result.code == 2
    assert "train.lr: is now 0.5, but the run was started with" in result.err
    result = train("train.steps=2", "sampler.voices=3", "--resume")
    assert result.code == 2
    assert "sampler.voices: is now 3" in result.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["data=/nowhere"], 3, "there is no corpus"),
        (["velocity=lsmt"], 2, "velocity=lsmt"),
        (["train.steps=1", "train.minutes=1"], 2, "mutually exclusive"),
        (["train.device=abacus"], 2, "no device abacus"),
        (["train.steps=0"], 2, "train.steps=1"),
    ],
)
def test_an_error_leaves_no_folder(
    train: Train, songs: Path, words: list[str], code: int, message: str
) -> None:
    result = train(words=[*words, *([] if "data" in words[0] else [f"data={songs}"])])
    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert not Path("run").exists()


def test_ctrl_c_prints_the_command_to_resume(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn

    def press(learner: Learner, *arguments: Any) -> Any:
        if learner.step == 2:
            signal.raise_signal(signal.SIGINT)
        return learn(learner, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", press)
        result = train("train.steps=6")
    assert result.code == 130
    assert "Continue with: zoo train -o run --resume" in result.err
    assert not Path("run/bundle").exists()
    interrupted = train("--resume", "--json", words=[])
    assert json.loads(interrupted.out)["steps"] == 6


def test_a_nan_gradient_has_exit_code_6(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn

    def spoil(learner: Learner, *arguments: Any) -> Any:
        if learner.step == 1:
            with_nan = learner.model.decoder.get_parameter("linear.bias")
            with_nan.register_hook(lambda gradient: gradient * float("nan"))
        return learn(learner, *arguments)

    monkeypatch.setattr(Learner, "learn", spoil)
    result = train("train.steps=6")
    assert result.code == 6
    assert "the gradient of the decoder is nan at step 2" in result.err
    assert "nonfinite.json" in result.err


def test_speed_is_not_shown_before_it_is_known() -> None:
    lines = io.StringIO()
    watch = Watch(Console(file=lines, width=100))
    watch(Started(step=7, steps=None, seconds=600, epoch=10, device="cpu", threads=1))
    watch(Stepped(8, {"core": 3.0}, frames=1000, seconds=30.0))
    assert "step 8, epoch 1, 9:30 left" in lines.getvalue()
    assert "training on cpu with 1 thread, from step 7, 10 steps per epoch" in lines.getvalue()


def test_a_terminal_shows_a_table() -> None:
    window = io.StringIO()
    console = Console(file=window, force_terminal=True, width=100, markup=False)
    with Watch(console) as watch:
        watch(Started(step=0, steps=100, seconds=None, epoch=10, device="cpu", threads=1))
        for step in range(1, 31):
            losses = {"core": 3.0, "decoder": 2.0, "velocity": 2.0}
            watch(Stepped(step, losses, frames=1000, seconds=0.5 * step))  # type: ignore[arg-type]
        watch(Validated(30, {"core": 2.5, "decoder": 1.25, "velocity": 1.0}, ("core",), seconds=16.0))
    text = window.getvalue()
    assert "step 30 of 100, epoch 3, 2,000 frames/s, 0:35 left" in text
    for cell in ("core", "2.500", "core + decoder", "3.750", "velocity", "1.000"):
        assert cell in text


@pytest.mark.parametrize(("seconds", "text"), [(7, "0:07"), (150.4, "2:30"), (3723, "1:02:03")])
def test_times_are_formatted_as_clocks(seconds: float, text: str) -> None:
    assert clock(seconds) == text
