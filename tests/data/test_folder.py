"""Folders of MIDI files: usable files are read, others reported, and only changed folders read again."""

from __future__ import annotations

import gzip
import json
import os
import shutil

import mido
import numpy as np
import pretty_midi
import pytest

from zoo.cli.main import run
from zoo.data import folder as folders
from zoo.data import open_corpus
from zoo.data.folder import source, split_tracks
from zoo.data.known import cached
from zoo.data.options import Options
from zoo.errors import DataError

FILES = int(os.environ.get("ZOO_STRESS_FILES", "500"))
"""Files over which memory is measured."""


@pytest.fixture
def folder(tmp_path, tune):
    """Six pieces, one of them twice; two broken files, and two entries that are not music."""
    path = tmp_path / "midi"
    (path / "sub" / "deep").mkdir(parents=True)
    (path / "[").mkdir()
    for i, name in enumerate(["b.mid", "a.MID", "sub/c.midi", "sub/deep/d.mid", "sub/e.mid", "[/]f.mid"]):
        tune(i, 40 + 10 * i).write(path / name)
    shutil.copy(path / "b.mid", path / "sub" / "copy of b.mid")
    (path / "bad.mid").write_bytes(b"MThd nonsense")
    (path / "sub" / "cut.mid").write_bytes((path / "b.mid").read_bytes()[:60])
    (path / "notes.txt").write_text("practise!")
    os.mkfifo(path / "pipe.mid")
    (path / "folder.mid").mkdir()
    return path


@pytest.fixture
def reads(monkeypatch):
    """The files that have been read so far."""
    seen = []
    read = folders._read

    def spy(file, title, *how):
        seen.append(title)
        return read(file, title, *how)

    monkeypatch.setattr(folders, "_read", spy)
    return seen


def test_bad_files_in_a_folder_are_skipped_with_a_reason(folder):
    corpus = open_corpus(str(folder))
    titles = [piece.title for piece in corpus.pieces]
    assert titles == sorted(titles)
    assert set(titles) == {
        *("[/]f.mid", "a.MID", "b.mid", "sub/c.midi", "sub/copy of b.mid", "sub/deep/d.mid", "sub/e.mid"),
    }
    assert [skipped.title for skipped in corpus.skipped] == ["bad.mid", "sub/cut.mid"]
    assert all(len(skipped.reason) > 10 for skipped in corpus.skipped)
    assert all(str(folder) not in skipped.reason for skipped in corpus.skipped)
    assert corpus.planes == {"onset", "sounding", "velocity"}


def test_an_unreadable_folder_is_skipped(folder, monkeypatch):
    look = os.scandir

    def refuse(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    corpus = open_corpus(folder)
    assert "sub/deep" in [skipped.title for skipped in corpus.skipped]
    assert "sub/deep/d.mid" not in [piece.title for piece in corpus.pieces]


def test_an_unreadable_file_is_skipped_with_a_reason(folder, monkeypatch):
    look, open_ = os.stat, os.open

    def refusing(do):
        def refuse(path, *args, **kwargs):
            if str(path).endswith("d.mid"):
                raise PermissionError(13, "Permission denied", str(path))
            return do(path, *args, **kwargs)

        return refuse

    monkeypatch.setattr(os, "stat", refusing(look))
    monkeypatch.setattr(os, "open", refusing(open_))
    corpus = open_corpus(folder)
    assert ("sub/deep/d.mid", True) in [(s.title, "Permission denied" in s.reason) for s in corpus.skipped]


def test_the_music_is_that_of_the_files(folder, tune):
    from zoo.music.midi import read_midi

    corpus = open_corpus(folder)
    for i, piece in enumerate(corpus.pieces):
        roll, stored = read_midi(folder / piece.title), corpus.roll(i)
        assert np.array_equal(stored.onset, roll.onset)
        assert np.array_equal(stored.sounding, roll.sounding)
        assert np.array_equal(stored.velocity, roll.velocity)
        assert stored.tempo == roll.tempo


def test_copies_share_a_split(folder):
    split = {piece.title: piece.split for piece in open_corpus(folder).pieces}
    assert split["b.mid"] == split["sub/copy of b.mid"]


def test_an_unchanged_folder_is_not_read_again(folder, reads, monkeypatch):
    first = open_corpus(folder)
    assert len(reads) == 9
    reads.clear()
    calls = []
    again = open_corpus(folder, progress=lambda *counts: calls.append(counts))
    monkeypatch.chdir(folder.parent)
    by_another_name = open_corpus("midi")
    assert (reads, calls) == ([], [])
    assert first.digest == again.digest == by_another_name.digest
    assert first.skipped == again.skipped == by_another_name.skipped


@pytest.mark.parametrize("change", ["new file", "file gone", "other music", "new name"])
def test_a_changed_folder_is_read_again(folder, reads, tune, change):
    before = open_corpus(folder).digest
    reads.clear()
    if change == "new file":
        tune(77, 30).write(folder / "new.mid")
    elif change == "file gone":
        (folder / "a.MID").unlink()
    elif change == "other music":
        tune(78, 40).write(folder / "b.mid")
    else:
        (folder / "b.mid").rename(folder / "z.mid")
    after = open_corpus(folder)
    assert reads
    assert after.digest != before
    assert set(reads) == {piece.title for piece in (*after.pieces, *after.skipped)}


def test_new_pieces_do_not_change_the_split_of_others(folder, tune):
    for i in range(30):
        tune(100 + i, 20).write(folder / f"many {i}.mid")
    before = {piece.title: piece.split for piece in open_corpus(folder).pieces}
    tune(200, 20).write(folder / "one more.mid")
    after = {piece.title: piece.split for piece in open_corpus(folder).pieces}
    assert before.items() <= after.items()


def test_a_single_file_is_a_corpus(folder):
    corpus = open_corpus(folder / "b.mid")
    assert [(piece.title, piece.split) for piece in corpus.pieces] == [("b.mid", "train")]


def test_progress_counts_the_files(folder):
    calls = []
    open_corpus(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i, 9) for i in range(1, 10)]


@pytest.mark.parametrize("path", ["nowhere", "nowhere/b.mid", "nowhere/x.mat"])
def test_a_missing_path_is_an_error_with_a_hint(tmp_path, path):
    with pytest.raises(DataError) as caught:
        open_corpus(tmp_path / path)
    assert caught.value.exit_code == 3
    assert caught.value.problems[0].where == str(tmp_path / path)
    assert caught.value.problems[0].hint


def test_a_folder_without_midi_files_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("practise!")
    with pytest.raises(DataError, match="no MIDI file"):
        open_corpus(tmp_path)
    with pytest.raises(DataError, match="not a MIDI file"):
        open_corpus(tmp_path / "notes.txt")
    (tmp_path / "JSB.mat").write_bytes(b"")
    with pytest.raises(DataError, match=r"one of its \.mat files"):
        open_corpus(tmp_path)


def test_a_folder_of_broken_files_is_an_error_with_reasons(tmp_path, cache):
    for name in ("a.mid", "b.mid"):
        (tmp_path / name).write_bytes(b"no music")
    with pytest.raises(DataError) as caught:
        open_corpus(tmp_path)
    assert [problem.where for problem in caught.value.problems[1:]] == ["a.mid", "b.mid"]
    assert list(cache.iterdir()) == []


@pytest.fixture
def band(tmp_path):
    """Two songs with flute and piano, and one with piano only; each track has its own key."""
    path = tmp_path / "band"
    path.mkdir()
    for name, titles in {
        "a.mid": ("Flute", "PIANO "),
        "b.mid": ("Flute", "PIANO "),
        "c.mid": ("PIANO ",),
    }.items():
        song = pretty_midi.PrettyMIDI()
        for title in titles:
            pitch, loud = (72, 90) if title == "Flute" else (48, 33)
            instrument = pretty_midi.Instrument(0, name=title)
            instrument.notes = [pretty_midi.Note(loud, pitch, 0.0, 1.0 + (title == "Flute"))]
            song.instruments.append(instrument)
        song.write(str(path / name))
    return path


def keys_and_loudness(corpus, index=0):
    roll = corpus.roll(index)
    return (np.flatnonzero(roll.sounding.any(0)) + 21).tolist(), sorted(
        set(roll.velocity[roll.onset].tolist())
    )


def test_tracks_are_selected_by_title_after_a_colon(band):
    whole, piano = open_corpus(band), open_corpus(f"{band}:piano")
    assert keys_and_loudness(whole) == ([48, 72], [33, 90])
    assert keys_and_loudness(piano) == ([48], [33])
    assert keys_and_loudness(open_corpus(f"{band}:FLUTE, Piano")) == ([48, 72], [33, 90])
    assert piano.name == f"{band}:piano"
    assert piano.roll(0).frames < whole.roll(0).frames, "the roll ends with its last chosen note"
    assert keys_and_loudness(open_corpus(band / "a.mid:flute")) == ([72], [90])
    assert keys_and_loudness(open_corpus(band)) == ([48, 72], [33, 90]), "each selection has its own store"


def test_a_file_without_the_track_is_skipped_with_a_reason(band):
    flute = open_corpus(f"{band}:flute")
    assert [piece.title for piece in flute.pieces] == ["a.mid", "b.mid"]
    assert [skipped.title for skipped in flute.skipped] == ["c.mid"]
    assert flute.skipped[0].reason == "no track is called flute; its tracks are PIANO"
    with pytest.raises(DataError, match="no track is called oboe; its tracks are Flute, PIANO"):
        open_corpus(f"{band}:oboe")


def test_a_path_may_contain_a_colon(band):
    odd = band.rename(band.with_name("band:PIANO"))
    assert keys_and_loudness(open_corpus(odd)) == ([48, 72], [33, 90])
    assert keys_and_loudness(open_corpus(f"{odd}:PIANO")) == ([48], [33])
    for missing in ("nowhere:PIANO", f"{odd}:", ":PIANO", ":"):
        with pytest.raises(DataError, match="no corpus, folder or MIDI file with this name"):
            open_corpus(missing)


def test_the_piano_track_of_a_pop_song_has_many_velocities(shared):
    song = shared / "data" / "pop909" / "001.mid"
    assert len(keys_and_loudness(open_corpus(f"{song}:PIANO"))[1]) > 40
    assert len(open_corpus(song).roll(0).notes()) > len(open_corpus(f"{song}:PIANO").roll(0).notes())


@pytest.fixture
def odd_titles(tmp_path):
    """A song with commas and colons in its track titles, and with tracks named like parts of these titles."""
    song = pretty_midi.PrettyMIDI()
    for title, pitch in [("Piano, RH", 60), ("Piano: LH", 62), ("Piano", 64), ("RH", 65), ("Flute", 67)]:
        instrument = pretty_midi.Instrument(0, name=title)
        instrument.notes = [pretty_midi.Note(80, pitch, 0.0, 1.0)]
        song.instruments.append(instrument)
    (tmp_path / "songs").mkdir()
    song.write(str(tmp_path / "songs" / "a.mid"))
    return tmp_path / "songs"


@pytest.mark.parametrize(
    ("titles", "pitches"),
    [
        ("Piano, RH", [60]),
        ("piano, rh ", [60]),
        ("Piano: LH", [62]),
        ("Piano", [64]),
        ("Piano,RH", [64, 65]),
        ("RH, Piano", [64, 65]),
        ("Flute,Piano: LH", [62, 67]),
    ],
)
def test_titles_may_have_commas_and_colons(odd_titles, titles, pitches):
    for path in (odd_titles, odd_titles / "a.mid"):
        assert keys_and_loudness(open_corpus(f"{path}:{titles}"))[0] == pitches


def test_the_longest_path_that_exists_is_the_path(tmp_path):
    path = tmp_path / "songs"
    for name in ("songs", "songs:Piano", "songs:Piano:RH"):
        (tmp_path / name).mkdir()
    assert split_tracks(f"{path}:Piano:RH") == (f"{path}:Piano:RH", ())
    assert split_tracks(f"{path}:Piano:LH") == (f"{path}:Piano", ("LH",))
    assert split_tracks(f"{path}:Flute:RH,X") == (str(path), ("Flute:RH", "X"))
    assert split_tracks(f"{path}: ") == (f"{path}: ", ())
    assert split_tracks("nowhere:Piano") == ("nowhere:Piano", ())
    assert split_tracks("x" * 5000 + ":Piano") == ("x" * 5000 + ":Piano", ())
    assert split_tracks("pop909:Piano: RH, LH", {"pop909"}) == ("pop909", ("Piano: RH", " LH"))


def test_a_file_of_any_midi_suffix_is_read(tmp_path, tune):
    names = ["a.mid", "b.MIDI", "c.kar", "d.rmi", "e.SMF"]
    for i, name in enumerate(names):
        tune(i, 20).write(tmp_path / name)
    assert [piece.title for piece in open_corpus(tmp_path).pieces] == names
    assert [piece.title for piece in open_corpus(tmp_path / "c.kar").pieces] == ["c.kar"]


def test_compressed_files_are_skipped_by_name(tmp_path, tune):
    tune(1, 20).write(tmp_path / "a.mid")
    (tmp_path / "b.mid.gz").write_bytes(gzip.compress((tmp_path / "a.mid").read_bytes()))
    (skipped,) = open_corpus(tmp_path).skipped
    assert (skipped.title, skipped.reason) == ("b.mid.gz", "this file is compressed with gzip")


def test_ignored_files_are_counted(folder):
    (folder / "broken.mid").symlink_to("nowhere")
    (folder / "link").symlink_to(folder / "sub")
    (folder / "round").symlink_to(folder)
    (folder / "linked.mid").symlink_to("b.mid")
    (folder / "._b.mid").write_bytes(b"\0\5\x16\7 and what macOS keeps")
    shutil.copy(folder / "b.mid", folder / "._real.mid")
    (folder / "song.mp3").write_bytes(b"")
    (folder / "README").write_text("")
    corpus = open_corpus(folder)
    assert corpus.ignored == {
        ".txt files": 1,
        ".mp3 files": 1,
        "other files": 1,
        "broken links": 1,
        "links to folders": 2,
        "macOS ._ files": 1,
        "devices and pipes": 1,
    }
    titles = {piece.title for piece in corpus.pieces}
    assert {"linked.mid", "._real.mid"} <= titles, "a link to a file is the file"
    assert not any(title.startswith(("link/", "round/")) for title in titles)
    assert corpus.split("train").ignored == corpus.ignored


def test_the_sample_of_a_bundle_in_the_folder_is_no_music(folder, tune):
    before = open_corpus(folder)
    bundle = folder / "run" / "bundle"
    bundle.mkdir(parents=True)
    for name in ("manifest.json", "model.safetensors"):
        (bundle / name).write_bytes(b"")
    tune(7, 20).write(bundle / "sample.mid")
    corpus = open_corpus(folder)
    assert corpus.digest == before.digest
    assert corpus.ignored["bundles"] == 1
    assert [piece.title for piece in open_corpus(bundle).pieces] == ["sample.mid"], "it was named itself"


def test_a_folder_of_links_is_an_error_with_a_hint(tmp_path):
    (tmp_path / "midi").mkdir()
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "midi").symlink_to(tmp_path / "midi")
    with pytest.raises(DataError, match="links to folders: 1") as caught:
        open_corpus(tmp_path / "links")
    assert "the folder that the link points to" in caught.value.problems[0].hint


def test_scans_report_copies_and_ignored_files(folder, capsys):
    assert run(["data", "scan", str(folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["copies"] == [["b.mid", "sub/copy of b.mid"]]
    assert report["passed_over"] == {".txt files": 1, "devices and pipes": 1}
    assert run(["data", "scan", str(folder)]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "2 pieces are identical to another, such as b.mid and sub/copy of b.mid" in words
    assert "ignored .txt files 1, devices and pipes 1" in words


def test_each_grid_and_pedal_setting_has_its_own_store(folder, reads):
    coarse, fine, held = open_corpus(folder), open_corpus(folder, grid=12), open_corpus(folder, pedal="hold")
    assert len({coarse.digest, fine.digest}) == 2
    assert coarse.digest == held.digest, "these files contain no pedal"
    assert (coarse.grid, fine.grid) == (4, 12)
    assert [piece.frames * 3 for piece in coarse.pieces] == [piece.frames for piece in fine.pieces]
    reads.clear()
    assert open_corpus(folder, grid=4).digest == coarse.digest, "the default grid may be given explicitly"
    assert open_corpus(folder, grid=12).digest == fine.digest
    assert open_corpus(folder, pedal="hold").digest == held.digest
    assert reads == []
    path = str(folder.resolve())
    assert [corpus.name for corpus in cached()] == [path, f"{path} grid=12", f"{path} pedal=hold"]


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_read_again(folder):
    """As by unpacking another version of an archive whose times are all the same."""
    piece = folder / "b.mid"
    music = mido.MidiFile(piece)
    music.save(piece)
    status, before = piece.stat(), open_corpus(folder).digest
    for message in (message for track in music.tracks for message in track):
        if message.type in ("note_on", "note_off"):
            message.note += 1
    music.save(piece)
    os.utime(piece, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (piece.stat().st_size, piece.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert open_corpus(folder).digest != before


def test_the_store_depends_on_the_rule_for_families(folder, tmp_path):
    rules = tmp_path / "families.csv"
    names = [source(folder, Options(family=rule)).store_name for rule in ("", "(.*)-", str(rules))]
    rules.write_text("b.mid,one\n")
    names.append(source(folder, Options(family=str(rules))).store_name)
    rules.write_text("b.mid,two\n")
    names.append(source(folder, Options(family=str(rules))).store_name)
    assert len(set(names)) == 5


def test_a_beat_file_is_used_and_the_store_depends_on_it(tmp_path, tune):
    tune(60, 40).write(tmp_path / "a.mid")
    before = open_corpus(tmp_path)
    assert [piece.alignment for piece in before.pieces] == ["stated"]
    beats = tmp_path / "a.beats.csv"
    beats.write_text("".join(f"{i / 2},{int(i % 3 == 0)}\n" for i in range(12)))
    annotated = open_corpus(tmp_path)
    assert [(piece.alignment, str(piece.meter)) for piece in annotated.pieces] == [("annotated", "3/4")]
    beats.write_text("0,1\nthen,0\n")
    with pytest.raises(DataError, match=r"a\.beats\.csv: this is not a beat file: line 2"):
        open_corpus(tmp_path)
    beats.unlink()
    assert open_corpus(tmp_path).digest == before.digest


def test_memory_does_not_grow_with_files(tmp_path, tune, resident):
    """Read files in this process, as each worker does for a large folder."""
    paths = [tmp_path / f"{i}.mid" for i in range(10)]
    for i, path in enumerate(paths):
        tune(i, 200).write(path)

    def read(count):
        for i in range(count):
            assert folders._read(paths[i % 10], "a", (), Options()).roll.frames == 200

    read(100)
    before = resident()
    read(FILES)
    assert resident() - before < 20 * 2**20
