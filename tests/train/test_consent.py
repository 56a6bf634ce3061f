"""Code that only a file names: run folders, bundles, studies, menus and completion run none of it unasked."""

from __future__ import annotations

import json
import marshal
import shutil
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Any

import click
import pytest

from zoo.cli.build import BuildKeys
from zoo.cli.main import run
from zoo.cli.words import complete_word
from zoo.errors import BundleError
from zoo.model.bundle import load_bundle

PLUGIN = """
import pathlib
pathlib.Path("was-run").touch()
from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import Attention
from zoo.parts.layers import LSTM

class Mine(Attention):
    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features = 5
        self.lstm = LSTM(sizes.codes, 5)

    def start(self, past):
        return self.lstm.start(past.shape[0])

    def forward(self, codes, clock, state):
        return self.lstm(codes, state)

@hookimpl
def zoo_parts():
    return [Description("attention", "mine", "Made for a test", Mine)]
"""
WORDS = [
    "sampler.hidden=4",
    "decoder.hidden=4",
    "train.steps=2",
    "train.batch=4",
    "train.frames=16",
    "train.stride=8",
    "train.past=4",
    "train.validate_every=2",
    "train.device=cpu",
]

Zoo = Callable[..., tuple[int, str]]


@pytest.fixture
def zoo(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Zoo:
    """Run a command line in a folder with `mine.py` in it; the exit code and all that was said."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for variable in ("ZOO_PLUGINS", "ZOO_LOCAL"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(PLUGIN)
    Path("songs").symlink_to(songs)

    def go(*words: str) -> tuple[int, str]:
        Path("was-run").unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            for variable in ("ZOO_PLUGINS", "ZOO_LOCAL"):
                patch.setenv(variable, "")
                patch.delenv(variable)
            code = run(words)
        said = capsys.readouterr()
        return code, said.out + said.err

    return go


def was_run() -> bool:
    return Path("was-run").exists()


def edit(path: str, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(Path(path).read_text())
    change(content)
    Path(path).write_text(json.dumps(content))


@pytest.fixture(scope="session")
def trained(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that `zoo train attention=./mine.py` began."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        Path("mine.py").write_text(PLUGIN)
        Path("songs").symlink_to(songs)
        assert run(["train", "attention=./mine.py", *WORDS, "data=songs", "-o", "run"]) == 0
    return folder / "run"


@pytest.fixture
def begun(zoo: Zoo, trained: Path) -> Zoo:
    """With a run in `run` that was begun with the file."""
    shutil.copytree(trained, "run")
    return zoo


@pytest.mark.parametrize("switches", [[], ["--no-plugins"], ["--no-plugins", "--local"]])
def test_a_run_folder_runs_no_code(begun: Zoo, switches: list[str]) -> None:
    code, said = begun("train", "-o", "run", "--resume", *switches)
    assert code == 2
    assert "attention=./mine.py:mine (in run/recipe.json)" in said
    assert "code in a file is run only if you name the file yourself" in said
    assert not was_run()


@pytest.mark.parametrize("more", [["--local"], ["attention=./mine.py"]])
def test_a_run_goes_on_where_its_code_is_agreed_to(begun: Zoo, more: list[str]) -> None:
    code, said = begun("train", "-o", "run", "--resume", "train.steps=3", *more)
    assert (code, was_run()) == (0, True), said
    assert "3 steps" in said


def test_a_run_goes_on_from_another_folder(begun: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("below").mkdir()
    monkeypatch.chdir("below")
    words = ("attention=../mine.py", *WORDS, "data=../songs")
    code, said = begun("train", *words, "-o", "../run", "--resume")
    assert code == 0, said


@pytest.mark.parametrize("more", [["--local"], ["attention=./mine.py"]])
def test_a_file_that_has_changed_is_not_imported_to_find_out(begun: Zoo, more: list[str]) -> None:
    Path("mine.py").write_text(PLUGIN + "\n# changed")
    code, said = begun("train", "-o", "run", "--resume", *more)
    assert code == 2
    assert "the file has changed" in said
    assert not was_run()


def test_words_of_a_run_must_be_those_of_its_parts(begun: Zoo) -> None:
    Path("evil.py").write_text(PLUGIN)
    edit("run/recipe.json", lambda plan: plan.update(words=plan["words"].replace("voices", "./evil.py")))
    code, said = begun("train", "-o", "run", "--resume", "--local")
    assert (code, was_run()) == (5, False)
    assert "its words and its parts contradict each other" in said


@pytest.mark.parametrize("words", ["@evil.toml", "evil", "attention=mine @evil.toml", ["a=b"]])
def test_words_of_a_run_are_keys_and_values(begun: Zoo, words: Any) -> None:
    Path("evil.toml").write_text('attention = "./mine.py"')
    edit("run/recipe.json", lambda plan: plan.update(words=words))
    code, _ = begun("train", "-o", "run", "--resume")
    assert (code, was_run()) == (5, False)


def test_a_bundle_runs_no_other_file_than_it_was_made_with(
    begun: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BundleError, match="code from a file"):
        load_bundle("run/bundle")
    monkeypatch.setenv("ZOO_LOCAL", "1")
    load_bundle("run/bundle")
    Path("mine.py").write_text(PLUGIN + "\n# changed")
    Path("was-run").unlink(missing_ok=True)
    with pytest.raises(BundleError, match="the file has changed"):
        load_bundle("run/bundle")
    assert not was_run()


@pytest.mark.parametrize("source", ["run", "run/bundle"])
def test_a_trained_part_runs_no_code(begun: Zoo, source: str) -> None:
    code, said = begun("build", f"core=@{source}")
    assert (code, was_run()) == (5, False)
    assert "code from a file" in said


@pytest.mark.parametrize(
    "menu", ['[defaults]\nattention = "./mine.py"', '[recipes]\nnice = "attention=./mine.py"']
)
def test_completion_runs_no_code_that_a_menu_names(zoo: Zoo, menu: str) -> None:
    Path("registry.toml").write_text(menu)
    context = click.Context(click.Command("build"))
    context.params["words"] = ("nice",) if "nice" in menu else ()
    parameter = click.Argument(["words"])
    found = complete_word(context, parameter, "attention.", keys=BuildKeys, sections={})
    assert (found, was_run()) == ([], False)


def test_a_menu_runs_no_code(zoo: Zoo) -> None:
    Path("registry.toml").write_text('[defaults]\nattention = "./mine.py"')
    code, said = zoo("build")
    assert (code, was_run()) == (2, False)
    assert "code in a file is run only if you name the file yourself" in said


def test_a_study_runs_no_code(zoo: Zoo) -> None:
    Path("study.toml").write_text('data = "songs"\n[[grid]]\nattention = "./mine.py"')
    for command in (["run", "study.toml"], ["table", "study.toml"], ["run", "study.toml", "--no-plugins"]):
        code, said = zoo("bench", *command)
        assert (code, was_run()) == (2, False)
        assert "code in a file is run only if you name the file yourself" in said


def test_work_refuses_another_file_than_the_study_means(zoo: Zoo) -> None:
    from zoo.bench.local import CellFailed, run_process

    order = {
        "name": "cell", "term": "core", "recipe": "attention=./mine.py", "files": {"attention": "0" * 12},
        "data": "songs", "place": "songs", "split": "test", "train": {"steps": 1, "device": "cpu"}, "seed": 0,
    }  # fmt: skip
    Path("was-run").unlink(missing_ok=True)
    with pytest.raises(CellFailed, match="the file has changed"):
        run_process(order, Path("work/cell"))
    assert not was_run()


def test_compiled_code_beside_a_file_is_not_run_in_its_place(begun: Zoo) -> None:
    """Python would run it: it says of itself that it need not be compared with the source."""
    source = Path("mine.py").resolve()
    evil = compile("open('was-evil', 'w')\n" + PLUGIN, str(source), "exec")
    compiled = Path(cache_from_source(str(source)))
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(MAGIC_NUMBER + (0b01).to_bytes(4, "little") + bytes(8) + marshal.dumps(evil))
    code, said = begun("train", "-o", "run", "--resume", "train.steps=3", "--local")
    assert code == 0, said
    assert not Path("was-evil").exists()
