"""`zoo generate`: checks before any work, and output."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

import zoo
from zoo.cli.main import run
from zoo.errors import UsageError
from zoo.model.build import build
from zoo.model.bundle import save_bundle
from zoo.model.pretrained import bundle_folder
from zoo.music.meter import Meter, TimeSignature
from zoo.music.midi import read_midi
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe
from zoo.train.assemble import assemble

WORDS = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"
PROCESSES = int(os.environ.get("ZOO_STRESS_PROCESSES", "2"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an untrained model and a tune of 20 sixteenths."""
    monkeypatch.chdir(tmp_path)
    save_bundle(build(parse_recipe(WORDS, open_registry())), "model")
    tune().write("tune.mid")
    return tmp_path


def tune(meter: Meter | None = None) -> Roll:
    """One note after another for 20 frames."""
    onset = np.zeros((20, 88), np.bool_)
    onset[np.arange(20), 30 + np.arange(20)] = True
    return Roll(onset, onset.copy(), np.where(onset, 64, 0).astype(np.uint8), meter=meter or Meter())


def summary(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """The summary of the first piece by `zoo generate model -o new.mid --json`."""
    assert run(["generate", "model", "-o", "new.mid", "--json", "--force", *words]) == 0
    return json.loads(capsys.readouterr().out)["pieces"][0]


def test_music_that_is_too_long_for_sound_is_not_composed_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("zoo.train.compose.draw", lambda *arguments, **options: pytest.fail("composed"))
    onset = np.zeros((12_000, 88), np.bool_)
    onset[::4, 40] = True
    Roll(onset, onset).write("long.mid")
    for length in (
        ("--frames", "20000"),
        ("--seconds", "1900"),
        ("--bars", "1000", "--tempo", "20"),
        ("--frames", "3000", "--primer", "long.mid"),
    ):
        assert run(["generate", "model", "-o", "new.wav", *length]) == 2
        assert "minutes; at most 30 can be written as sound" in capsys.readouterr().err


def test_music_is_not_written_through_a_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a folder from someone else, new.mid may point to any file, even one that does not exist yet."""
    Path("mine.txt").write_text("precious")
    for target in ("missing.txt", "mine.txt"):
        for link in ("new.mid", "new.png"):
            Path(link).symlink_to(target)
        words = ["generate", "model", "-o", "new.mid", "--picture", "new.png", "--frames", "4"]
        assert run(words) == 2
        assert capsys.readouterr().err.count("already exists") == 2
        assert run([*words, "--force"]) == 0
        assert Path("new.mid").read_bytes()[:4] == b"MThd"
        for link in ("new.mid", "new.png"):
            assert not Path(link).is_symlink()
            Path(link).unlink()
    assert not Path("missing.txt").exists()
    assert Path("mine.txt").read_text() == "precious"


def test_primer_is_continued_and_counted_separately(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "model", "-o", "new.mid", "--primer", "tune.mid", "--frames", "12"]
    assert run(words) == 0
    assert "in 2 bars of 4/4 (32 frames; the primer ends in bar 2, frame 20)" in capsys.readouterr().out
    assert run([*words, "--json", "--force"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["primer_bars"], summary["primer_frames"], summary["pieces"][0]["frames"]) == (2, 20, 32)
    assert run([*words, "--primer-bars", "1", "--force"]) == 0
    assert "in 2 bars of 4/4 (28 frames; the primer ends with bar 1, frame 16)" in capsys.readouterr().out
    assert read_midi(folder / "new.mid").frames == 28


def test_new_music_keeps_the_meter_of_the_primer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waltz = Meter.of(3, 4, offset=8)
    tune(waltz).write("waltz.mid")
    piece = summary(capsys, "--primer", "waltz.mid", "--frames", "20")
    assert (piece["frames"], piece["bars"], piece["meter"]) == (40, 3, ["3/4"])
    assert read_midi(folder / "new.mid").meter.cut(0) == waltz


def test_primer_is_read_with_the_pedal_setting_of_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pressed = mido.MidiFile("tune.mid")
    pressed.tracks[-1].insert(0, mido.Message("control_change", control=64, value=127))
    pressed.save("pressed.mid")
    for pedal in ("keep", "hold"):
        save_bundle(build(parse_recipe(WORDS, open_registry())), f"{pedal}-model", data={"pedal": pedal})
    lengths = {}
    for pedal in ("keep", "hold"):
        words = [
            "generate",
            f"{pedal}-model",
            "-o",
            f"{pedal}.mid",
            "--primer",
            "pressed.mid",
            "--frames",
            "1",
        ]
        assert run(words) == 0, capsys.readouterr().err
        lengths[pedal] = read_midi(folder / f"{pedal}.mid").sounding[:20].sum()
    assert lengths["keep"] == 20
    assert lengths["hold"] == 20 * 21 // 2


def test_a_rest_at_the_end_of_a_primer_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rested = mido.MidiFile("tune.mid")
    rested.tracks[-1][-1].time += 4 * rested.ticks_per_beat  # End of Track
    rested.save("rested.mid")
    assert summary(capsys, "--primer", "rested.mid", "--frames", "4")["frames"] == 20 + 16 + 4
    opening = read_midi(folder / "new.mid").sounding[:36]
    assert opening[:20].any(1).all()
    assert not opening[20:].any()


def test_a_primer_can_be_some_tracks_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = mido.MidiFile("tune.mid")
    upper = song.tracks[-1].copy()
    upper[:] = [message for message in upper if message.type not in ("track_name", "end_of_track")][:9]
    upper.insert(0, mido.MetaMessage("track_name", name="Upper"))
    song.tracks.append(upper)
    song.save("song.mid")
    whole = summary(capsys, "--primer", "song.mid", "--frames", "1")
    part = summary(capsys, "--primer", "song.mid:Upper", "--frames", "1")
    assert whole["frames"] == 21 > part["frames"]
    Path("song.mid").rename("song:Upper")
    assert summary(capsys, "--primer", "song:Upper", "--frames", "1")["frames"] == 21
    assert run(["generate", "model", "-o", "new.mid", "--force", "--primer", "tune.mid:Nothing"]) == 3
    assert "no track is called Nothing" in capsys.readouterr().err


def test_primer_with_tracks_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "model", "-o", "tune.mid", "--primer", "tune.mid:Piano", "--force"]) == 2
    assert "this is the primer" in capsys.readouterr().err


def test_meter_option_sets_the_meter(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    piece = summary(capsys, "--meter", "6/8", "--frames", "30")
    assert (piece["frames"], piece["bars"], piece["meter"]) == (30, 3, ["6/8"])
    assert read_midi(folder / "new.mid").meter == Meter.of(6, 8)
    assert run(["generate", "model", "-o", "new.mid", "--force", "--meter", "2/4", "--frames", "8"]) == 0
    assert "in 1 bar of 2/4 (8 frames), " in capsys.readouterr().out


@pytest.mark.parametrize("meter", ["3", "3/5", "0/4", "4/4/4", "256/4", "", "-3/4", "3/128"])
def test_invalid_time_signature_is_rejected(
    folder: Path, capsys: pytest.CaptureFixture[str], meter: str
) -> None:
    assert run(["generate", "model", "-o", "new.mid", f"--meter={meter}"]) == 2
    assert (
        f"error: --meter: {meter!r} is not a time signature\n  write one such as 3/4"
        in capsys.readouterr().err
    )
    assert not Path("new.mid").exists()


def test_meter_option_applies_after_the_primer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own bars stay as they are; the new bars begin where it ends, here inside a bar."""
    tune(Meter.of(4, 4, offset=12)).write("tune.mid")
    piece = summary(capsys, "--meter", "3/4", "--primer", "tune.mid", "--frames", "30")
    assert piece["meter"] == ["4/4", "3/4"]
    meter = read_midi(folder / "new.mid").meter
    assert meter.cut(0).changes == (TimeSignature(-12, 4, 4), TimeSignature(20, 3, 4))
    assert meter.bar_lines(50).tolist() == [4, 20, 32, 44]
    words = ["generate", "model", "-o", "new.mid", "--force", "--meter", "3/4", "--primer", "tune.mid"]
    assert run([*words, "--frames", "30"]) == 0
    assert " in 4 bars of 4/4, after an upbeat of 1/4, then 3/4 from bar 2 (50 " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["new3", "new.mp3", "new.mid.gz", "new.", ".mid", "folder/", "-"])
def test_unknown_suffixes_are_rejected(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(["generate", "model", "-o", name]) == 2
    summary = capsys.readouterr().err
    assert (
        "the name of a music file must end in .mid, .midi, .wav, .musicxml, .html or .htm\n  write -o "
        in summary
    )
    assert sorted(path.name for path in folder.iterdir()) == ["model", "tune.mid"]


def test_hint_for_a_file_name_is_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "model", "-o", "my new.mp3", "--picture", "new.svg"]
    assert run(words) == 2
    assert capsys.readouterr().err == (
        "error: my new.mp3: "
        "the name of a music file must end in .mid, .midi, .wav, .musicxml, .html or .htm\n"
        "  write -o 'my new.mid'\n"
        "error: new.svg: the name of a picture must end in .png\n  write --picture new.png\n"
    )
    assert run(["generate", "model", "-o", "-"]) == 2
    assert capsys.readouterr().err.endswith("or .htm\n  write -o music.mid\n")
    for name in ("new.MID", "new.midi"):
        assert run(["generate", "model", "-o", name, "--frames", "4"]) == 0
        assert read_midi(folder / name).frames <= 4


def test_rest_at_the_end_of_a_primer_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune().padded(26).write("rested.mid")
    words = ["generate", "model", "-o", "new.mid", "--primer", "rested.mid", "--frames", "6", "--force"]
    assert run(words) == 0
    assert (
        "(32 frames; the primer ends in bar 2, frame 26, with a rest of 6 frames)" in capsys.readouterr().out
    )
    assert run([*words, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["primer_frames"], summary["primer_rest"]) == (26, 6)


def test_a_picture_shows_the_end_of_the_primer(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    drawn: list[int] = []

    def draw(roll: Roll, *, primer: int) -> bytes:
        drawn.append(primer)
        return b""

    monkeypatch.setattr("zoo.music.picture.picture_bytes", draw)
    summary(capsys, "--picture", "new.png", "--primer", "tune.mid", "--frames", "4")
    summary(capsys, "--picture", "new.png", "--frames", "4")
    assert drawn == [20, 0]


def test_generation_uses_the_grid_and_meter_of_the_model(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = build(parse_recipe(WORDS, open_registry()).on_grid(12))
    save_bundle(model, "model", data={"digest": "0", "meter": [3, 4]})
    piece = summary(capsys)
    assert (piece["frames"], piece["bars"], piece["meter"]) == (64 * 12, 22, ["3/4"])
    assert read_midi(folder / "new.mid", grid=12).meter == Meter.of(3, 4, grid=12)
    piece = summary(capsys, "--primer", "tune.mid", "--frames", "36")
    assert (piece["frames"], piece["bars"]) == (20 * 3 + 36, 2)


def test_a_picture_is_drawn_of_the_first_piece(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    words = ["--picture", "new.png", "--count", "2", "--meter", "7/8", "--frames", "40"]
    assert summary(capsys, *words)["bars"] == 3
    assert Path("new.png").read_bytes().startswith(b"\x89PNG")


def test_primer_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("tune.mid").read_bytes()
    assert run(["generate", "model", "-o", "./tune.mid", "--primer", "tune.mid"]) == 2
    assert "this is the primer" in capsys.readouterr().err
    assert Path("tune.mid").read_bytes() == before


def test_missing_folders_are_reported_before_any_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", "missing", "-o", "no/new.mid", "--picture", "nor/new.png"]) == 2
    err = capsys.readouterr().err
    assert "no/new.mid: there is no folder no\n" in err
    assert "nor/new.png: there is no folder nor\n" in err
    assert "missing" not in err


def test_existing_music_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("new.mid", "new-2.mid", "new.png"):
        Path(name).write_text("mine")
    words = ["generate", "model", "-o", "new.mid", "--frames", "4"]
    assert run([*words, "--picture", "new.png"]) == 2
    hint = "choose another path, or add --force to overwrite it"
    err = capsys.readouterr().err
    assert err == "".join(f"error: {name}: already exists\n  {hint}\n" for name in ("new.mid", "new.png"))
    assert run([*words, "--count", "3"]) == 2
    assert capsys.readouterr().err.startswith("error: new-2.mid: already exists")
    assert {Path(name).read_text() for name in ("new.mid", "new-2.mid", "new.png")} == {"mine"}
    assert run([*words, "--force"]) == 0
    assert read_midi(folder / "new.mid").frames <= 4


@pytest.mark.parametrize("failing", ["new-1.mid", "new-3.mid", "new.png"])
def test_all_files_are_replaced_or_none(
    failing: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    names = ["new-1.mid", "new-2.mid", "new-3.mid", "new.png"]
    for name in names:
        Path(name).write_text("old")
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if failing in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, content)

    words = ["generate", "model", "-o", "new.mid", "--count", "3", "--picture", "new.png", "--frames", "4"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert run([*words, "--force"]) == 1
    message = capsys.readouterr().err
    assert f"error: {failing}: cannot be written: no space left on device\n" in message
    assert "existing files are unchanged" in message
    assert [Path(name).read_text() for name in names] == ["old"] * 4
    assert sorted(child.name for child in folder.iterdir()) == ["model", *names, "tune.mid"]
    assert run([*words, "--force"]) == 0
    assert all(Path(name).read_bytes() != b"old" for name in names)


def test_a_folder_in_place_of_a_piece_leaves_the_others_unchanged(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("new-1.mid").mkdir()
    Path("new-2.mid").write_text("old")
    words = ["generate", "model", "-o", "new.mid", "--count", "2", "--frames", "4", "--force"]
    assert run(words) == 1
    assert "error: new-1.mid: is a folder, not a file" in capsys.readouterr().err
    assert Path("new-2.mid").read_text() == "old"


def test_force_does_not_overwrite_the_primer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tune.mid").rename("new-2.mid")
    words = ["generate", "model", "-o", "new.mid", "--count", "2", "--primer", "new-2.mid", "--force"]
    assert run(words) == 2
    assert "new-2.mid: this is the primer" in capsys.readouterr().err


def test_existing_bundle_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("model/model.safetensors").read_bytes()
    words = ["build", "markov", "-o", "model"]
    assert run(words) == 2
    assert capsys.readouterr().err.startswith("error: model: already exists\n  choose another path, or add")
    assert Path("model/model.safetensors").read_bytes() == before
    assert run([*words, "--force"]) == 0
    assert Path("model/model.safetensors").read_bytes() != before


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_bundle_whose_files_are_on_an_unmounted_disk_is_not_overwritten(
    kind: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("model/model.safetensors").read_bytes()
    Path("model/manifest.json").unlink()
    if kind == "link":
        Path("model/manifest.json").symlink_to("../disk/manifest.json")
    else:
        Path("model/manifest.json").mkdir()
    assert run(["build", "markov", "-o", "model"]) == 2
    assert "model: already exists" in capsys.readouterr().err
    with pytest.raises(UsageError, match="already exists"):
        zoo.build("markov").save("model")
    assert Path("model/model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_every_process(folder: Path) -> None:
    """String hashes, and therefore the order of sets, differ between processes."""
    words = ["generate", "model", "-o", "new.mid", "--force", "--frames", "40", "--seed"]
    command = [sys.executable, "-m", "zoo", *words]

    def generated(seed: int, hashes: int) -> bytes:
        environment = os.environ | {"PYTHONHASHSEED": str(hashes)}
        subprocess.run([*command, str(seed)], env=environment, capture_output=True, check=True)
        return (folder / "new.mid").read_bytes()

    assert len({generated(1, hashes) for hashes in range(PROCESSES)}) == 1
    assert generated(1, 0) != generated(2, 0)


def test_a_bundle_that_appears_while_another_is_built_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(*arguments: Any) -> Any:
        shutil.copytree(bundle_folder("bach"), "mine")
        return assemble(*arguments)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zoo.train.assemble.assemble", slow)
    assert run(["build", "attention=none", "-o", "mine"]) == 2
    assert "mine: already exists" in capsys.readouterr().err
    assert run(["show", "mine"]) == 0
    assert "attention=copying" in capsys.readouterr().out
