"""The musical options of `zoo generate`: lengths, tempo, primers, instruments and file formats."""

from __future__ import annotations

import json
import os
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import torch
from torch import Tensor

import zoo
from zoo.cli.main import run
from zoo.cli.written import piece_bytes
from zoo.errors import DataError, UsageError
from zoo.model.build import build
from zoo.model.bundle import open_bundle, save_bundle
from zoo.music.instruments import program
from zoo.music.meter import Meter, TimeSignature
from zoo.music.midi import read_midi
from zoo.music.primer import bar_range
from zoo.music.remarks import dull
from zoo.music.roll import Notes, Roll
from zoo.music.tonality import Tonality, estimate_tonality
from zoo.registry import open_registry, parse_recipe
from zoo.report.listening import Opening, generated_piece
from zoo.train.best_of import mean_nats

WORDS = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"


def tune(bars: int = 6, meter: Meter | None = None, tempo: float = 90.0) -> Roll:
    """A quarter note on each beat, each on a different key."""
    start = np.arange(4 * bars, dtype=np.int64) * 4
    loud = np.full(len(start), 70, np.uint8)
    return Roll.from_notes(
        Notes(start, start + 4, 30 + np.arange(len(start)), loud), tempo=tempo, meter=meter
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an untrained model and a tune of 6 bars at 90."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_SOUNDFONT", "")
    save_bundle(build(parse_recipe(WORDS, open_registry())), "model", data={"digest": "0", "meter": [3, 4]})
    tune().write("tune.mid")
    return tmp_path


def written(*words: str, name: str = "new.mid") -> Roll:
    assert run(["generate", "model", "-o", name, "--force", *words]) == 0
    return read_midi(name, rest=True)


def test_bars_follow_the_meter(folder: Path) -> None:
    assert written("--bars", "5").frames == 5 * 12
    assert written("--bars", "5", "--meter", "4/4").frames == 5 * 16
    assert written("--bars", "2", "--primer", "tune.mid").frames == (6 + 2) * 16


def test_seconds_follow_the_tempo(folder: Path) -> None:
    assert written("--seconds", "30").frames == 30 * 2 * 4
    assert written("--seconds", "30", "--tempo", "60").frames == 30 * 4
    assert written("--seconds", "20", "--primer", "tune.mid").frames == 6 * 16 + 20 * 6


def test_lengths_are_mutually_exclusive(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "model", "-o", "new.mid", "--bars", "2", "--seconds", "3"]) == 2
    assert "bars and seconds are mutually exclusive" in capsys.readouterr().err


def test_tempo_applies_to_the_whole_piece(folder: Path) -> None:
    assert written("--tempo", "72").tempo == pytest.approx(72, abs=0.01)
    changing = Roll(tune().onset, tune().sounding, tune().velocity, 80.0, Meter(), ((0, 120.0), (48, 60.0)))
    changing.write("changing.mid")
    piece = written("--primer", "changing.mid", "--tempo", "100")
    assert (piece.tempo, piece.tempo_changes) == (pytest.approx(100, abs=0.01), ())


def test_music_is_transposed_by_semitones(folder: Path) -> None:
    plain, moved = written("--seed", "3"), written("--seed", "3", "--transpose", "-5")
    assert (moved.sounding[:, :-5] == plain.sounding[:, 5:]).all()
    assert not moved.sounding[:, -5:].any()


def test_notes_that_are_transposed_off_the_keyboard_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = written("--seed", "3")
    lost = int(plain.onset[:, 48:].sum())
    assert 0 < lost < plain.onset.sum()
    capsys.readouterr()
    moved = written("--seed", "3", "--transpose", "40")
    assert moved.onset.sum() == plain.onset.sum() - lost
    left_out = f"note: new.mid: {lost:,} notes left out, outside the 88 keys after transposing\n"
    assert left_out in capsys.readouterr().err
    assert run(["generate", "model", "-o", "again.mid", "--seed", "3", "--transpose", "40", "--json"]) == 0
    (piece,) = json.loads(capsys.readouterr().out)["pieces"]
    assert piece["notes_outside"] == lost


def test_notes_of_a_primer_that_are_changed_or_left_out_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune().write("plain.mid")
    written("--primer", "plain.mid")
    assert "notes of the file" not in capsys.readouterr().err
    start = np.arange(16, dtype=np.int64)
    short = Notes(start, start + 1, 30 + start, np.full(16, 70, np.uint8))
    Roll.from_notes(short, meter=Meter(8)).write("short.mid")
    file = mido.MidiFile("short.mid")
    file.tracks[-1].insert(0, mido.Message("note_on", note=120, velocity=9))
    file.tracks[-1].insert(1, mido.Message("note_off", note=120, time=96))
    file.save("short.mid")
    written("--primer", "short.mid")
    err = capsys.readouterr().err
    assert "note: short.mid: notes of the file that are changed: " in err
    assert " merged" in err
    assert "note: short.mid: notes of the file that are left out: 1 outside the 88 keys\n" in err
    assert run(["generate", "model", "-o", "j.mid", "--primer", "short.mid", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["primer_changed"]["merged"] > 0
    assert printed["primer_left_out"] == {"outside the 88 keys": 1}
    assert run(["report", "short.mid", "-o", "page.html"]) == 0
    assert (
        "note: short.mid: notes of the file that are left out: 1 outside the 88 keys\n"
        in capsys.readouterr().err
    )


def test_a_file_that_appears_while_music_is_written_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(*arguments: Any) -> bytes:
        Path("new.mid").write_text("of another program")
        return piece_bytes(*arguments)

    monkeypatch.setattr("zoo.cli.generate.piece_bytes", slow)
    assert run(["generate", "model", "-o", "new.mid"]) == 0
    assert Path("new.mid").read_text() == "of another program"
    assert read_midi("new-2.mid").frames
    printed = capsys.readouterr()
    assert "note: new.mid was written by another program meanwhile; this is new-2.mid\n" in printed.err
    assert printed.out.startswith("new-2.mid: ")


def test_no_pipe_is_written_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe.mid")
    assert run(["generate", "model", "-o", "pipe.mid", "--force"]) == 2
    assert "pipe.mid: is a pipe or a device, not a file" in capsys.readouterr().err


def in_d() -> Roll:
    """A tune in D major that ends in its tonic, of two bars."""
    pitches = np.array([62, 66, 69, 74, 67, 71, 69, 62])
    start = np.arange(8, dtype=np.int64) * 4
    return Roll.from_notes(Notes(start, start + 4, pitches - 21, np.full(8, 70, np.uint8)))


def test_music_is_transposed_to_a_key(folder: Path) -> None:
    in_d().write("d.mid")
    plain = written("--primer", "d.mid", "--bars", "2")
    moved = written("--primer", "d.mid", "--bars", "2", "--key", "F")
    assert (moved.sounding[:, 3:] == plain.sounding[:, :-3]).all()
    assert (written("--primer", "d.mid", "--bars", "2", "--key", " f Major").sounding == moved.sounding).all()
    alone = written("--bars", "8", "--seed", "1", "--key", "Am")
    assert estimate_tonality(alone).signature == Tonality(0).signature


def test_a_relative_key_is_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_d().write("d.mid")
    words = ["generate", "model", "-o", "new.mid", "--primer", "d.mid", "--bars", "2", "--force", "--key"]
    assert run([*words, "Am"]) == 0
    assert (
        "note: new.mid is in C, the relative major of Am, because the music is major\n"
        in capsys.readouterr().err
    )
    assert run([*words, "F"]) == 0
    assert "relative" not in capsys.readouterr().err


def test_a_key_is_named_as_musicians_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "model", "-o", "new.mid", "--key", "H"]) == 2
    assert "error: --key: 'H' is not a key\n  write C, F# or Bb major for" in capsys.readouterr().err
    assert run(["generate", "model", "-o", "new.mid", "--key", "C", "--transpose", "2"]) == 2
    assert "mutually exclusive" in capsys.readouterr().err
    assert not Path("new.mid").exists()


class Late(torch.nn.Module):
    """The decoder of the model, but silent before a given frame of each piece."""

    uses_loudness = False

    def __init__(self, decoder: Any, first: list[int]) -> None:
        super().__init__()
        self.decoder, self.first, self.frame = decoder, torch.tensor(first), 0

    def start(self, batch: int) -> Any:
        self.frame = 0
        return self.decoder.start(batch)

    def follow(self, *music: Any) -> Any:
        return self.decoder.follow(*music)

    def sample(self, codes: Tensor, *rest: Any, **choice: Any) -> Any:
        keys, state = self.decoder.sample(torch.ones_like(codes), *rest, **choice)
        is_heard = (self.frame >= self.first).view(-1, 1, 1)
        self.frame += 1
        return keys * is_heard, state


def late(*first: int) -> Any:
    """The model, writing pieces that begin to sound in these frames; bars have 12 frames."""
    model = zoo.load("model")
    model.model.decoder = Late(model.model.decoder, list(first))
    return model


def begins(roll: Roll) -> int:
    return int(roll.notes().start.min(initial=roll.frames))


def test_silent_bars_at_the_beginning_are_left_out(folder: Path) -> None:
    pieces = late(0, 5, 12, 31).generate(bars=3, count=4)
    assert [piece.frames for piece in pieces] == [36] * 4
    assert [begins(piece) for piece in pieces] == [0, 5, 0, 7]
    with_silence = late(0, 5, 12, 31).generate(bars=3, count=4, keep_silence=True)
    assert [piece.frames for piece in with_silence] == [36] * 4
    assert [begins(piece) for piece in with_silence] == [0, 5, 12, 31]
    assert (pieces[2].onset[:24] == with_silence[2].onset[12:]).all()


def test_pieces_of_a_page_begin_without_silent_bars(folder: Path) -> None:
    bundle = replace(open_bundle("model"), model=late(31).model)
    assert begins(generated_piece("late", bundle, Opening("From silence"), bars=3).roll) == 7
    primer = tune(2, Meter.of(3, 4))
    opening = Opening("After a tune", primer=lambda grid, pedal: primer)
    assert not generated_piece("late", bundle, opening, bars=3).roll.onset[32 : 32 + 31].any()


def test_pieces_of_a_page_have_the_temperature_of_their_opening(folder: Path) -> None:
    bundle = open_bundle("model")
    page = generated_piece("model", bundle, Opening("From silence", temperature=0.05), bars=2)
    assert page.name == "model at temperature 0.05", "ratings of it do not count for the model at another one"
    cold, plain = (zoo.load("model").generate(bars=2, temperature=each) for each in (0.05, 1.0))
    assert (page.roll.sounding == cold.sounding).all()
    assert (page.roll.sounding != plain.sounding).any()


def test_a_rest_after_a_primer_that_is_returned_is_kept(folder: Path) -> None:
    primer = tune(2, Meter.of(3, 4))
    whole = late(18).generate(bars=3, primer=primer)
    alone = late(18).generate(bars=3, primer=primer, without_primer=True)
    assert (whole.frames, alone.frames) == (32 + 28, 28)
    assert not whole.onset[32 : 32 + 18].any()
    assert begins(alone) == (32 + 18) % 12


def test_silence_that_never_ends_is_not_waited_for(folder: Path) -> None:
    assert late(10_000).generate(bars=3).frames == 36


def test_an_option_keeps_the_silence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts = []
    for seed in range(12):
        words = ["--temperature", "0.05", "--bars", "2", "--seed", str(seed)]
        starts.append((begins(written(*words)), begins(written(*words, "--keep-silence"))))
    assert all(trimmed < 12 for trimmed, _ in starts)
    assert all(trimmed == full % 12 for trimmed, full in starts)


def test_a_low_top_p_takes_the_likeliest(folder: Path) -> None:
    words = ["--bars", "2", "--top-p", "0.000001", "--keep-silence"]
    first, second = (written(*words, "--seed", seed) for seed in ("1", "2"))
    codes = [roll.onset for roll in (first, second)]
    assert (codes[0] == codes[1]).all()
    free = [written("--bars", "2", "--seed", seed).sounding for seed in ("1", "2")]
    assert (free[0] != free[1]).any()


def test_a_part_without_nucleus_sampling_is_named(folder: Path) -> None:
    model = zoo.load("model")
    plain = model.model.sampler.sample
    model.model.sampler.sample = lambda features, state, generator, temperature=1.0: plain(  # type: ignore[method-assign]
        features, state, generator, temperature
    )
    assert model.generate(bars=1).frames == 12
    with pytest.raises(UsageError, match="sampler=independent does not support top_p"):
        model.generate(bars=1, top_p=0.9)


def test_the_best_candidate_is_as_likely_as_validation_music(folder: Path) -> None:
    model = zoo.load("model").model
    candidates = [written("--bars", "2", "--seed", str(seed)) for seed in range(4, 9)]
    nats = [mean_nats(model, roll.padded(24)) for roll in candidates]
    order = sorted(range(5), key=nats.__getitem__)
    for place in (order[0], order[2], order[4]):
        scores = {"validation": {"core": nats[place] - 3.0, "decoder": 3.0}}
        save_bundle(model, "model", scores=scores, data={"digest": "0", "meter": [3, 4]})
        best = written("--bars", "2", "--seed", "4", "--best-of", "5")
        assert (best.sounding == candidates[place].sounding).all()


def test_the_best_candidate_is_chosen_for_each_piece(folder: Path) -> None:
    scores = {"validation": {"core": 40.0, "decoder": 0.0}}
    save_bundle(zoo.load("model").model, "model", scores=scores)
    model = zoo.load("model")
    candidates = [model.generate(bars=1, count=3, seed=seed) for seed in (0, 1, 2)]
    best = model.generate(bars=1, count=3, best_of=3)
    for row, roll in enumerate(best):
        distances = [abs(mean_nats(model.model, rolls[row]) - 40) for rolls in candidates]
        chosen = candidates[int(np.argmin(distances))][row]
        assert (roll.sounding == chosen.sounding).all()


def test_the_best_continuation_is_the_same_with_and_without_its_primer(folder: Path) -> None:
    scores = {"validation": {"core": 30.0, "decoder": 8.0}}
    save_bundle(zoo.load("model").model, "model", scores=scores)
    model, primer = zoo.load("model"), tune(2)
    options: dict[str, Any] = {"primer": primer, "frames": 16, "count": 3, "best_of": 4, "keep_silence": True}
    whole = model.generate(**options)
    alone = model.generate(**options, without_primer=True)
    for long, short in zip(whole, alone, strict=True):
        assert (long.sounding[primer.frames :] == short.sounding).all()


def test_meter_changes_after_the_bars_of_a_primer_do_not_return(folder: Path) -> None:
    changing = Meter(4, (TimeSignature(), TimeSignature(32, 3, 4), TimeSignature(56, 4, 4)))
    tune(6, changing).write("changing.mid")
    piece = written("--primer", "changing.mid", "--primer-bars", "2", "--bars", "6")
    assert set(map(str, piece.meter.signatures(piece.frames))) == {"4/4"}
    both = written("--primer", "changing.mid", "--primer-bars", "3", "--bars", "6")
    assert list(map(str, both.meter.signatures(both.frames))) == ["4/4", "3/4"]


def test_candidates_are_scored_with_their_loudness() -> None:
    parts = "attention=none sampler=independent decoder=rbm-loudness decoder.hidden=3 decoder.lstm=4"
    model = build(parse_recipe(parts, open_registry()))
    roll = tune(2)
    loud = replace(roll, velocity=np.where(roll.onset, 127, 0).astype(np.uint8))
    assert mean_nats(model, roll) != mean_nats(model, loud)


def test_the_best_is_not_chosen_without_a_score(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "model", "-o", "new.mid", "--best-of", "3"]) == 2
    assert "has no validation score to compare candidates with" in capsys.readouterr().err


def test_a_device_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = written("--seed", "2")
    assert (written("--seed", "2", "--device", "cpu").sounding == plain.sounding).all()
    for command in (["generate", "model", "-o", "x.mid"], ["evaluate", "model", "data=bach"]):
        assert run([*command, "--device", "cuda:99"]) == 2
        error = capsys.readouterr().err
        assert "error: --device: this machine has no device cuda:99\n  --device auto takes" in error
    assert zoo.load("model").to("cpu").device.type == "cpu"
    with pytest.raises(UsageError, match="no device nonsense"):
        zoo.load("model").to("nonsense")


def test_some_bars_of_a_primer_are_continued(folder: Path) -> None:
    piece = written("--primer", "tune.mid", "--primer-bars", "3-4", "--bars", "1")
    assert piece.frames == (2 + 1) * 16
    assert piece.notes().key[:8].tolist() == list(range(38, 46))
    assert written("--primer", "tune.mid", "--primer-bars", "2", "--bars", "1").frames == 3 * 16


def test_new_music_can_be_written_without_the_primer(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--primer", "tune.mid", "--primer-bars", "2", "--bars", "3", "--seed", "4"]
    whole = written(*words)
    alone = written(*words, "--without-primer")
    assert "the primer" not in capsys.readouterr().out.splitlines()[-1]
    assert alone.frames == 3 * 16
    assert (alone.sounding == whole.sounding[32:]).all()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--primer-bars", "2"], 2, "--primer-bars: there is no primer"),
        (["--without-primer"], 2, "--without-primer: there is no primer"),
        (["--primer", "tune.mid", "--primer-bars", "3-1"], 2, "--primer-bars: '3-1' is not a range of bars"),
        (
            ["--primer", "tune.mid", "--primer-bars", "7"],
            3,
            "tune.mid: there are no bars 1 to 7: the piece has 6",
        ),
        (["--instrument", "theremin"], 2, "--instrument theremin: General MIDI has no such instrument"),
        (["--instrument", "organ"], 2, "--instrument organ: several instruments match this name"),
    ],
)
def test_invalid_options_are_rejected(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert run(["generate", "model", "-o", "new.mid", *words]) == code
    assert message in capsys.readouterr().err
    assert not Path("new.mid").exists()


@pytest.mark.parametrize(
    ("word", "number"), [("1", 0), ("41", 40), ("128", 127), ("Violin", 40), ("church", 19)]
)
def test_instruments_have_numbers_and_names(word: str, number: int) -> None:
    assert program(word) == number


@pytest.mark.parametrize("word", ["0", "129", "", "xyzzy"])
def test_unknown_instruments_are_rejected(word: str) -> None:
    with pytest.raises(UsageError, match="--instrument"):
        program(word)


def test_the_instrument_is_that_of_the_track(folder: Path) -> None:
    written("--instrument", "cello")
    track = mido.MidiFile("new.mid").tracks[1]
    assert [message.program for message in track if message.type == "program_change"] == [42]
    assert track.name == "Cello"


def test_a_range_of_bars() -> None:
    assert [bar_range(text) for text in ("4", "9-12", "3-3")] == [(1, 4), (9, 12), (3, 3)]
    for text in ("", "0", "4-", "-4", "5-4", "a", "1-2-3"):
        with pytest.raises(UsageError, match="not a range of bars"):
            bar_range(text)


@pytest.mark.parametrize(
    ("file", "font", "words", "note"),
    [
        ("new.wav", "", [], ""),
        ("new.wav", "", ["--instrument", "violin"], "--instrument needs fluidsynth and a soundfont"),
        ("new.wav", "font.sf2", [], "ZOO_SOUNDFONT needs fluidsynth and a soundfont"),
        ("new.mid", "font.sf2", ["--instrument", "violin"], ""),
        ("new.html", "", ["--instrument", "violin"], "the page plays everything on a piano"),
    ],
)
def test_the_builtin_piano_plays_no_other_instrument(
    file: str,
    font: str,
    words: list[str],
    note: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("zoo.music.sound.find_program", lambda name: None)
    monkeypatch.setenv("ZOO_SOUNDFONT", font)
    assert run(["generate", "model", "-o", file, "--bars", "1", *words]) == 0
    err = capsys.readouterr().err
    assert note in err
    assert bool(note) == ("piano" in err)


def test_sound_lasts_as_long_as_the_music(folder: Path) -> None:
    assert run(["generate", "model", "-o", "new.wav", "--seconds", "4"]) == 0
    with wave.open("new.wav") as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(4.5, abs=0.01)


def test_notation_has_the_notes_and_the_meter(folder: Path) -> None:
    music21 = pytest.importorskip("music21")
    words = ["--primer", "tune.mid", "--primer-bars", "2", "--bars", "1", "--instrument", "violin"]
    assert run(["generate", "model", "-o", "new.musicxml", *words]) == 0
    score = music21.converter.parse("new.musicxml")
    pitches = [pitch.midi for pitch in score.flatten().pitches]
    assert set(range(51, 59)) <= set(pitches)
    assert score.flatten().getElementsByClass("TimeSignature")[0].ratioString == "4/4"


def test_a_grid_without_note_values_is_refused_before_any_music_is_drawn(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("music21")
    assert run(["build", *WORDS.split(), "grid=17", "-o", "fine"]) == 0
    monkeypatch.setattr("zoo.train.compose.compose", lambda *given: pytest.fail("music was drawn"))
    assert run(["generate", "fine", "-o", "new.musicxml"]) == 2
    error = capsys.readouterr().err
    assert "notation has no note values for this music on a grid of 17 frames" in error
    assert "use the suffix .mid" in error
    assert not Path("new.musicxml").exists()


def test_a_page_plays_the_piece(folder: Path) -> None:
    assert run(["generate", "model", "-o", "new.html", "--primer", "tune.mid", "--bars", "1"]) == 0
    text = Path("new.html").read_text("utf-8")
    page = json.loads(text.partition('id="pieces">')[2].partition("</script>")[0])
    assert (page["pieces"][0]["primer"], page["pieces"][0]["frames"]) == (96, 112)


def test_degenerate_music_gives_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = zoo.load("model").model
    for name, parameter in model.named_parameters():
        if "sampler" in name and name.endswith("bias"):
            parameter.data.fill_(-50)
    save_bundle(model, "model")
    assert run(["generate", "model", "-o", "new.mid", "--bars", "2"]) == 0
    assert "warning: new.mid: it is silent; another --seed" in capsys.readouterr().err


def test_silence_and_a_single_chord_are_dull() -> None:
    assert dull(tune()) == ""
    assert dull(Roll.from_notes(Notes.none(), 16)) == "it is silent"
    assert dull(tune().padded(6 * 16 * 4)) == "75% of it is silent"
    assert dull(tune().padded(6 * 16 * 4), 6 * 16) == "it is silent"
    chord = np.zeros((100, 88), np.bool_)
    chord[:90, [40, 44, 47]] = True
    chord[90:, 41] = True
    assert dull(Roll(None, chord)) == "90% of it is a single chord"


def test_python_api_takes_the_same_options(folder: Path) -> None:
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
    "words",
    [
        {"bars": 0},
        {"seconds": -1.0},
        {"tempo": 2.0},
        {"transpose": 60},
        {"bars": 1, "frames": 3},
        {"key": "X"},
        {"key": "C", "transpose": 1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"best_of": 0},
    ],
)
def test_python_api_rejects_invalid_options(folder: Path, words: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        zoo.load("model").generate(**words)
    with pytest.raises(DataError, match="no bars 1 to 9"):
        zoo.load("model").generate(primer=tune(), primer_bars=(1, 9))


def test_suffix_selects_the_file_format(folder: Path) -> None:
    for name, begin in (("a.mid", b"MThd"), ("a.WAV", b"RIFF"), ("a.kar", b"MThd")):
        tune(1).write(name)
        assert Path(name).read_bytes()[:4] == begin
    for name in ("a.mp3", "a", "a.html"):
        with pytest.raises(UsageError, match=r"\.wav \(sound\)"):
            tune(1).write(name)
