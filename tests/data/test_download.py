"""Published sets come from a server once, whole and checked; here the server is on the loopback address."""

from __future__ import annotations

import builtins
import functools
import hashlib
import http.server
import io
import json
import os
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pooch")

from zoo.cli.main import run
from zoo.data import open_corpus, published
from zoo.data.published import MAESTRO, POP909, PUBLISHED
from zoo.errors import DataError, ZooError

SET = {"train": [[[60, 64]], [[62]]], "valid": [[[60]]], "test": [[[72, 76, 79]] * 3]}


class Server(http.server.ThreadingHTTPServer):
    """Serves what is in `files`; names in `cut` break off in the middle."""

    def __init__(self):
        self.files, self.cut, self.asked = {}, set(), []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path in self.server.cut else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.02))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def serve(server, monkeypatch):
    """Have a known set come from the server, as this content."""

    def put(name, content, sha256=None):
        file = PUBLISHED[name].remote.file
        server.files[f"/{file}"] = content
        url = f"http://127.0.0.1:{server.server_port}/{file}"
        remote = replace(PUBLISHED[name].remote, url=url, sha256=sha256, bytes=max(1000, len(content)))
        monkeypatch.setitem(PUBLISHED, name, replace(PUBLISHED[name], remote=remote))
        return remote

    return put


def archive(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return content.getvalue()


@pytest.fixture
def song(tmp_path, tune):
    def make(seed):
        tune(seed, 20 + seed).write(tmp_path / "song.mid")
        return (tmp_path / "song.mid").read_bytes()

    return make


def nothing_left(remote):
    return [file.name for file in remote.path.parent.iterdir() if file.name != ".lock"] == []


def test_a_set_is_fetched_once_and_held_to_its_first_checksum(serve, server, capsys):
    content = json.dumps(SET).encode()
    remote = serve("jsb", content)
    told = []
    corpus = open_corpus("jsb", progress=lambda *counts: told.append(counts))
    assert corpus.name == "jsb"
    assert [piece.split for piece in corpus.pieces] == ["train", "train", "valid", "test"]
    assert told[:2] == [(len(content), len(content))] * 2 or told[0] == (len(content), len(content))
    said = capsys.readouterr()
    assert said.out == ""
    assert "0.0 MB" in said.err
    assert remote.licence in said.err
    assert remote.pin.read_text().split() == [hashlib.sha256(content).hexdigest(), remote.file]
    again = open_corpus("jsb")
    assert (again.digest, len(server.asked), capsys.readouterr().err) == (corpus.digest, 1, "")
    remote.path.write_bytes(json.dumps(SET | {"test": []}).encode())
    with pytest.raises(DataError, match="differs from the one recorded at its first use") as caught:
        open_corpus("jsb")
    assert "move or delete the file" in caught.value.problems[0].hint
    assert remote.path.exists(), "nothing is removed"
    assert len(server.asked) == 1


def test_a_published_checksum_is_kept_to(serve, server, song):
    content = archive(**{"maestro-v3.0.0/2004/a.midi": song(1)})
    remote = serve("maestro", content, sha256=hashlib.sha256(content).hexdigest())
    assert [piece.title for piece in open_corpus("maestro").pieces] == ["2004/a.midi"]
    assert not remote.pin.exists()


def test_a_wrong_checksum_is_refused_and_nothing_kept(serve, song):
    remote = serve("maestro", archive(**{"m/a.midi": song(1)}), sha256="0" * 64)
    with pytest.raises(DataError, match="not 0000") as caught:
        open_corpus("maestro")
    assert str(remote.path) in caught.value.problems[0].hint
    assert nothing_left(remote)


def test_a_file_put_there_by_hand_needs_no_server(serve, server, song):
    content = archive(**{"m/2004/a.midi": song(1)})
    remote = serve("maestro", b"", sha256=hashlib.sha256(content).hexdigest())
    remote.path.parent.mkdir(parents=True)
    remote.path.write_bytes(content)
    assert len(open_corpus("maestro").pieces) == 1
    assert server.asked == []
    remote.path.write_bytes(content + b"x")
    with pytest.raises(DataError, match="differs from the one published"):
        open_corpus("maestro")
    assert remote.path.read_bytes() == content + b"x"


@pytest.mark.parametrize("fault", ["cut", "missing", "gone", "excuse"])
def test_a_download_that_fails_leaves_nothing_and_names_the_way_round(
    serve, server, fault, capsys, monkeypatch
):
    remote = serve(
        "jsb", json.dumps(SET).encode() * (1 if fault != "excuse" else 0) or b"<html>Log in</html>"
    )
    if fault == "cut":
        server.cut.add(f"/{remote.file}")
    elif fault == "missing":
        server.files.clear()
    elif fault == "gone":
        closed = replace(remote, url="http://127.0.0.1:9/nobody")
        monkeypatch.setitem(PUBLISHED, "jsb", replace(PUBLISHED["jsb"], remote=closed))
    reason = {"cut": "interrupted", "missing": "404", "gone": "cannot be reached", "excuse": "wrong format"}[
        fault
    ]
    assert run(["data", "scan", "jsb"]) == 3
    error = capsys.readouterr().err
    assert reason in error
    assert f"manually and save it to {remote.path}" in error.replace("\n", " ")
    assert "Traceback" not in error
    assert nothing_left(remote)


def test_songs_are_read_from_the_archive_where_they_lie(serve, tmp_path, song, cache):
    outside = tmp_path / "evil.mid"
    big = b"\0" * (33 * 2**20)
    remote = serve(
        "maestro",
        archive(
            **{
                "m/2004/a.midi": song(1),
                "m/2006/b.midi": song(2),
                "m/../../../evil.mid": song(3),
                "/m/evil.mid": song(4),
                "m/bomb.mid": big,
                "m/broken.mid": b"no music",
                "m/notes.txt": b"practise!",
                "m/maestro-v3.0.0.csv": b"split,midi_filename\ntest,2004/a.midi\nvalidation,2006/b.midi\n",
            }
        ),
    )
    corpus = open_corpus("maestro")
    assert [(piece.title, piece.split) for piece in corpus.pieces] == [
        ("2004/a.midi", "test"),
        ("2006/b.midi", "valid"),
    ]
    reasons = {skipped.title: skipped.reason for skipped in corpus.skipped}
    assert "points outside" in reasons["../../../evil.mid"]
    assert "larger than 32 MiB" in reasons["bomb.mid"]
    assert "not a MIDI file" in reasons["broken.mid"]
    assert not outside.exists()
    assert {file.name for file in remote.path.parent.iterdir()} == {remote.file, remote.pin.name, ".lock"}


def test_a_damaged_member_is_skipped_and_a_damaged_archive_refused(serve, song):
    content = bytearray(archive(**{"m/a.midi": song(1), "m/b.midi": song(2)}))
    content[60:64] = b"\xff\xff\xff\xff"
    remote = serve("maestro", bytes(content))
    corpus = open_corpus("maestro")
    assert [skipped.title for skipped in corpus.skipped] == ["a.midi"]
    remote.path.unlink()
    remote.pin.unlink()
    serve("maestro", archive(**{"m/a.midi": song(1)})[:-1])
    with pytest.raises(DataError, match="truncated or has the wrong format"):
        open_corpus("maestro")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_unfold_without_a_bound_are_not_undone(serve, song, packing, monkeypatch):
    content = io.BytesIO(archive(**{"m/a.midi": song(1)}))
    with zipfile.ZipFile(content, "a", packing) as packed:
        packed.writestr("m/bomb.mid", b"\0" * 2**20)
    serve("maestro", content.getvalue())
    for undo in ("bz2.BZ2Decompressor", "lzma.LZMADecompressor"):
        monkeypatch.setattr(f"zipfile.{undo}", lambda *_: pytest.fail("it was unpacked"))
    corpus = open_corpus("maestro")
    assert [piece.title for piece in corpus.pieces] == ["a.midi"]
    assert [(skipped.title, skipped.reason) for skipped in corpus.skipped] == [
        ("bomb.mid", "it cannot be decompressed: its compression method is neither store nor deflate")
    ]


def test_a_table_that_is_none_is_damage(serve, song, capsys):
    table = b"split,midi_filename\n" + b"x" * 200_000 + b",a.midi\n"
    serve("maestro", archive(**{"m/a.midi": song(1), "m/maestro-v3.0.0.csv": table}))
    assert run(["data", "scan", "maestro"]) == 3
    error = capsys.readouterr().err
    assert "the archive is damaged" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("pin", [b"", b"\n", b"\xff\xfe", b"folder", b"<html>"])
def test_a_checksum_that_cannot_be_read_is_not_written_anew(serve, pin):
    remote = serve("jsb", json.dumps(SET).encode())
    open_corpus("jsb")
    remote.pin.unlink()
    if pin == b"folder":
        remote.pin.mkdir()
    else:
        remote.pin.write_bytes(pin)
    with pytest.raises(DataError, match="no readable checksum") as caught:
        open_corpus("jsb")
    assert caught.value.problems[0].where == str(remote.pin)
    assert remote.pin.is_dir() or remote.pin.read_bytes() == pin


def test_a_download_without_an_end_is_stopped(serve, server, monkeypatch, capsys):
    content = json.dumps(SET).encode()
    remote = serve("jsb", content)
    server.files[f"/{remote.file}"] = content + b" " * 2**22
    kept = []
    monkeypatch.setattr("zoo.data.download._check_complete", lambda _, file: kept.append(file.stat().st_size))
    assert run(["data", "scan", "jsb"]) == 3
    assert "more than 4 times the expected size" in " ".join(capsys.readouterr().err.split())
    assert kept == []
    assert nothing_left(remote)


def test_pop909_is_its_piano_unless_other_tracks_are_named(serve, server):
    import pretty_midi

    midi = pretty_midi.PrettyMIDI()
    for title, pitch in (("MELODY", 80), ("PIANO", 40)):
        instrument = pretty_midi.Instrument(0, name=title)
        instrument.notes = [pretty_midi.Note(77, pitch, 0, 1)]
        midi.instruments.append(instrument)
    content = io.BytesIO()
    midi.write(content)
    data = content.getvalue()
    root = "POP909-Dataset-efa0/POP909"
    serve("pop909", archive(**{f"{root}/001/001.mid": data, f"{root}/001/versions/001-v1.mid": data}))
    piano, melody = open_corpus("pop909"), open_corpus("pop909:MELODY")
    assert [piece.title for piece in piano.pieces] == ["001/001.mid"]
    assert piano.roll(0).sounding.any(0).nonzero()[0].tolist() == [40 - 21]
    assert melody.roll(0).sounding.any(0).nonzero()[0].tolist() == [80 - 21]
    assert len(server.asked) == 1


def test_pop909_is_put_on_its_published_beats(serve, song):
    root, beats = (
        "POP909-Dataset-efa0/POP909",
        "".join(f"{i / 2 + 0.06} 0 {int(i % 4 == 1)}\n" for i in range(40)),
    )
    members = {f"{root}/{number}/{number}.mid": titled(song(1), "PIANO") for number in ("001", "002", "003")}
    members |= {f"{root}/001/beat_midi.txt": beats.encode(), f"{root}/003/beat_midi.txt": b"no beats"}
    serve("pop909", archive(**members))
    corpus = open_corpus("pop909")
    with_beats, without = corpus.pieces
    assert (with_beats.alignment, with_beats.meter.offset) == ("annotated", 12)
    assert without.alignment != "annotated"
    (skipped,) = corpus.skipped
    assert skipped.title == "003/003.mid"
    assert "not a beat file" in skipped.reason


def titled(content, title):
    """The same file, with its notes in a track of this title."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(io.BytesIO(content))
    for instrument in midi.instruments:
        instrument.name = title
    out = io.BytesIO()
    midi.write(out)
    return out.getvalue()


def test_published_sets_are_read_on_the_grid_that_is_asked_for(serve, song):
    serve("maestro", archive(**{"m/a.midi": song(1)}))
    corpus = open_corpus("maestro", grid=6)
    assert corpus.grid == 6
    assert {piece.meter.grid for piece in corpus.pieces} == {6}


def test_a_set_of_frames_has_no_other_grid_and_no_tracks(serve, server):
    serve("jsb", json.dumps(SET).encode())
    with pytest.raises(DataError, match=r"sixteenths \(grid=4\), not grid=8"):
        open_corpus("jsb", grid=8)
    with pytest.raises(DataError, match="has no tracks"):
        open_corpus("jsb:PIANO")
    assert server.asked == [], "nothing is downloaded"
    assert open_corpus("jsb", grid=4).grid == 4


def test_without_pooch_the_hint_is_named(serve, monkeypatch):
    serve("jsb", b"{}")
    load = builtins.__import__

    def missing(name, *rest):
        if name == "pooch":
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(DataError) as caught:
        open_corpus("jsb")
    assert "pip install 'polyzoo[data]'" in caught.value.problems[0].hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_problem(serve, monkeypatch):
    remote = serve("jsb", json.dumps(SET).encode())
    open_ = builtins.open

    def full(file, *rest, **more):
        place = "/dev/full" if str(file).endswith(".part") and "w+b" in rest else file
        return open_(place, *rest, **more)

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(ZooError) as caught:
        open_corpus("jsb")
    assert "no space" in str(caught.value)
    assert "ZOO_CACHE" in caught.value.problems[0].hint
    assert nothing_left(remote)


def test_what_is_fetched_is_pinned_and_safe():
    for each in (POP909, MAESTRO, published.JSB):
        assert each.remote.url.startswith("https://")
        assert each.remote.sha256 or "efa0bce" in each.remote.url or "9a7f733" in each.remote.url
    assert os.path.basename(POP909.remote.file) == POP909.remote.file  # noqa: PTH119
