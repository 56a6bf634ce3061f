"""`zoo play`: the sound that a player receives, and the error without a player."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.model.build import build
from zoo.model.bundle import save_bundle
from zoo.music.roll import Notes, Roll
from zoo.music.sound import sound, wav_bytes
from zoo.registry import open_registry, parse_recipe

WORDS = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"
TUNE = Roll.from_notes(Notes(np.array([0]), np.array([8]), np.array([40]), np.array([80], np.uint8)), 16)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tune, and a fake aplay that stores its input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_SOUNDFONT", "")
    TUNE.write("tune.mid")
    program = tmp_path / "bin" / "aplay"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n/bin/cp "$2" {tmp_path}/heard.wav\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return tmp_path


def length(name: str) -> float:
    with wave.open(io.BytesIO(Path(name).read_bytes())) as file:
        return file.getnframes() / file.getframerate()


def test_midi_file_is_played(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["play", "tune.mid"]) == 0
    assert "tune.mid: played by aplay" in capsys.readouterr().out
    assert length("heard.wav") == pytest.approx(1.5, abs=0.01)


def test_a_sound_file_is_played_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.wav").write_bytes(wav_bytes(sound(TUNE)))
    assert run(["play", "mine.wav", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"played": "mine.wav", "player": "aplay"}
    assert Path("heard.wav").read_bytes() == Path("mine.wav").read_bytes()


def test_a_name_that_begins_with_a_hyphen_is_no_option_of_the_player(folder: Path) -> None:
    """`aplay --process-id-file=mine.wav` removes mine.wav."""
    name = "--process-id-file=mine.wav"
    Path(name).write_bytes(wav_bytes(sound(TUNE)))
    assert run(["play", f"./{name}"]) == 0
    assert Path("heard.wav").read_bytes() == Path(name).read_bytes()


def test_a_bundle_and_a_run_play_new_music(folder: Path) -> None:
    Path("run").mkdir()
    save_bundle(build(parse_recipe(WORDS, open_registry())), "run/bundle")
    sounds = []
    for name in ("run/bundle", "run"):
        assert run(["play", name, "--bars", "2", "--seed", "1"]) == 0
        sounds.append(Path("heard.wav").read_bytes())
    assert sounds[0] == sounds[1]
    assert length("heard.wav") == pytest.approx(4.5, abs=0.01)


@pytest.mark.parametrize(("platform", "package"), [("linux", "alsa-utils or ffmpeg"), ("darwin", "ffmpeg")])
def test_without_a_player_it_says_what_to_install(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    package: str,
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("zoo.cli.play.sys.platform", platform)
    assert run(["play", "tune.mid"]) == 1
    err = capsys.readouterr().err
    assert "tune.mid: found no player (paplay, aplay, afplay, ffplay)" in err
    assert f"  install {package}, or listen in a browser" in err
    assert "zoo report tune.mid -o listen.html" in err
    assert max(map(len, err.splitlines())) <= 100
    Path("mine.wav").write_bytes(wav_bytes(sound(TUNE)))
    assert run(["play", "mine.wav"]) == 1
    assert "ffmpeg, or open the file in a browser" in capsys.readouterr().err


def test_failure_of_the_player_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bin" / "aplay").write_text("#!/bin/sh\necho no sound card >&2\nexit 1\n")
    assert run(["play", "tune.mid"]) == 1
    assert "aplay could not play: no sound card" in capsys.readouterr().err


def test_other_files_are_rejected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    assert run(["play", "missing.mid"]) == 2
    assert "missing.mid: there is no such file or bundle" in capsys.readouterr().err
    assert run(["play", "folder"]) == 5
    assert not Path("heard.wav").exists()
