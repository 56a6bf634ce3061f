"""Published datasets are downloaded once and verified; the tests run a server on the loopback address."""

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

DATASET = {"train": [[[60, 64]], [[62]]], "valid": [[[60]]], "test": [[[72, 76, 79]] * 3]}


class Server(http.server.ThreadingHTTPServer):
    """Serves the contents of `files`; the connection is closed halfway for names in `cut`."""

    def __init__(self):
        self.files, self.cut, self.requests = {}, set(), []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
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
    """Serve this content as the file of a published dataset."""

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
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


@pytest.fixture
def song(tmp_path, tune):
    def make(seed):
        tune(seed, 20 + seed).write(tmp_path / "song.mid")
        return (tmp_path / "song.mid").read_bytes()

    return make


def folder_is_empty(remote):
    return [file.name for file in remote.path.parent.iterdir() if file.name != ".lock"] == []


def test_a_dataset_is_downloaded_once_and_compared_with_its_first_checksum(serve, server, capsys):
    content = json.dumps(DATASET).encode()
    remote = serve("jsb", content)
    calls = []
    corpus = open_corpus("jsb", progress=lambda *counts: calls.append(counts))
    assert corpus.name == "jsb"
    assert [piece.split for piece in corpus.pieces] == ["train", "train", "valid", "test"]
    assert calls[:2] == [(len(content), len(content))] * 2 or calls[0] == (len(content), len(content))
    output = capsys.readouterr()
    assert output.out == ""
    assert "0.0 MB" in output.err
    assert remote.licence in output.err
    assert remote.pin.read_text().split() == [hashlib.sha256(content).hexdigest(), remote.file]
    again = open_corpus("jsb")
    assert (again.digest, len(server.requests), capsys.readouterr().err) == (corpus.digest, 1, "")
    remote.path.write_bytes(json.dumps(DATASET | {"test": []}).encode())
    with pytest.raises(DataError, match="differs from the one recorded at its first use") as caught:
        open_corpus("jsb")
    assert "move or delete the file" in caught.value.problems[0].hint
    assert remote.path.exists(), "the file is kept"
    assert len(server.requests) == 1


def test_a_published_checksum_is_verified(serve, server, song):
    content = archive(**{"maestro-v3.0.0/2004/a.midi": song(1)})
    remote = serve("maestro", content, sha256=hashlib.sha256(content).hexdigest())
    assert [piece.title for piece in open_corpus("maestro").pieces] == ["2004/a.midi"]
    assert not remote.pin.exists()


def test_a_download_with_a_wrong_checksum_is_discarded(serve, song):
    remote = serve("maestro", archive(**{"m/a.midi": song(1)}), sha256="0" * 64)
    with pytest.raises(DataError, match="not 0000") as caught:
        open_corpus("maestro")
    assert str(remote.path) in caught.value.problems[0].hint
    assert folder_is_empty(remote)


def test_a_manually_downloaded_file_needs_no_server(serve, server, song):
    content = archive(**{"m/2004/a.midi": song(1)})
    remote = serve("maestro", b"", sha256=hashlib.sha256(content).hexdigest())
    remote.path.parent.mkdir(parents=True)
    remote.path.write_bytes(content)
    assert len(open_corpus("maestro").pieces) == 1
    assert server.requests == []
    remote.path.write_bytes(content + b"x")
    with pytest.raises(DataError, match="differs from the one published"):
        open_corpus("maestro")
    assert remote.path.read_bytes() == content + b"x"


@pytest.mark.parametrize("fault", ["cut", "missing", "gone", "error page"])
def test_a_failed_download_leaves_no_file_and_suggests_a_manual_download(
    serve, server, fault, capsys, monkeypatch
):
    remote = serve(
        "jsb", json.dumps(DATASET).encode() * (1 if fault != "error page" else 0) or b"<html>Log in</html>"
    )
    if fault == "cut":
        server.cut.add(f"/{remote.file}")
    elif fault == "missing":
        server.files.clear()
    elif fault == "gone":
        closed = replace(remote, url="http://127.0.0.1:9/closed")
        monkeypatch.setitem(PUBLISHED, "jsb", replace(PUBLISHED["jsb"], remote=closed))
    reason = {
        "cut": "interrupted",
        "missing": "404",
        "gone": "cannot be reached",
        "error page": "wrong format",
    }[fault]
    assert run(["data", "scan", "jsb"]) == 3
    error = capsys.readouterr().err
    assert reason in error
    assert f"manually and save it to {remote.path}" in error.replace("\n", " ")
    assert "Traceback" not in error
    assert folder_is_empty(remote)


def test_songs_are_read_from_the_archive_without_extracting_it(serve, tmp_path, song, cache):
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


def test_a_damaged_member_is_skipped_and_a_damaged_archive_rejected(serve, song):
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


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_methods_without_a_size_limit_are_rejected(serve, song, method, monkeypatch):
    content = io.BytesIO(archive(**{"m/a.midi": song(1)}))
    with zipfile.ZipFile(content, "a", method) as file:
        file.writestr("m/bomb.mid", b"\0" * 2**20)
    serve("maestro", content.getvalue())
    for decompressor in ("bz2.BZ2Decompressor", "lzma.LZMADecompressor"):
        monkeypatch.setattr(f"zipfile.{decompressor}", lambda *_: pytest.fail("it was decompressed"))
    corpus = open_corpus("maestro")
    assert [piece.title for piece in corpus.pieces] == ["a.midi"]
    assert [(skipped.title, skipped.reason) for skipped in corpus.skipped] == [
        ("bomb.mid", "it cannot be decompressed: its compression method is neither store nor deflate")
    ]


def test_an_invalid_table_of_splits_is_damage(serve, song, capsys):
    table = b"split,midi_filename\n" + b"x" * 200_000 + b",a.midi\n"
    serve("maestro", archive(**{"m/a.midi": song(1), "m/maestro-v3.0.0.csv": table}))
    assert run(["data", "scan", "maestro"]) == 3
    error = capsys.readouterr().err
    assert "the archive is damaged" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("pin", [b"", b"\n", b"\xff\xfe", b"folder", b"<html>"])
def test_an_unreadable_checksum_is_not_overwritten(serve, pin):
    remote = serve("jsb", json.dumps(DATASET).encode())
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


def test_an_endless_download_is_stopped(serve, server, monkeypatch, capsys):
    content = json.dumps(DATASET).encode()
    remote = serve("jsb", content)
    server.files[f"/{remote.file}"] = content + b" " * 2**22
    sizes = []
    monkeypatch.setattr(
        "zoo.data.download._check_complete", lambda _, file: sizes.append(file.stat().st_size)
    )
    assert run(["data", "scan", "jsb"]) == 3
    assert "more than 4 times the expected size" in " ".join(capsys.readouterr().err.split())
    assert sizes == []
    assert folder_is_empty(remote)


def test_pop909_is_its_piano_track_by_default(serve, server):
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
    assert len(server.requests) == 1


def test_pop909_follows_its_published_beats(serve, song):
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
    """The same file, with its tracks renamed to this title."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(io.BytesIO(content))
    for instrument in midi.instruments:
        instrument.name = title
    out = io.BytesIO()
    midi.write(out)
    return out.getvalue()


def test_published_datasets_are_read_on_the_requested_grid(serve, song):
    serve("maestro", archive(**{"m/a.midi": song(1)}))
    corpus = open_corpus("maestro", grid=6)
    assert corpus.grid == 6
    assert {piece.meter.grid for piece in corpus.pieces} == {6}


def test_a_dataset_of_frames_has_a_fixed_grid_and_no_tracks(serve, server):
    serve("jsb", json.dumps(DATASET).encode())
    with pytest.raises(DataError, match=r"sixteenths \(grid=4\), not grid=8"):
        open_corpus("jsb", grid=8)
    with pytest.raises(DataError, match="has no tracks"):
        open_corpus("jsb:PIANO")
    assert server.requests == [], "nothing is downloaded"
    assert open_corpus("jsb", grid=4).grid == 4


def test_without_pooch_a_hint_says_how_to_install_it(serve, monkeypatch):
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_single_error(serve, monkeypatch):
    remote = serve("jsb", json.dumps(DATASET).encode())
    open_ = builtins.open

    def open_on_a_full_disk(file, *args, **kwargs):
        path = "/dev/full" if str(file).endswith(".part") and "w+b" in args else file
        return open_(path, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", open_on_a_full_disk)
    with pytest.raises(ZooError) as caught:
        open_corpus("jsb")
    assert "no space" in str(caught.value)
    assert "ZOO_CACHE" in caught.value.problems[0].hint
    assert folder_is_empty(remote)


def test_downloads_are_pinned_and_use_https():
    for dataset in (POP909, MAESTRO, published.JSB):
        url = dataset.remote.url
        assert url.startswith("https://")
        assert dataset.remote.sha256 or "efa0bce" in url or "9a7f733" in url
    assert os.path.basename(POP909.remote.file) == POP909.remote.file  # noqa: PTH119
