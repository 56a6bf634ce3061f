"""The tutorial: its parts pass the contract checks, and its commands run as printed."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo.testing
from zoo.cli.main import run
from zoo.music.midi import write_midi
from zoo.music.roll import Roll
from zoo.registry import open_registry

HERE = Path(__file__).parent
TUTORIAL = HERE.parents[1] / "docs" / "write-a-plugin.md"
FILES = sorted(HERE.glob("my_*.py"))

CASES = [case for file in FILES for case in zoo.testing.cases(open_registry().find("attention", str(file)))]


@pytest.mark.parametrize("case", CASES)
def test_parts_of_the_tutorial_pass_their_checks(case):
    case()


def commands() -> list[list[str]]:
    """The commands of the tutorial with a small budget: two steps on a few tunes."""
    text = TUTORIAL.read_text("utf-8")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)).splitlines()
    small = {
        "data=bach": "data=tunes",
        "train.minutes=2": "train.steps=2",
        "train.steps=150": "train.steps=2",
        "train.batch=8": "train.batch=2",
    }
    return [[small.get(word, word) for word in shlex.split(line)] for line in lines]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files of the tutorial and a few tunes."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_LOCAL", "")
    for file in FILES:
        shutil.copy(file, tmp_path)
    study = (HERE / "my_study.toml").read_text()
    for long, short in {"bach": "tunes", "= 5": "= 1", "600": "2", "= 4": "= 2", "128": "32"}.items():
        study = study.replace(long, short)
    Path("my_study.toml").write_text(study)
    (tmp_path / "tunes").mkdir()
    for number in range(12):
        onset = np.zeros((40 + number, 88), np.bool_)
        onset[::2, 30 + number] = True
        write_midi(Roll(onset, onset, np.where(onset, 64, 0).astype(np.uint8)), f"tunes/{number}.mid")
    return tmp_path


@pytest.mark.slow
def test_its_commands_run_as_they_are_printed(folder, capsys):
    typed = commands()
    assert {words[1] for words in typed} == {"train", "generate", "evaluate", "bench"}
    for program, *words in typed:
        assert program == "zoo"
        assert run(words) == 0, capsys.readouterr().err
    assert Path("mine.mid").read_bytes().startswith(b"MThd")
    table = capsys.readouterr().out
    assert [
        row for row in ("mine", "echo", "baseline", "rates", "markov", "./my_echo.py") if row not in table
    ] == []
