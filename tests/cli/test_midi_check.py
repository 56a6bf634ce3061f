import json

import mido
import numpy as np
import pytest

from zoo.cli.main import run
from zoo.music.meter import Meter
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
    """What stands beside each label, in a file's block."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines() if line.startswith("  ")}


def test_a_folder_goes_on_after_a_bad_file(folder, capsys):
    assert run(["midi", "check", str(folder)]) == 3
    out, err = capsys.readouterr()
    names = [line for line in out.splitlines() if ".mid" in line.lower() and not line.startswith(" ")]
    assert [name.rpartition("/")[2] for name in names] == ["] good.MID", "bad.mid"]
    assert any(line.startswith("  refused: ") and "(truncated, byte" in line for line in out.splitlines())
    assert "1 of 2 files can be read" in err
    assert "other.txt" not in out


def test_a_file_is_told_in_a_musician_s_words(folder, capsys):
    assert run(["midi", "check", str(folder / "[")]) == 0
    out, err = capsys.readouterr()
    assert lines(out) == {
        "length": "1 bar, 8 sixteenths",
        "notes": "2 from C4 to C8",
        "meter": "4/4",
        "tempo": "100 quarter notes a minute",
        "grid": "as the file states it; every note lies on it",
        "tracks": "Piano (2)",
    }
    assert "1 of 1 files can be read" in err


def test_what_reading_costs_is_told(tmp_path, capsys):
    track = mido.MidiTrack()
    for turn in range(16):
        track.append(mido.Message("note_on", note=60 + 2 * (turn % 2), velocity=80))
        track.append(mido.Message("note_off", note=60 + 2 * (turn % 2), time=60))
    track.append(mido.Message("note_on", channel=9, note=35, velocity=80))
    midi = mido.MidiFile(ticks_per_beat=480, tracks=[track])
    midi.save(tmp_path / "trill.mid")
    assert run(["midi", "check", str(tmp_path / "trill.mid")]) == 0
    told = lines(capsys.readouterr().out)
    assert told["changed"] == "8 merged, 8 moved"
    assert told["left"] == "out 1 drums"
    assert told["grid"].endswith("50.0% of notes lie more than a quarter frame off it")
    assert run(["midi", "check", "--grid", "8", str(tmp_path / "trill.mid")]) == 0
    told = lines(capsys.readouterr().out)
    assert "changed" not in told
    assert told["length"] == "1 bar, 16 frames, 8 to a quarter note"


def test_the_meter_is_told(tmp_path, capsys):
    one = np.array([1])
    notes = Notes(one - 1, one * 40, one + 38, one.astype(np.uint8))
    Roll.from_notes(notes, meter=Meter.of(3, 4, offset=10)).write(tmp_path / "upbeat.mid")
    assert run(["midi", "check", str(tmp_path / "upbeat.mid")]) == 0
    assert lines(capsys.readouterr().out)["meter"] == "3/4, after an upbeat of 1/8"


def test_json_is_all_that_is_on_standard_output(folder, capsys):
    assert run(["midi", "check", "--json", str(folder)]) == 3
    out, err = capsys.readouterr()
    good, bad = json.loads(out)
    assert err == ""
    assert (good["readable"], good["notes"], good["lowest"], good["tempo"]) == (True, 2, "C4", 100)
    assert good["time_signatures"] == [{"frame": 0, "beats": 4, "unit": 4}]
    assert (good["alignment"], good["off_grid"], good["losses"]) == ("stated", 0, {})
    assert good["tracks"] == [{"title": "", "notes": 0}, {"title": "Piano", "notes": 2}]
    assert (bad["readable"], bad["code"], bad["offset"]) == (False, "truncated", 0)


def test_a_broken_file_of_beats_is_named(folder, capsys):
    (folder / "[" / "deep" / "] good.beats.csv").write_text("0.0,1\nnonsense,0\n")
    assert run(["midi", "check", "--json", str(folder / "[")]) == 3
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["readable"], row["code"]) == (False, "bad-beats")
    assert "line 2" in row["what"]


def test_what_is_not_there_is_refused(folder, capsys):
    assert run(["midi", "check", str(folder / "none.mid")]) == 3
    assert "No such file" in capsys.readouterr().out
    (folder / "empty").mkdir()
    assert run(["midi", "check", str(folder / "empty")]) == 3
    assert "holds no MIDI file" in capsys.readouterr().err
