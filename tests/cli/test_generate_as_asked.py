"""`zoo generate` as a musician asks: lengths, tempo, primers, instruments, and kinds of files."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

import zoo
from zoo.cli.main import run
from zoo.errors import DataError, UsageError
from zoo.model.build import build
from zoo.model.bundle import save_bundle
from zoo.music.instruments import program
from zoo.music.meter import Meter
from zoo.music.midi import read_midi
from zoo.music.primer import bar_range
from zoo.music.remarks import dull
from zoo.music.roll import Notes, Roll
from zoo.registry import open_registry, parse_recipe

WORDS = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"


def tune(bars: int = 6, meter: Meter | None = None, tempo: float = 90.0) -> Roll:
    """A quarter note on each beat, each on a key of its own."""
    start = np.arange(4 * bars, dtype=np.int64) * 4
    loud = np.full(len(start), 70, np.uint8)
    return Roll.from_notes(
        Notes(start, start + 4, 30 + np.arange(len(start)), loud), tempo=tempo, meter=meter
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an untrained model and a tune of 6 bars at 90."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_SOUNDFONT", "")
    save_bundle(build(parse_recipe(WORDS, open_registry())), "model", data={"digest": "0", "meter": [3, 4]})
    tune().write("tune.mid")
    return tmp_path


def written(*words: str, name: str = "new.mid") -> Roll:
    assert run(["generate", "model", "-o", name, "--force", *words]) == 0
    return read_midi(name, rest=True)


def test_bars_are_those_of_the_meter_in_which_it_is_written(here: Path) -> None:
    assert written("--bars", "5").frames == 5 * 12
    assert written("--bars", "5", "--meter", "4/4").frames == 5 * 16
    assert written("--bars", "2", "--primer", "tune.mid").frames == (6 + 2) * 16


def test_seconds_are_played_at_its_tempo(here: Path) -> None:
    assert written("--seconds", "30").frames == 30 * 2 * 4
    assert written("--seconds", "30", "--tempo", "60").frames == 30 * 4
    assert written("--seconds", "20", "--primer", "tune.mid").frames == 6 * 16 + 20 * 6


def test_only_one_length_is_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "model", "-o", "new.mid", "--bars", "2", "--seconds", "3"]) == 2
    assert "bars and seconds are lengths, of which one is enough" in capsys.readouterr().err


def test_the_tempo_is_that_of_the_whole_piece(here: Path) -> None:
    assert written("--tempo", "72").tempo == pytest.approx(72, abs=0.01)
    changing = Roll(tune().onset, tune().sounding, tune().velocity, 80.0, Meter(), ((0, 120.0), (48, 60.0)))
    changing.write("changing.mid")
    found = written("--primer", "changing.mid", "--tempo", "100")
    assert (found.tempo, found.tempo_changes) == (pytest.approx(100, abs=0.01), ())


def test_it_is_moved_by_semitones(here: Path) -> None:
    plain, moved = written("--seed", "3"), written("--seed", "3", "--transpose", "-5")
    assert (moved.sounding[:, :-5] == plain.sounding[:, 5:]).all()
    assert not moved.sounding[:, -5:].any()


def test_some_bars_of_a_primer_are_continued(here: Path) -> None:
    found = written("--primer", "tune.mid", "--primer-bars", "3-4", "--bars", "1")
    assert found.frames == (2 + 1) * 16
    assert found.notes().key[:8].tolist() == list(range(38, 46))
    assert written("--primer", "tune.mid", "--primer-bars", "2", "--bars", "1").frames == 3 * 16


def test_the_new_music_can_be_written_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--primer", "tune.mid", "--primer-bars", "2", "--bars", "3", "--seed", "4"]
    whole = written(*words)
    alone = written(*words, "--without-primer")
    assert "of them the primer" not in capsys.readouterr().out.splitlines()[-1]
    assert alone.frames == 3 * 16
    assert (alone.sounding == whole.sounding[32:]).all()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--primer-bars", "2"], 2, "--primer-bars: there is no primer"),
        (["--without-primer"], 2, "--without-primer: there is no primer"),
        (["--primer", "tune.mid", "--primer-bars", "3-1"], 2, "--primer-bars: '3-1' is no range of bars"),
        (
            ["--primer", "tune.mid", "--primer-bars", "7"],
            3,
            "tune.mid: there are no bars 1 to 7: the piece has 6",
        ),
        (["--instrument", "theremin"], 2, "--instrument theremin: there is no such instrument"),
        (["--instrument", "organ"], 2, "--instrument organ: several instruments are called so"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert run(["generate", "model", "-o", "new.mid", *words]) == code
    assert said in capsys.readouterr().err
    assert not Path("new.mid").exists()


@pytest.mark.parametrize(
    ("word", "number"), [("1", 0), ("41", 40), ("128", 127), ("Violin", 40), ("church", 19)]
)
def test_instruments_go_by_number_and_name(word: str, number: int) -> None:
    assert program(word) == number


@pytest.mark.parametrize("word", ["0", "129", "", "xyzzy"])
def test_other_instruments_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="--instrument"):
        program(word)


def test_the_instrument_is_that_of_the_track(here: Path) -> None:
    written("--instrument", "cello")
    track = mido.MidiFile("new.mid").tracks[1]
    assert [message.program for message in track if message.type == "program_change"] == [42]
    assert track.name == "Cello"


def test_a_range_of_bars() -> None:
    assert [bar_range(text) for text in ("4", "9-12", "3-3")] == [(1, 4), (9, 12), (3, 3)]
    for text in ("", "0", "4-", "-4", "5-4", "a", "1-2-3"):
        with pytest.raises(UsageError, match="no range of bars"):
            bar_range(text)


def test_sound_lasts_as_long_as_the_music(here: Path) -> None:
    assert run(["generate", "model", "-o", "new.wav", "--seconds", "4"]) == 0
    with wave.open("new.wav") as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(4.5, abs=0.01)


def test_notation_has_the_notes_and_the_meter(here: Path) -> None:
    music21 = pytest.importorskip("music21")
    words = ["--primer", "tune.mid", "--primer-bars", "2", "--bars", "1", "--instrument", "violin"]
    assert run(["generate", "model", "-o", "new.musicxml", *words]) == 0
    score = music21.converter.parse("new.musicxml")
    pitches = [pitch.midi for pitch in score.flatten().pitches]
    assert set(range(51, 59)) <= set(pitches)
    assert score.flatten().getElementsByClass("TimeSignature")[0].ratioString == "4/4"


def test_a_page_plays_the_piece(here: Path) -> None:
    assert run(["generate", "model", "-o", "new.html", "--primer", "tune.mid", "--bars", "1"]) == 0
    text = Path("new.html").read_text("utf-8")
    told = json.loads(text.partition('id="pieces">')[2].partition("</script>")[0])
    assert (told["pieces"][0]["primer"], told["pieces"][0]["frames"]) == (96, 112)


def test_music_that_is_hardly_any_is_warned_of(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = zoo.load("model").model
    for name, parameter in model.named_parameters():
        if "sampler" in name and name.endswith("bias"):
            parameter.data.fill_(-50)
    save_bundle(model, "model")
    assert run(["generate", "model", "-o", "new.mid", "--bars", "2"]) == 0
    assert "warning: new.mid: nothing sounds in it; another --seed" in capsys.readouterr().err


def test_silence_and_a_single_chord_are_dull() -> None:
    assert dull(tune()) == ""
    assert dull(Roll.from_notes(Notes.none(), 16)) == "nothing sounds in it"
    assert dull(tune().padded(6 * 16 * 4)) == "75% of it is silent"
    assert dull(tune().padded(6 * 16 * 4), 6 * 16) == "nothing sounds in it"
    chord = np.zeros((100, 88), np.bool_)
    chord[:90, [40, 44, 47]] = True
    chord[90:, 41] = True
    assert dull(Roll(None, chord)) == "90% of it is one and the same chord"


def test_python_takes_the_same_words(here: Path) -> None:
    model = zoo.load("model")
    words: dict[str, Any] = {"bars": 2, "seed": 4, "tempo": 72.0, "transpose": 3, "primer_bars": (3, 4)}
    mine = model.generate(primer="tune.mid", without_primer=True, **words)
    same = model.generate(primer=tune(), without_primer=True, **words)
    options = ["--bars", "2", "--seed", "4", "--tempo", "72", "--transpose", "3", "--primer-bars", "3-4"]
    theirs = written("--primer", "tune.mid", "--without-primer", *options)
    assert mine.frames == 32
    assert (mine.sounding == theirs.padded(32).sounding).all()
    assert (mine.sounding == same.sounding).all()
    assert mine.tempo == 72
    assert len(model.generate(seconds=2.0, count=3)) == 3


@pytest.mark.parametrize(
    "words", [{"bars": 0}, {"seconds": -1.0}, {"tempo": 2.0}, {"transpose": 60}, {"bars": 1, "frames": 3}]
)
def test_python_refuses_what_cannot_be_meant(here: Path, words: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        zoo.load("model").generate(**words)
    with pytest.raises(DataError, match="no bars 1 to 9"):
        zoo.load("model").generate(primer=tune(), primer_bars=(1, 9))


def test_a_roll_is_written_as_its_name_says(here: Path) -> None:
    for name, begin in (("a.mid", b"MThd"), ("a.WAV", b"RIFF"), ("a.kar", b"MThd")):
        tune(1).write(name)
        assert Path(name).read_bytes()[:4] == begin
    for name in ("a.mp3", "a", "a.html"):
        with pytest.raises(UsageError, match=r"\.wav \(sound\)"):
            tune(1).write(name)
