"""`zoo tune`: its table, its errors, and a search that is killed and continued."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from zoo.cli.main import run
from zoo.registry import open_registry
from zoo.search.api import open_search
from zoo.search.store import JOURNAL
from zoo.train.learner import Learner

from .conftest import Output

pytest.importorskip("optuna")

WORDS = [
    "attention=none",
    "attention.local=4..8",
    "attention.features=5",
    "sampler.hidden=4",
    "decoder=lstm,uniform",
    "decoder.hidden=4..9",
    "train.batch=4",
    "train.frames=16",
    "train.stride=8",
    "train.past=4",
    "train.validate_every=2",
    "train.lr=1e-3..1e-1:log",
    "train.device=cpu",
]


Tune = Callable[..., Output]


@pytest.fixture
def tune(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tune:
    """`zoo tune -o search` in an empty folder, with tiny models and a folder of tunes."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def go(*extra: str, words: list[str] = [*WORDS, f"data={songs}"], output: str = "search") -> Output:  # noqa: B006
        code = run(["tune", *words, *extra, "-o", output])
        return Output(code, *capsys.readouterr())

    return go


def results(text: str) -> dict[str, Any]:
    """The JSON of a search, without training times."""
    content: dict[str, Any] = json.loads(text)
    for trial in content["trials"]:
        del trial["seconds"]
    return content


def test_the_table_ranks_trials_and_the_best_command_gives_the_same_model(tune: Tune) -> None:
    result = tune("train.steps=4", "--trials", "3", "--seed", "1")
    assert result.code == 0, result.err
    heading, _, *rows = [line.split() for line in result.out.splitlines() if line.strip()]
    searched = ["decoder", "attention.local", "decoder.hidden", "train.lr"]
    assert heading == ["trial", "nats", *searched, "minutes", "state"]
    nats = [float(row[2]) for row in rows[:3]]  # after the mark of a bound
    assert nats == sorted(nats)
    assert "3 trials: 3 complete" in result.out
    assert f"search/bundle: the model of trial {rows[0][0]}" in result.out
    assert "the best so far" in result.err
    command = next(line for line in result.out.splitlines() if line.startswith("Next:")).removeprefix("Next:")
    words = shlex.split(command)
    assert words[:2] == ["zoo", "train"]
    assert run(words[1:]) == 0
    trained, kept = (
        Path(folder, "model.safetensors").read_bytes() for folder in ("best/bundle", "search/bundle")
    )
    assert trained == kept


def next_command(out: str) -> list[str]:
    """The words of the printed command that trains the best trial again."""
    (line,) = (line for line in out.splitlines() if line.startswith("Next:"))
    return shlex.split(line.removeprefix("Next:"))[1:]


def test_the_best_command_has_what_a_recipe_file_said(tune: Tune, songs: Path) -> None:
    """Settings of another part are left out, and later changes of the file do not matter."""
    Path("my.toml").write_text('[decoder]\npart = ["lstm", "uniform"]\nhidden = [5, 6]\n[train]\nsteps = 2\n')
    words = [f"data={songs}", *(word for word in WORDS if not word.startswith("decoder"))]
    assert tune("@my.toml", "--trials", "4", "--seed", "1", words=words).code == 0
    trials = results(tune("--resume", "--json", words=[]).out)["trials"]
    assert {trial["values"]["decoder"] for trial in trials} == {"lstm", "uniform"}
    Path("my.toml").write_text("[train]\nsteps = 9\n")
    command = next_command(tune("--resume", words=[]).out)
    assert "train.steps=2" in command
    assert run(command) == 0


def test_the_best_command_leads_to_the_music_from_another_folder(
    tune: Tune, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(songs, "mine")
    assert tune("train.steps=2", "data=mine", "--trials", "1", words=WORDS).code == 0
    Path("below").mkdir()
    monkeypatch.chdir("below")
    command = next_command(tune("--resume", words=[], output="../search").out)
    assert run(command) == 0
    assert Path("best/bundle/model.safetensors").read_bytes() == (
        Path("../search/bundle/model.safetensors").read_bytes()
    )


def test_printed_commands_agree_to_run_the_code_that_they_need(
    tune: Tune, songs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plugin", "new", "mine", "--slot", "decoder", "--file"]) == 0
    capsys.readouterr()
    words = [word for word in WORDS if not word.startswith("decoder")]
    found = tune("train.steps=2", "decoder=./mine.py", f"data={songs}", "--trials", "1", words=words)
    assert found.code == 0, found.err
    commands = [
        shlex.split(line.removeprefix("Next:"))[1:] for line in found.out.splitlines() if " zoo " in line
    ]
    assert [command[0] for command in commands] == ["train", "evaluate", "generate"]
    assert all(run(command) == 0 for command in commands)
    assert open_search([], Path("search"), 2, None, True, open_registry(local=True)).again == (
        "zoo tune -o search --resume --local"
    )


def test_repeated_values_are_counted_and_not_ranked(tune: Tune, songs: Path) -> None:
    words = [f"data={songs}", *(word for word in WORDS if ".." not in word and "," not in word)]
    result = tune("train.steps=2", "decoder=lstm,uniform", "--trials", "5", words=words)
    assert "5 trials: 5 complete" in result.out
    assert "3 trials repeated earlier values, without training" in result.out
    rows = [line for line in result.out.splitlines() if line.endswith("complete") and "trials" not in line]
    assert len(rows) == 2


def test_a_card_that_was_edited_is_kept_beside_that_of_a_better_trial(tune: Tune) -> None:
    assert tune("train.steps=2", "--trials", "1").code == 0
    Path("search/bundle/README.md").write_text("my notes")
    better = tune("--resume", "--trials", "6", words=[])
    assert "the best so far" in better.err
    assert "search/bundle/README.md was edited; its text is now README.old.md" in better.err
    assert Path("search/bundle/README.old.md").read_text() == "my notes"


def test_a_search_is_continued_and_extended(tune: Tune) -> None:
    assert tune("train.steps=2", "--trials", "2").code == 0
    again = tune("train.steps=2", "--trials", "2")
    assert again.code == 2
    assert "use --resume to continue it" in again.err
    complete = tune("--resume", "--json", words=[])
    assert complete.code == 0
    assert "The search was complete; raise --trials to search further." in complete.err
    longer = tune("--resume", "--trials", "3", "--json", words=[])
    assert len(json.loads(longer.out)["trials"]) == 3
    assert json.loads(longer.out)["trials"][:2] == json.loads(complete.out)["trials"]


def test_all_mistakes_are_reported_at_once(tune: Tune) -> None:
    result = tune("train.steps=2", "train.ema=0.1..2", "attention.features=9..x", "--trials", "2", words=[])
    assert (result.code, result.out) == (2, "")
    assert "train.ema=0.1..2: it takes a number of at least 0, below 1" in result.err
    assert "attention.features=9..x: the bounds of a range must be whole numbers" in result.err
    assert not Path("search").exists()


@pytest.mark.parametrize("output", [".", "/"])
def test_a_search_needs_a_folder_of_its_own(tune: Tune, output: str) -> None:
    result = tune("train.steps=1", output=output)
    assert result.code == 2
    assert "a search needs a folder of its own" in result.err


def test_the_folder_of_something_else_is_left_alone(tune: Tune) -> None:
    Path("search").mkdir()
    Path("search/notes.txt").write_text("mine")
    result = tune("train.steps=1")
    assert result.code == 2
    assert "contains other files (notes.txt) and no search" in result.err
    assert [path.name for path in Path("search").iterdir()] == ["notes.txt"]


def test_a_failed_trial_is_shown_with_its_reason(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn
    calls: list[int] = []

    def spoil(learner: Learner, *arguments: Any) -> Any:
        calls.append(learner.step)
        if len(calls) == 1:
            next(learner.model.attention.parameters()).register_hook(lambda gradient: gradient * float("nan"))
        return learn(learner, *arguments)

    monkeypatch.setattr(Learner, "learn", spoil)
    result = tune("train.steps=2", "--trials", "2")
    assert result.code == 0, result.err
    assert "trial 1 of 2: failed (the gradient of the core is nan" in result.err
    assert "2 trials: 1 complete, 1 failed" in result.out


def test_ctrl_c_prints_the_command_to_continue(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = results(tune("train.steps=6", "--trials", "2", "--json", output="whole").out)
    learn, steps = Learner.learn, []

    def press(learner: Learner, *arguments: Any) -> Any:
        steps.append(learner.step)
        if len(steps) == 10:
            signal.raise_signal(signal.SIGINT)
        return learn(learner, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", press)
        result = tune("train.steps=6", "--trials", "2")
    assert result.code == 130
    assert "Continue with: zoo tune -o search --resume" in result.err
    again = results(tune("--resume", "--json", words=[]).out)
    assert again["trials"] == whole["trials"]


KILLED = """
import os, signal, sys

from zoo.cli.main import run

place, *words = sys.argv[1:]

def kill(event, arguments):
    if event != "os.kill" and os.path.exists(place):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
sys.exit(run(words))
"""
"""A command that is killed as soon as a file exists: at the next file that it opens, renames or removes."""


@pytest.fixture
def command(songs: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The arguments of `subprocess` for `zoo tune`, or for a script that is given its words."""

    def go(*words: str, program: Sequence[str] = ("-m", "zoo")) -> dict[str, Any]:
        return {
            "args": [sys.executable, *program, "tune", *WORDS, f"data={songs}", *words],
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "cwd": tmp_path,
            "env": {**os.environ, "ZOO_CACHE": str(tmp_path / "cache")},
        }

    return go


@pytest.mark.slow
def test_a_killed_search_has_the_twenty_trials_of_an_uninterrupted_one(
    tune: Tune, command: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    budget = ["train.steps=4", "--trials", "20", "--seed", "1", "--json"]
    whole = results(tune(*budget, output="whole").out)
    assert [trial["trial"] for trial in whole["trials"]] == list(range(1, 21))

    # When a trial begins, before its first checkpoint, in the middle of training, and in the last trial.
    for place in ("002", "007/recipe.json", "013/best.safetensors", "020/last.safetensors"):
        script = ("-c", KILLED, str(tmp_path / "search" / "trials" / place))
        killed = subprocess.run(**command(*budget, "-o", "search", "--resume", program=script), check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        with (tmp_path / "search" / JOURNAL).open("a") as journal:
            journal.write('{"op_code":5,"worker')  # a line cut short, as by a full disk
    resumed = results(tune(*budget, "--resume").out)
    assert resumed["trials"] == whole["trials"]
    assert {trial["state"] for trial in resumed["trials"]} == {"complete", "pruned"}
    bundles = [tmp_path / name / "bundle" / "model.safetensors" for name in ("whole", "search")]
    assert bundles[0].read_bytes() == bundles[1].read_bytes()


@pytest.mark.slow
def test_two_searches_in_one_folder_are_refused(
    command: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    with subprocess.Popen(**command("train.steps=100000", "-o", "search")) as first:
        try:
            while not (tmp_path / "search" / "trials" / "001" / "last.safetensors").exists():
                assert first.poll() is None, first.communicate()[1]
                time.sleep(0.01)
            second = subprocess.run(
                **command("train.steps=100000", "-o", "search", "--resume"), check=False, timeout=300
            )
        finally:
            first.kill()
    assert second.returncode == 2
    assert f"process {first.pid}" in second.stderr
    assert "is searching here" in second.stderr
