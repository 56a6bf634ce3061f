"""Run folders, bundles, studies, menus and completion never run a file of code without the user's consent."""

from __future__ import annotations

import json
import marshal
import shutil
from collections.abc import Callable
from hashlib import sha256
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
from zoo.model.sealed import canonical, manifest

from .mine import MINE

PLUGIN = f"""
import pathlib
pathlib.Path("was-run").touch()
{MINE}
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
    """Run a command in a folder with a `mine.py`; returns the exit code and the output."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for variable in ("ZOO_PLUGINS", "ZOO_LOCAL"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(PLUGIN)
    Path("songs").symlink_to(songs)

    def run_command(*words: str) -> tuple[int, str]:
        Path("was-run").unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            for variable in ("ZOO_PLUGINS", "ZOO_LOCAL"):
                patch.setenv(variable, "")
                patch.delenv(variable)
            code = run(words)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run_command


def was_run() -> bool:
    return Path("was-run").exists()


def edit(path: str, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(Path(path).read_text())
    change(content)
    Path(path).write_text(json.dumps(content))


@pytest.fixture(scope="session")
def trained(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run started with `zoo train attention=./mine.py`."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        Path("mine.py").write_text(PLUGIN)
        Path("songs").symlink_to(songs)
        assert run(["train", "attention=./mine.py", *WORDS, "data=songs", "-o", "run"]) == 0
    return folder / "run"


@pytest.fixture
def with_run(zoo: Zoo, trained: Path) -> Zoo:
    """`zoo` in a folder with this run in `run`."""
    shutil.copytree(trained, "run")
    return zoo


@pytest.mark.parametrize("switches", [[], ["--no-plugins"], ["--no-plugins", "--local"]])
def test_a_run_folder_runs_no_code(with_run: Zoo, switches: list[str]) -> None:
    code, output = with_run("train", "-o", "run", "--resume", *switches)
    assert code == 2
    assert "attention=./mine.py:mine (in run/recipe.json)" in output
    assert "code in a file is run only if you name the file yourself" in output
    assert not was_run()


@pytest.mark.parametrize("arguments", [["--local"], ["attention=./mine.py"]])
def test_a_run_with_trusted_code_is_resumed(with_run: Zoo, arguments: list[str]) -> None:
    code, output = with_run("train", "-o", "run", "--resume", "train.steps=3", *arguments)
    assert (code, was_run()) == (0, True), output
    assert "3 steps" in output


def test_a_run_is_resumed_from_another_folder(with_run: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("below").mkdir()
    monkeypatch.chdir("below")
    words = ("attention=../mine.py", *WORDS, "data=../songs")
    code, output = with_run("train", *words, "-o", "../run", "--resume")
    assert code == 0, output


@pytest.mark.parametrize("arguments", [["--local"], ["attention=./mine.py"]])
def test_a_changed_file_is_detected_without_importing_it(with_run: Zoo, arguments: list[str]) -> None:
    Path("mine.py").write_text(PLUGIN + "\n# changed")
    code, output = with_run("train", "-o", "run", "--resume", *arguments)
    assert code == 2
    assert "the file has changed" in output
    assert not was_run()


def test_the_words_of_a_run_must_match_its_parts(with_run: Zoo) -> None:
    Path("evil.py").write_text(PLUGIN)
    edit("run/recipe.json", lambda plan: plan.update(words=plan["words"].replace("voices", "./evil.py")))
    code, output = with_run("train", "-o", "run", "--resume", "--local")
    assert (code, was_run()) == (5, False)
    assert "its words contradict its parts" in output


@pytest.mark.parametrize("words", ["@evil.toml", "evil", "attention=mine @evil.toml", ["a=b"]])
def test_the_words_of_a_run_must_be_keys_and_values(with_run: Zoo, words: Any) -> None:
    Path("evil.toml").write_text('attention = "./mine.py"')
    edit("run/recipe.json", lambda plan: plan.update(words=words))
    code, _ = with_run("train", "-o", "run", "--resume")
    assert (code, was_run()) == (5, False)


def test_a_bundle_only_runs_the_file_it_was_made_with(with_run: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleError, match="code from a file"):
        load_bundle("run/bundle")
    monkeypatch.setenv("ZOO_LOCAL", "1")
    load_bundle("run/bundle")
    Path("mine.py").write_text(PLUGIN + "\n# changed")
    Path("was-run").unlink(missing_ok=True)
    with pytest.raises(BundleError, match="the file has changed"):
        load_bundle("run/bundle")
    assert not was_run()


def other_file(parts: dict[str, Any]) -> None:
    """As if the run was started with a file whose sha256 begins as that of `mine.py`."""
    part = parts["attention"]
    assert part["sha256"].startswith(part["version"])
    part["sha256"] = part["version"] + "0" * 52


def edit_bundle(change: Callable[[dict[str, Any]], object]) -> None:
    bundle = Path("run/bundle")
    config = json.loads((bundle / "config.json").read_text())
    change(config["recipe"]["parts"])
    (bundle / "config.json").write_bytes(canonical(config))
    names = json.loads((bundle / "manifest.json").read_text())["files"]
    contents = {name: (bundle / name).read_bytes() for name in names}
    (bundle / "manifest.json").write_bytes(manifest(contents))


@pytest.mark.usefixtures("with_run")
@pytest.mark.parametrize("digest", ["", "0.1.0", "A" * 64, "0" * 63])
def test_a_bundle_that_does_not_say_which_file_it_was_made_with_runs_none(
    digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_LOCAL", "1")
    edit_bundle(lambda parts: parts["attention"].update(sha256=digest, version=digest))
    Path("was-run").unlink(missing_ok=True)
    with pytest.raises(BundleError, match="the digest of its file is missing or invalid"):
        load_bundle("run/bundle")
    assert not was_run()


@pytest.mark.parametrize("arguments", [["--local"], ["attention=./mine.py"]])
def test_a_run_tells_files_apart_that_begin_with_the_same_digits(with_run: Zoo, arguments: list[str]) -> None:
    """An author can prepare two files with the same twelve digits in minutes."""
    edit("run/recipe.json", lambda plan: other_file(plan["parts"]))
    code, output = with_run("train", "-o", "run", "--resume", "train.steps=3", *arguments)
    assert code, output
    assert "the file has changed" in output
    assert not was_run()


@pytest.mark.usefixtures("with_run")
def test_a_bundle_tells_files_apart_that_begin_with_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_LOCAL", "1")
    load_bundle("run/bundle")
    edit_bundle(other_file)
    Path("was-run").unlink()
    with pytest.raises(BundleError, match="the file has changed"):
        load_bundle("run/bundle")
    assert not was_run()


def test_runs_and_bundles_from_before_there_were_more_digits_are_read(
    with_run: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("run/recipe.json", lambda plan: plan["parts"]["attention"].pop("sha256"))
    edit_bundle(lambda parts: parts["attention"].pop("sha256"))
    code, output = with_run("train", "-o", "run", "--resume", "train.steps=3", "--local")
    assert code == 0, output
    monkeypatch.setenv("ZOO_LOCAL", "1")
    load_bundle("run/bundle")


@pytest.mark.parametrize("source", ["run", "run/bundle"])
def test_a_trained_part_runs_no_code(with_run: Zoo, source: str) -> None:
    code, output = with_run("build", f"core=@{source}")
    assert (code, was_run()) == (5, False)
    assert "code from a file" in output


@pytest.mark.parametrize(
    "menu", ['[defaults]\nattention = "./mine.py"', '[recipes]\nnice = "attention=./mine.py"']
)
def test_completion_runs_no_code_of_a_menu(zoo: Zoo, menu: str) -> None:
    Path("registry.toml").write_text(menu)
    context = click.Context(click.Command("build"))
    context.params["words"] = ("nice",) if "nice" in menu else ()
    parameter = click.Argument(["words"])
    completions = complete_word(context, parameter, "attention.", keys=BuildKeys, sections={})
    assert (completions, was_run()) == ([], False)


def test_a_menu_runs_no_code(zoo: Zoo) -> None:
    Path("registry.toml").write_text('[defaults]\nattention = "./mine.py"')
    code, output = zoo("build")
    assert (code, was_run()) == (2, False)
    assert "code in a file is run only if you name the file yourself" in output


def test_a_study_runs_no_code(zoo: Zoo) -> None:
    Path("study.toml").write_text('data = "songs"\n[[grid]]\nattention = "./mine.py"')
    for command in (["run", "study.toml"], ["table", "study.toml"], ["run", "study.toml", "--no-plugins"]):
        code, output = zoo("bench", *command)
        assert (code, was_run()) == (2, False)
        assert "code in a file is run only if you name the file yourself" in output


@pytest.mark.parametrize("digits", [0, 12])
def test_a_worker_only_runs_the_file_of_the_study(digits: int, zoo: Zoo) -> None:
    from zoo.bench.local import CellFailed, run_process

    file = sha256(Path("mine.py").read_bytes()).hexdigest()[:digits].ljust(64, "0")
    order = {
        "name": "cell", "term": "core", "recipe": "attention=./mine.py", "files": {"attention": file},
        "music": "", "data": "songs", "place": "songs", "split": "test", "seed": 0,
        "train": {"steps": 1, "device": "cpu"},
    }  # fmt: skip
    Path("was-run").unlink(missing_ok=True)
    with pytest.raises(CellFailed, match="the file has changed"):
        run_process(order, Path("work/cell"))
    assert not was_run()


def test_cached_bytecode_is_not_run_instead_of_the_file(with_run: Zoo) -> None:
    """Python would run it, since its header says that it need not be checked against the source."""
    source = Path("mine.py").resolve()
    evil = compile("open('was-evil', 'w')\n" + PLUGIN, str(source), "exec")
    compiled = Path(cache_from_source(str(source)))
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(MAGIC_NUMBER + (0b01).to_bytes(4, "little") + bytes(8) + marshal.dumps(evil))
    code, output = with_run("train", "-o", "run", "--resume", "train.steps=3", "--local")
    assert code == 0, output
    assert not Path("was-evil").exists()
