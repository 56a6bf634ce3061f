"""`zoo generate`: what is checked before any music is written, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.model.build import build
from zoo.model.bundle import save_bundle
from zoo.music.midi import read_midi
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an untrained model and a tune of 20 sixteenths."""
    monkeypatch.chdir(tmp_path)
    words = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"
    save_bundle(build(parse_recipe(words, open_registry())), "model")
    onset = np.zeros((20, 88), np.bool_)
    onset[np.arange(20), 30 + np.arange(20)] = True
    Roll(onset, onset.copy(), np.where(onset, 64, 0).astype(np.uint8)).write("tune.mid")
    return tmp_path


def test_a_primer_is_continued_and_counted_apart(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "model", "-o", "new.mid", "--primer", "tune.mid", "--frames", "12"]
    assert run(words) == 0
    assert "sixteenths (20 of them the primer)" in capsys.readouterr().out
    assert run([*words, "--json", "--force"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["primer_frames"], told["pieces"][0]["frames"]) == (20, 32)
    assert read_midi(here / "new.mid").frames == 32


def test_the_primer_is_not_written_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("tune.mid").read_bytes()
    assert run(["generate", "model", "-o", "./tune.mid", "--primer", "tune.mid"]) == 2
    assert "this is the primer" in capsys.readouterr().err
    assert Path("tune.mid").read_bytes() == before


def test_missing_folders_are_told_before_any_work(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "nobody", "-o", "no/new.mid", "--picture", "nor/new.png"]) == 2
    err = capsys.readouterr().err
    assert "no/new.mid: there is no folder no\n" in err
    assert "nor/new.png: there is no folder nor\n" in err
    assert "nobody" not in err


def test_music_that_is_there_is_not_written_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("new.mid", "new-2.mid", "new.png"):
        Path(name).write_text("mine")
    words = ["generate", "model", "-o", "new.mid", "--frames", "4"]
    assert run([*words, "--picture", "new.png"]) == 2
    cure = "name another place, or add --force to write over it"
    err = capsys.readouterr().err
    assert err == "".join(f"error: {name}: is there already\n  {cure}\n" for name in ("new.mid", "new.png"))
    assert run([*words, "--count", "3"]) == 2
    assert capsys.readouterr().err.startswith("error: new-2.mid: is there already")
    assert {Path(name).read_text() for name in ("new.mid", "new-2.mid", "new.png")} == {"mine"}
    assert run([*words, "--force"]) == 0
    assert read_midi(here / "new.mid").frames <= 4


def test_force_does_not_reach_the_primer(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tune.mid").rename("new-2.mid")
    words = ["generate", "model", "-o", "new.mid", "--count", "2", "--primer", "new-2.mid", "--force"]
    assert run(words) == 2
    assert "new-2.mid: this is the primer" in capsys.readouterr().err


def test_a_bundle_that_is_there_is_not_written_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("model/model.safetensors").read_bytes()
    words = ["build", "markov", "-o", "model"]
    assert run(words) == 2
    assert capsys.readouterr().err.startswith("error: model: is there already\n  name another place, or add")
    assert Path("model/model.safetensors").read_bytes() == before
    assert run([*words, "--force"]) == 0
    assert Path("model/model.safetensors").read_bytes() != before
