import json
from dataclasses import replace

import mido
import numpy as np
import pytest

from zoo.cli.main import run
from zoo.counts import percent
from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import Notes, Roll


@pytest.fixture
def folder(tmp_path):
    notes = Notes(np.array([0, 4]), np.array([4, 8]), np.array([39, 87]), np.array([64, 64], dtype=np.uint8))
    (tmp_path / "[" / "deep").mkdir(parents=True)
    Roll.from_notes(notes, tempo=100).write(tmp_path / "[" / "deep" / "] good.MID")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    (tmp_path / "other.txt").write_text("not asked for")
    return tmp_path


def lines(out):
    """Label -> text, in the output for a file."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines() if line.startswith("  ")}


def test_bad_file_does_not_stop_the_check_of_a_folder(folder, capsys):
    assert run(["midi", "check", str(folder)]) == 3
    out, err = capsys.readouterr()
    names = [line for line in out.splitlines() if ".mid" in line.lower() and not line.startswith(" ")]
    assert [name.rpartition("/")[2] for name in names] == ["] good.MID", "bad.mid"]
    assert any(line.startswith("  rejected: ") and "(truncated, byte" in line for line in out.splitlines())
    assert "1 of 2 files can be read" in err
    assert "other.txt" not in out


def test_file_is_described_in_musical_terms(folder, capsys):
    assert run(["midi", "check", str(folder / "[")]) == 0
    out, err = capsys.readouterr()
    assert lines(out) == {
        "length": "1 bar, 8 sixteenths",
        "notes": "2 from C4 to C8",
        "meter": "4/4",
        "bar": "lines from the time signatures of the file",
        "tempo": "100 quarter notes per minute",
        "grid": "as the file states it; all notes are on it",
        "tracks": "Piano (2)",
    }
    assert "1 of 1 file can be read" in err


def test_losses_of_reading_are_shown(tmp_path, capsys):
    track = mido.MidiTrack()
    for turn in range(16):
        track.append(mido.Message("note_on", note=60 + 2 * (turn % 2), velocity=80))
        track.append(mido.Message("note_off", note=60 + 2 * (turn % 2), time=60))
    track.append(mido.Message("note_on", channel=9, note=35, velocity=80))
    midi = mido.MidiFile(ticks_per_beat=480, tracks=[track])
    midi.save(tmp_path / "trill.mid")
    assert run(["midi", "check", str(tmp_path / "trill.mid")]) == 0
    report = lines(capsys.readouterr().out)
    assert report["changed"] == "8 merged, 8 moved"
    assert report["advice"] == (
        "grid=8 fits it better: it merges 0 and moves 0 of 16 notes, grid=4 merges 8 and moves 8"
    )
    assert report["left"] == "out 1 drums"
    assert report["grid"].endswith("50.0% of notes are more than a quarter of a frame off it")
    assert run(["midi", "check", "grid=8", str(tmp_path / "trill.mid")]) == 0
    report = lines(capsys.readouterr().out)
    assert "changed" not in report
    assert "advice" not in report
    assert report["length"] == "1 bar, 16 frames, 8 per quarter note"


def test_meter_is_shown(tmp_path, capsys):
    ones = np.array([1])
    notes = Notes(ones - 1, ones * 40, ones + 38, ones.astype(np.uint8))
    Roll.from_notes(notes, meter=Meter.of(3, 4, offset=10)).write(tmp_path / "upbeat.mid")
    assert run(["midi", "check", str(tmp_path / "upbeat.mid")]) == 0
    assert lines(capsys.readouterr().out)["meter"] == "3/4, after an upbeat of 1/8"


def test_time_signatures_are_shown_in_order(tmp_path, capsys):
    """A song of 4/4 with two bars of 3/4 in it, wherever a command shows its meter."""
    changes = (TimeSignature(), TimeSignature(64, 3, 4), TimeSignature(88, 4, 4))
    ones = np.array([1])
    notes = Notes(ones - 1, ones * 120, ones + 38, ones.astype(np.uint8))
    Roll.from_notes(notes, meter=Meter(4, changes)).write(tmp_path / "song.mid")
    assert run(["midi", "check", str(tmp_path / "song.mid")]) == 0
    assert lines(capsys.readouterr().out)["meter"] == "4/4, then 3/4 from bar 5, then 4/4 from bar 7"


def swing(path):
    """Write swung eighths: two thirds and one third of a beat."""
    track = mido.MidiTrack()
    for _ in range(24):
        track.append(mido.Message("note_on", note=60, velocity=80))
        track.append(mido.Message("note_off", note=60, time=320))
        track.append(mido.Message("note_on", note=62, velocity=80))
        track.append(mido.Message("note_off", note=62, time=160))
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(path)


def test_a_grid_for_swing_is_named_and_can_be_tried(tmp_path, capsys):
    swing(tmp_path / "swing.mid")
    assert run(["midi", "check", str(tmp_path / "swing.mid"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["losses"]["moved"] == row["better_grid"]["moved_here"] == 24
    assert (row["better_grid"]["grid"], row["better_grid"]["moved"]) == (6, 0)
    assert run(["midi", "check", "grid=6", str(tmp_path / "swing.mid"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["grid"], row["losses"], row["better_grid"]) == (6, {}, None)


def test_pedal_can_be_applied(tmp_path, capsys):
    track = mido.MidiTrack([mido.Message("control_change", control=64, value=127)])
    track.append(mido.Message("note_on", note=60, velocity=80))
    track.append(mido.Message("note_off", note=60, time=480))
    track.append(mido.Message("control_change", control=64, value=0, time=480))
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(tmp_path / "pedal.mid")
    lengths = {}
    for pedal in ("keep", "hold"):
        assert run(["midi", "check", str(tmp_path / "pedal.mid"), f"pedal={pedal}"]) == 0
        lengths[pedal] = lines(capsys.readouterr().out)["length"]
    assert lengths == {"keep": "1 bar, 4 sixteenths, then a rest of 4", "hold": "1 bar, 8 sixteenths"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gird=12"], "error: gird=12: there is no such setting\n  did you mean grid\n"),
        (
            ["grid=0"],
            "error: grid=0: it takes a whole number from 1 to 48 or none\n"
            "  the nearest valid value is grid=1\n",
        ),
        (["pedal=up"], "error: pedal=up: it takes one of keep, hold\n  the default is pedal=keep\n"),
        (["grid=4", "grid=6"], "error: grid=4 grid=6: a key is given twice\n  leave one of them out\n"),
    ],
)
def test_invalid_option_is_an_error(folder, capsys, words, message):
    assert run(["midi", "check", str(folder), *words]) == 2
    assert capsys.readouterr().err == message


def test_a_file_must_be_named(capsys):
    assert run(["midi", "check", "grid=12"]) == 2
    assert "name a file or a folder" in capsys.readouterr().err


def test_a_name_with_an_equals_sign_is_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    swing("take=2")
    assert run(["midi", "check", "take=2"]) == 0
    assert run(["midi", "check", "none=2.mid"]) == 3
    assert "No such file" in capsys.readouterr().out


def unsigned(path, frames, keys, lengths):
    """A file without a time signature."""
    start = np.array(frames)
    notes = Notes(start, start + np.array(lengths), np.array(keys), np.full(len(start), 64, np.uint8))
    Roll.from_notes(notes).write(path)
    midi = mido.MidiFile(path)
    for track in midi.tracks:
        track[:] = [event for event in track if event.type != "time_signature"]
    midi.save(path)


def test_source_of_the_meter_is_shown(tmp_path, capsys):
    chance = np.random.default_rng(0)
    bars = [(16 * bar + 4, int(chance.choice([10, 15, 17, 19]))) for bar in range(64)]
    notes = [(frame, key, 12) for frame, key in bars]
    notes += [
        (frame + 4 * beat, key + step, 3) for frame, key in bars for beat in range(4) for step in (12, 16, 19)
    ]
    unsigned(tmp_path / "late.mid", *zip(*sorted(notes), strict=True))
    unsigned(tmp_path / "plain.mid", range(0, 40, 2), [40] * 20, [2] * 20)
    unsigned(tmp_path / "played.mid", range(0, 40, 2), [40] * 20, [2] * 20)
    (tmp_path / "played.beats.csv").write_text("".join(f"{n / 2},{int(n % 3 == 0)}\n" for n in range(12)))
    words = {}
    for name in ("late", "plain", "played"):
        assert run(["midi", "check", str(tmp_path / f"{name}.mid")]) == 0
        words[name] = lines(capsys.readouterr().out)["bar"]
    assert words == {
        "late": "lines inferred from the notes or markers of the file",
        "plain": "lines 4/4 is assumed: the file has no time signature",
        "played": "lines from the downbeats in the file of beats",
    }
    assert run(["midi", "check", "--json", str(tmp_path)]) == 0
    origins = [row["meter_from"] for row in json.loads(capsys.readouterr().out)]
    assert origins == ["heard", "assumed", "annotated"]


def test_one_change_of_tempo_is_one_change(tmp_path, capsys):
    notes = Notes(np.array([0, 8]), np.array([4, 12]), np.array([39, 39]), np.full(2, 64, np.uint8))
    roll = replace(Roll.from_notes(notes), tempo=80.0, tempo_changes=((0, 60.0), (8, 120.0)))
    roll.write(tmp_path / "faster.mid")
    assert run(["midi", "check", str(tmp_path / "faster.mid")]) == 0
    assert lines(capsys.readouterr().out)["tempo"].endswith(" quarter notes per minute, 1 change")


def test_json_is_the_only_output(folder, capsys):
    assert run(["midi", "check", "--json", str(folder)]) == 3
    out, err = capsys.readouterr()
    good, bad = json.loads(out)
    assert err == ""
    assert (good["readable"], good["notes"], good["lowest"], good["tempo"]) == (True, 2, "C4", 100)
    assert good["time_signatures"] == [{"frame": 0, "beats": 4, "unit": 4}]
    assert good["meter_from"] == "stated"
    assert (good["alignment"], good["off_grid"], good["losses"]) == ("stated", 0, {})
    assert good["tracks"] == [{"title": "", "notes": 0}, {"title": "Piano", "notes": 2}]
    assert (bad["readable"], bad["code"], bad["offset"]) == (False, "truncated", 0)


def test_a_broken_file_of_beats_is_named(folder, capsys):
    (folder / "[" / "deep" / "] good.beats.csv").write_text("0.0,1\nnonsense,0\n")
    assert run(["midi", "check", "--json", str(folder / "[")]) == 3
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["readable"], row["code"]) == (False, "bad-beats")
    assert "line 2" in row["what"]


def test_missing_files_are_rejected(folder, capsys):
    assert run(["midi", "check", str(folder / "none.mid")]) == 3
    assert "No such file" in capsys.readouterr().out
    (folder / "empty").mkdir()
    assert run(["midi", "check", str(folder / "empty")]) == 3
    assert "contains no MIDI file" in capsys.readouterr().err


def test_tracks_are_selected_by_title(tmp_path, capsys):
    melody, bass = (
        mido.MidiTrack([mido.MetaMessage("track_name", name=name)]) for name in ("Melody", "Bass")
    )
    for track, notes in ((melody, [72, 74, 76]), (bass, [36])):
        for note in notes:
            track.append(mido.Message("note_on", note=note, velocity=80))
            track.append(mido.Message("note_off", note=note, time=480))
    mido.MidiFile(ticks_per_beat=480, tracks=[melody, bass]).save(tmp_path / "song.mid")
    assert run(["midi", "check", f"{tmp_path / 'song.mid'}:Bass"]) == 0
    facts = lines(capsys.readouterr().out)
    assert facts["notes"] == "1 from C2 to C2"
    assert facts["tracks"] == "Melody (3), Bass (1)"
    assert run(["midi", "check", f"{tmp_path}:Melody,Bass"]) == 0
    assert lines(capsys.readouterr().out)["notes"] == "4 from C2 to E5"
    assert run(["midi", "check", f"{tmp_path / 'song.mid'}:Flute"]) == 3
    assert "no track is called Flute" in capsys.readouterr().out


def test_a_single_note_off_the_grid_is_not_said_to_be_on_it(tmp_path, capsys):
    steps = np.arange(21_000)
    notes = Notes(2 * steps, 2 * steps + 1, 40 + steps % 12, np.full(len(steps), 64, np.uint8))
    Roll.from_notes(notes).write(tmp_path / "long.mid")
    midi = mido.MidiFile(tmp_path / "long.mid")
    first, second = [message for message in midi.tracks[1] if message.type == "note_on"][2:4]
    first.time, second.time = first.time + 50, second.time - 50
    midi.save(tmp_path / "long.mid")
    assert run(["midi", "check", str(tmp_path / "long.mid")]) == 0
    described = lines(capsys.readouterr().out)
    assert described["grid"].endswith("less than 0.1% of notes are more than a quarter of a frame off it")
    assert described["changed"].startswith("1 moved")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0.0%"),
        (1e-6, "less than 0.1%"),
        (0.0005, "0.1%"),
        (0.5, "50.0%"),
        (1 - 1e-6, "more than 99.9%"),
        (1, "100.0%"),
    ],
)
def test_only_none_and_all_are_rounded_to_the_ends(share, words):
    assert percent(share) == words
