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
    assert run([*words, "--json"]) == 0
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
