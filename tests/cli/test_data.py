"""`zoo data`: tables for users, JSON for programs, and short errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import mido
import numpy as np
import pretty_midi
import pytest

from zoo.cli.corpora import counted
from zoo.cli.main import run
from zoo.music.meter import Meter
from zoo.music.roll import Notes, Roll


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Each test has its own cache."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "corpora"


@pytest.fixture
def folder(tmp_path, tune):
    path = tmp_path / "my [/] music"
    path.mkdir(parents=True)
    for i in range(6):
        tune(i, 30 + i).write(path / f"piece {i}.mid")
    tune(0, 30).write(path / "copy of 0.mid")
    return path


@pytest.fixture
def with_a_bad_file(folder):
    (folder / "bad.mid").write_bytes(b"no music")
    return folder


@pytest.fixture
def zoo(capsys):
    """Runs a command and returns its exit code, stdout and stderr."""

    def call(*words):
        code = run(["data", *map(str, words)])
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


def test_scan_counts_the_music(zoo, folder):
    code, out, err = zoo("scan", folder, "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["skipped"] == []
    assert report["planes"] == ["onset", "sounding", "velocity"]
    summary = report["summary"]
    frames = sum(range(30, 36)) + 30
    assert (summary["all"]["pieces"], summary["all"]["frames"], summary["all"]["notes"]) == (
        7,
        frames,
        frames,
    )
    assert (summary["all"]["polyphony"], summary["all"]["most"], summary["all"]["silence"]) == (1.0, 1, 0.0)
    assert 21 <= summary["all"]["lowest"] < summary["all"]["highest"] <= 108
    assert sum(summary[split]["frames"] for split in ("train", "valid", "test")) == frames


def test_scan_reports_skipped_files_and_fails_if_strict(zoo, with_a_bad_file):
    code, out, err = zoo("scan", with_a_bad_file)
    assert code == 0
    assert "bad.mid" in out
    assert err == "1 of 8 files was skipped\n"
    assert (
        f"1 of 8 files was skipped; `zoo data scan '{with_a_bad_file}'` shows why"
        in zoo("show", with_a_bad_file)[2]
    )
    code, out, err = zoo("scan", with_a_bad_file, "--strict")
    assert code == 3
    assert "bad.mid" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("scan", "nowhere"), ("show", "nowhere"), ("scan", ".")])
def test_a_missing_corpus_is_a_single_error(zoo, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = zoo(*words)
    assert (code, out) == (3, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 2


def test_show_lists_the_pieces(zoo, folder):
    code, out, _ = zoo("show", folder)
    assert code == 0
    assert all(f"piece {i}.mid" in out for i in range(6))
    listed = json.loads(zoo("show", folder, "--json")[1])["pieces"]
    assert [piece["frames"] for piece in listed] == [30, *range(30, 36)]


@pytest.mark.parametrize("name", ["3", "piece 1.mid", "E 1"])
def test_show_finds_a_piece_by_number_or_title(zoo, folder, name):
    code, out, _ = zoo("show", folder, name, "--json")
    piece = json.loads(out)
    assert (code, piece["title"], piece["number"], piece["notes"]) == (0, "piece 1.mid", 3, 31)
    assert piece["seconds"] == pytest.approx(31 / 4 / 61 * 60, abs=0.1)


@pytest.mark.parametrize("name", [b"caf\xe9.mid", b"\x1b[31mred.mid", "ünï – 音楽.mid".encode()])
def test_any_file_name_can_be_shown(zoo, tmp_path, tune, name):
    path = tmp_path / "odd"
    path.mkdir()
    tune(1, 30).write(path / "plain.mid")
    os.rename(os.fsencode(path / "plain.mid"), os.path.join(os.fsencode(path), name))  # noqa: PTH104, PTH118
    code, out, err = zoo("show", path)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    code, out, err = zoo("show", path, "--json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["pieces"]) == 1


def test_show_lists_copies(zoo, folder):
    code, out, _ = zoo("show", folder, "piece 0")
    assert code == 0
    assert "copy of 0.mid" in out


@pytest.mark.parametrize("name", ["0", "8", "piece", "symphony"])
def test_an_ambiguous_piece_is_a_usage_error(zoo, folder, name):
    code, out, err = zoo("show", folder, name)
    assert (code, out) == (2, "")
    assert "number from 1 to 7" in err or "be more specific" in err


@pytest.fixture
def signed(tmp_path, tune):
    """Files with and without time signatures, and two pieces of one family."""
    path = tmp_path / "signed"
    path.mkdir()
    for name, seed, signature in (("a", 1, (3, 4)), ("b", 2, None), ("c", 3, None)):
        whole = tune(seed, 64)
        whole.write(path / f"{name}.mid")
        midi = mido.MidiFile(path / f"{name}.mid")
        for track in midi.tracks:
            track[:] = [event for event in track if event.type != "time_signature"]
        if signature is not None:
            upper, lower = signature
            midi.tracks[0].insert(0, mido.MetaMessage("time_signature", numerator=upper, denominator=lower))
        midi.save(path / f"{name}.mid")
    midi.save(path / "d, as c.mid")
    return path


def rows(out):
    """The value next to each label in two-column tables."""
    split = (line.split("  ", 1) for line in out.splitlines() if "  " in line)
    return {label.strip(): words.strip() for label, words in split}


def test_scan_counts_origins_of_time_signatures_and_families(zoo, signed):
    report = rows(zoo("scan", signed)[1])
    assert report["time signatures"] == "3 assumed (4/4), 1 stated"
    assert report["families"] == "3 families, 1 of several pieces; the largest has 2: c.mid, d, as c.mid"
    report = json.loads(zoo("scan", signed, "--json")[1])
    assert report["summary"]["all"]["meters_from"] == {"assumed": 3, "stated": 1}
    assert report["summary"]["all"]["families"] == 3
    assert report["families"] == [["c.mid", "d, as c.mid"]]


def test_show_lists_the_family_and_origin_of_the_meter_of_each_piece(zoo, signed):
    out = zoo("show", signed)[1]
    table = [line.split() for line in out.splitlines() if ".mid" in line][:4]
    assert [(row[0], row[-5:]) for row in table] == [
        ("1", ["1", "64", "3/4", "stated", "stated"]),
        ("2", ["2", "64", "4/4", "assumed", "stated"]),
        ("3", ["3", "64", "4/4", "assumed", "stated"]),
        ("4", ["3", "64", "4/4", "assumed", "stated"]),
    ]
    assert rows(out)["time signatures"] == "3 assumed (4/4), 1 stated"
    assert rows(out)["families"].startswith("3 families")
    listed = json.loads(zoo("show", signed, "--json")[1])
    assert [piece["meter_from"] for piece in listed["pieces"]] == ["stated", *["assumed"] * 3]
    assert (listed["meters_from"], listed["families"]) == (
        {"assumed": 3, "stated": 1},
        [["c.mid", "d, as c.mid"]],
    )


def test_show_reports_the_origin_of_the_meter_and_the_relatives_of_a_piece(zoo, signed):
    report = rows(zoo("show", signed, "c.mid")[1])
    assert report["meter"] == "4/4 (assumed, the file has none)"
    assert report["family"] == "d, as c.mid"
    assert rows(zoo("show", signed, "1")[1])["family"] == "no other piece of the corpus shares music with it"
    piece = json.loads(zoo("show", signed, "1", "--json")[1])
    assert (piece["meter_from"], piece["relatives"]) == ("stated", [])


def test_a_family_rule_that_matches_nothing_is_rejected_and_leaves_no_store(zoo, folder, cache):
    code, out, err = zoo("scan", folder, "family=^song")
    assert (code, out) == (2, "")
    assert err.startswith("error: family=^song: no title matches")
    assert "the titles are copy of 0.mid, piece 0.mid, piece 1.mid and 4 more" in err
    assert list(cache.iterdir()) == []
    assert rows(zoo("scan", folder, "family=^(piece|copy)")[1])["families"].startswith(
        "1 family, 1 of several"
    )


def test_a_leaking_pair_is_listed_once_with_its_largest_share(zoo, tmp_path):
    tune = [[60 + step % 7 * (step % 5)] for step in range(400)]
    pieces = {
        "train": [tune],
        "valid": [[[60 + n] for n in range(9)]],
        "test": [tune, [[40 + n % 2] for n in range(9)]],
    }
    (tmp_path / "set.json").write_text(json.dumps(pieces))
    out = zoo("scan", tmp_path / "set.json")[1]
    assert [line.split() for line in out.splitlines() if "100%" in line] == [
        ["train", "0", "(train)", "test", "0", "(test)", "100%", "copy"]
    ]
    leaks = json.loads(zoo("scan", tmp_path / "set.json", "--json")[1])["leaks"]
    assert leaks[0] == {
        "pieces": ["train 0", "test 0"],
        "splits": ["train", "test"],
        "view": "copy",
        "share": 1.0,
    }


def test_scan_explains_the_words_that_it_shows(zoo, folder, tmp_path):
    out = zoo("scan", folder)[1]
    assert "\nframe: the unit of time, a sixteenth note\n" in out
    assert "\nonset: the frame in which a key is pressed\n" in out
    assert "\nsilence: share of the frames in which nothing sounds\n" in out
    assert "\ncopies: pieces with the same notes, in any key\n" in out
    assert not [word for word in ("moved", "shares music", "heard") if f"\n{word}: " in out]
    assert "\nframe: the unit of time, 1/12 of a quarter note\n" in zoo("scan", folder, "grid=12")[1]
    for name, last in (("train", 3), ("test", 2)):
        start = np.array([0, 1, last], np.int64)
        notes = Notes(start, start + 1, 40 + start, np.full(3, 64, np.uint8))
        Roll.from_notes(notes, meter=Meter(12)).write(folder / f"{name}.mid")
    out = zoo("scan", folder)[1]
    assert "\nmoved: notes that were moved by more than a quarter of a frame to the nearest frame\n" in out
    tune = [[60 + step % 7 * (step % 5)] for step in range(400)]
    (tmp_path / "set.json").write_text(json.dumps({"train": [tune], "valid": [tune], "test": [tune]}))
    out = zoo("scan", tmp_path / "set.json")[1]
    assert "\nshares music: a leak: the published splits divide pieces with common passages" in out
    assert "\nonset: " not in out
    assert json.loads(zoo("scan", folder, "--json")[1])["summary"]["all"]["pieces"] == 9


def test_a_recommended_grid_is_explained(zoo, tmp_path):
    start = np.arange(0, 480, 4)
    notes = Notes(start, start + 4, 40 + np.arange(120) % 12, np.full(120, 64, np.uint8))
    Roll.from_notes(notes, meter=Meter(12)).write(tmp_path / "triplets.mid")
    out = zoo("scan", tmp_path)[1]
    assert "grid=6 fits these files better: it merges 0 and moves 0 of 120 notes, grid=4 0 and 80" in out
    assert "counts as moved if it moves by more than a quarter of a frame" in out
    assert rows(out)["off the grid"].endswith("% of the notes, by more than a quarter of a frame of grid=4")
    assert "fits these files better" not in zoo("scan", tmp_path, "grid=6")[1]


def test_leaks_that_are_not_listed_are_counted(zoo, tmp_path):
    tunes = [[[40 + n + step % 3] for step in range(6 + n)] for n in range(12)]
    (tmp_path / "set.json").write_text(json.dumps({"train": tunes, "valid": [[[60]]], "test": tunes}))
    out = zoo("scan", tmp_path / "set.json")[1]
    assert out.count("copy") == 10
    assert "and 2 more pairs; --json lists all" in out
    assert len(json.loads(zoo("scan", tmp_path / "set.json", "--json")[1])["leaks"]) == 12


@pytest.mark.parametrize(("command", "takes"), [("scan", False), ("show", True)])
def test_only_show_accepts_a_piece(zoo, folder, command, takes):
    assert ("[PIECE]" in zoo(command, "--help")[1]) is takes
    code, _, err = zoo(command, folder, "piece 1", "piece 2")
    assert code == 2
    assert (f"zoo data {command} FOLDER{' PIECE' if takes else ''} grid=12" in err, "piece" in err) == (
        True,
        True,
    )


def test_counts_of_lists_are_separated_by_semicolons():
    assert counted({"4/4": 1210, "3/4": 15}) == "4/4 1,210, 3/4 15"
    assert counted({"4/4": 327, "4/4, 3/4": 3}) == "4/4 327; 4/4, 3/4 3"


def test_counts_that_are_not_listed_are_summed():
    kinds = {f"{beats}/4": 10 - beats for beats in range(1, 10)}
    assert counted(kinds) == "1/4 9, 2/4 8, 3/4 7, 4/4 6, 5/4 5, 6/4 4, 3 other kinds 6"
    del kinds["9/4"], kinds["8/4"]
    assert counted(kinds) == "1/4 9, 2/4 8, 3/4 7, 4/4 6, 5/4 5, 6/4 4, 7/4 3"


def test_scan_hides_no_kind_of_ignored_file(zoo, folder):
    for number in range(9):
        (folder / f"a.kind{number}").write_text("no music")
    ignored = rows(zoo("scan", folder)[1])["ignored"]
    assert ignored.endswith("3 other kinds 3")


def test_show_names_the_tracks_of_the_piece_and_not_of_one_whose_name_ends_alike(zoo, tmp_path, song, tune):
    music = tmp_path / "music"
    (music / "b").mkdir(parents=True)
    for name, title in {"ab.mid": "VIOLIN", "b.mid": "PIANO", "b/b.mid": "FLUTE"}.items():
        file = mido.MidiFile(song / "song.mid")
        file.tracks[-1].insert(0, mido.MetaMessage("track_name", name=title))
        file.save(music / name)
    for name, title in {"ab.mid": "VIOLIN", "b.mid": "PIANO", "b/b.mid": "FLUTE"}.items():
        tracks = json.loads(zoo("show", music, name, "--json")[1])["tracks"]
        assert [track["title"] for track in tracks][-1] == title
    assert json.loads(zoo("show", music / "b.mid", "b.mid", "--json")[1])["tracks"][-1]["title"] == "PIANO"


def test_a_count_of_one_is_singular(zoo, tmp_path, tune):
    path = tmp_path / "one"
    path.mkdir()
    tune(1, 30).write(path / "only.mid")
    out = zoo("scan", path, "grid=1")[1]
    assert "1 frame per quarter note" in out
    assert rows(out)["families"] == "1 family"


def test_list_shows_cached_corpora(zoo, folder):
    empty = json.loads(zoo("list", "--json")[1])
    assert empty["cached"] == []
    assert empty["known"][0]["name"] == "bach"
    assert all(known["licence"] and known["good_for"] for known in empty["known"])
    published = {known["name"]: known for known in empty["known"] if known["download"]}
    assert published.keys() == {"pop909", "maestro", "jsb"}
    assert all(known["pieces"] and known["checksum"] and not known["here"] for known in published.values())
    zoo("scan", folder)
    (cached,) = json.loads(zoo("list", "--json")[1])["cached"]
    assert cached["name"] == str(folder)
    assert (cached["pieces"], cached["bytes"] > 0) == (7, True)
    assert str(folder) in zoo("list")[1]


def test_list_and_scan_do_not_import_torch(folder):
    script = (
        "import sys; from zoo.cli.main import run; "
        f"assert run(['data', 'list']) == 0 and run(['data', 'scan', {str(folder)!r}]) == 0; "
        "assert not {'torch', 'music21', 'scipy'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode == 0


def test_tables_fit_into_80_columns(zoo, folder, monkeypatch):
    from zoo.cli import console

    monkeypatch.setattr(console.stdout, "width", 80)
    _, out, _ = zoo("scan", folder)
    assert "split pieces frames notes polyphony most silence keys loudness" in " ".join(out.split())
    _, out, _ = zoo("list")
    assert "…" not in out


@pytest.fixture
def song(tmp_path, tune):
    """A folder of one song with two tracks, one of them with a title."""
    place = tmp_path / "song"
    place.mkdir()
    tune(0, 30).write(place / "song.mid")
    file = mido.MidiFile(place / "song.mid")
    second = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="Bass"),
            mido.Message("note_on", note=36, velocity=70),
            mido.Message("note_off", note=36, time=480),
        ]
    )
    file.tracks.append(second)
    file.save(place / "song.mid")
    return place


def test_scan_and_show_name_the_tracks_and_their_notes(zoo, song):
    for words in (("scan", song), ("show", song, "1"), ("scan", song / "song.mid")):
        code, out, _ = zoo(*words)
        assert code == 0
        assert "tracks" in out
        assert "Bass (1)" in out
        tracks = json.loads(zoo(*words, "--json")[1])["tracks"]
        assert {"title": "Bass", "notes": 1} in tracks
        assert sum(track["notes"] for track in tracks) == 31


def test_scan_counts_the_tracks_of_a_folder_by_title(zoo, song, tune):
    (song / "again.mid").write_bytes((song / "song.mid").read_bytes())
    out = zoo("scan", song)[1]
    assert "Bass (2 in 2 files)" in out
    assert {"title": "Bass", "files": 2, "notes": 2} in json.loads(zoo("scan", song, "--json")[1])["tracks"]


def test_scan_of_one_piece_notes_that_nothing_is_held_out(zoo, song, folder):
    code, out, _ = zoo("scan", song)
    assert code == 0
    assert "there is one piece only: nothing is held out" in out
    assert "held out" not in zoo("scan", folder)[1]


def test_notes_that_are_left_out_are_a_share_of_all_notes_in_the_files(zoo, tmp_path):
    score = pretty_midi.PrettyMIDI()
    for is_drum, count in ((False, 4), (True, 12)):
        instrument = pretty_midi.Instrument(0, is_drum)
        times = np.arange(count) / 2
        instrument.notes = [pretty_midi.Note(64, 60, time, time + 0.5) for time in times]
        score.instruments.append(instrument)
    (tmp_path / "songs").mkdir()
    score.write(str(tmp_path / "songs" / "song.mid"))
    out = zoo("scan", tmp_path / "songs")[1]
    assert rows(out)["drums"] == "12, 75.00% of the notes in the files"


def test_pieces_of_a_published_split_without_test_pieces_are_not_said_to_share_music(zoo, tmp_path):
    pieces = [[[60 + step * (number + 2) % 17] for step in range(30)] for number in range(3)]
    notes = (
        ([], "all 2 pieces are training pieces: nothing is held out"),
        (pieces[2:], "the split of this file has no test pieces: no test piece is left"),
    )
    for held_out, note in notes:
        path = tmp_path / f"{len(held_out)}.json"
        path.write_text(json.dumps({"train": pieces[:2], "valid": held_out, "test": []}))
        code, out, err = zoo("scan", path)
        text = " ".join((out + err).split())
        assert code == 0
        assert "share music:" not in text
        assert note in text
