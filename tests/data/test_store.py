"""A store is complete or missing, is rebuilt when the music changes, and is written in bounded memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.data import store as stores
from zoo.data.store import open_store
from zoo.data.writing import write_store
from zoo.errors import DataError, ZooError


@pytest.fixture
def source(source_of, noise):
    return source_of([noise(1, 40), noise(2, 90)])


def test_a_damaged_store_is_rebuilt(source, cache):
    folder = cache / source.store_name
    write_store(source, cache)
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        for damage in (content[:-1], b"", content[: len(content) // 2]):
            file.write_bytes(damage)
            assert open_store(folder) is None, file.name
        file.unlink()
        assert open_store(folder) is None, file.name
        assert write_store(source, cache).pieces
    assert open_store(folder) is not None


@pytest.mark.parametrize(
    ("field", "forged"),
    [("grid", "x"), ("grid", 0), ("grid", 8), ("pedal", "up"), ("pedal", ["keep"]), ("planes", ["sounding"])],
)
def test_a_store_that_says_that_it_is_of_another_source_is_not_believed(source, cache, field, forged):
    write_store(source, cache)
    forge(cache / source.store_name, {field: forged})
    assert source.stored(cache) is None


@pytest.mark.parametrize(
    ("field", "forged"),
    [
        *(("tempo", tempo) for tempo in (0, -1.0, float("nan"), float("inf"))),
        ("meter_from", "zzz"),
        ("alignment", "zzz"),
        ("split", "zzz"),
        ("frames", -1),
    ],
)
def test_a_piece_with_an_impossible_field_is_damage(source, cache, field, forged):
    write_store(source, cache)
    table = json.loads((cache / source.store_name / "pieces.json").read_text())
    first, *others = table["pieces"]
    forge(cache / source.store_name, {"pieces": [{**first, field: forged}, *others]})
    assert source.stored(cache) is None


@pytest.mark.parametrize("change", [{"frame": 0, "beats": 0, "unit": 4}, {"frame": 0, "beats": 4, "unit": 0}])
def test_a_meter_without_beats_is_damage(source, cache, change):
    write_store(source, cache)
    table = json.loads((cache / source.store_name / "pieces.json").read_text())
    meter = {**table["pieces"][0]["meter"], "changes": [change]}
    forge(
        cache / source.store_name, {"pieces": [{**table["pieces"][0], "meter": meter}, *table["pieces"][1:]]}
    )
    assert source.stored(cache) is None


@pytest.mark.parametrize("name", ["onset.bits", "velocity.starts"])
def test_the_files_of_a_forged_store_need_not_fit_together(source, cache, name):
    write_store(source, cache)
    folder = cache / source.store_name
    size = (folder / name).stat().st_size
    (folder / name).write_bytes(b"\x7f" * (size - 8) + (folder / name).read_bytes()[-8:])
    forge(folder, {})
    store = source.stored(cache)
    rows = np.arange(store.silence)
    onset = store.keys("onset", rows)
    assert store.loudness(rows, onset).shape == onset.shape


def forge(folder, changed):
    """Change the table of a store, with the right checksum."""
    table = json.loads((folder / "pieces.json").read_text())
    (folder / "pieces.json").write_text(json.dumps({**table, **changed}))
    (folder / "sha256").unlink()
    stores.write_checksums(folder)


def test_a_store_without_checksums_is_read_again_and_says_so(tmp_path, monkeypatch, tune, capsys):
    from zoo.cli.main import run

    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "songs").mkdir()
    for number in range(3):
        tune(number, 40).write(tmp_path / "songs" / f"{number}.mid")
    said = []
    for _ in range(3):
        assert run(["data", "scan", str(tmp_path / "songs")]) == 0
        said.append("the music was read again" in capsys.readouterr().err)
        if len(said) == 1:
            (checksums,) = (tmp_path / "cache").glob("corpora/*/sha256")
            checksums.unlink()
    assert said == [False, True, False]
    assert checksums.exists()


@pytest.fixture
def large(source, cache, monkeypatch):
    """A store that counts as large, with files that are older than the last time it was verified."""
    monkeypatch.setattr(stores, "LARGE", 0)
    monkeypatch.setattr(stores, "TICK", 0.02)
    write_store(source, cache)
    time.sleep(0.1)
    folder = cache / source.store_name
    assert open_store(folder) is not None
    return folder


def hashed(folder, monkeypatch):
    """The names of the files that are hashed when a store is opened, and the store."""
    names, checksum = [], stores._checksum
    monkeypatch.setattr(stores, "_checksum", lambda path: names.append(path.name) or checksum(path))
    store = open_store(folder)
    monkeypatch.setattr(stores, "_checksum", checksum)
    return sorted(names), store


def test_a_large_store_is_verified_once_a_day_and_its_table_always(large, monkeypatch):
    everything = sorted(path.name for path in large.iterdir() if path.name not in ("sha256", "verified"))
    assert hashed(large, monkeypatch)[0] == ["pieces.json"]
    today = time.time()
    for days, names in ((0.9, ["pieces.json"]), (1.1, everything), (-1, everything)):
        now = today + days * 86400
        monkeypatch.setattr(stores.time, "time", lambda now=now: now)
        assert hashed(large, monkeypatch)[0] == names, days


@pytest.mark.parametrize("name", ["onset.bits", "pieces.json", "sha256", "sounding.bits", "verified"])
def test_any_change_of_a_large_store_is_noticed(name, large, monkeypatch):
    """The size stays, and the time of the last change is set back."""
    path, before = large / name, (large / name).stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    names, store = hashed(large, monkeypatch)
    assert (store is None) == (name != "verified")
    assert name != "verified" or len(names) > 1


def test_a_large_store_that_was_verified_while_it_was_written_is_verified_again(large, monkeypatch):
    monkeypatch.setattr(stores, "TICK", 3600.0)
    assert len(hashed(large, monkeypatch)[0]) > 1


def test_another_format_is_not_opened(source, cache, monkeypatch):
    write_store(source, cache)
    monkeypatch.setattr(stores, "FORMAT", stores.FORMAT + 1)
    assert open_store(cache / source.store_name) is None


def test_a_failed_read_leaves_no_files(source, cache):
    def read():
        yield from source.read()
        raise RuntimeError("power failure")

    with pytest.raises(RuntimeError, match="power"):
        write_store(replace(source, read=read), cache)
    assert list(cache.iterdir()) == []


def test_older_stores_of_the_same_source_are_removed(source, source_of, noise, cache):
    write_store(source_of([noise(3, 5)], name="other"), cache)
    write_store(source, cache)
    changed = replace(source, state="changed")
    write_store(changed, cache)
    assert not (cache / source.store_name).exists()
    assert open_store(cache / changed.store_name) is not None
    assert len(list(cache.iterdir())) == 2


def test_unfinished_stores_are_removed_after_a_day(source, cache):
    cache.mkdir(parents=True)
    old, young = cache / ".noise-1.0a0a0a0a.part", cache / ".noise-1.0b0b0b0b.part"
    for folder in (old, young):
        folder.mkdir()
        (folder / "onset.bits").write_bytes(b"x")
    for path in (old / "onset.bits", old):
        os.utime(path, (time.time() - 2 * 86400,) * 2)
    write_store(source, cache)
    assert not old.exists()
    assert young.exists()


def test_a_store_that_is_written_for_longer_than_a_day_is_not_removed(source, cache):
    old = time.time() - 2 * 24 * 3600
    write_store(source, cache)
    slow = cache / ".slow-0a0a0a0a.0a0a0a0a.part"
    slow.mkdir()
    (slow / "sounding.bits").write_bytes(b"fresh")
    os.utime(slow, (old, old))
    write_store(source, cache)
    assert slow.exists()
    os.utime(slow / "sounding.bits", (old, old))
    write_store(source, cache)
    assert not slow.exists()


def test_a_read_only_cache_is_an_error_with_a_hint(source, tmp_path):
    (tmp_path / "occupied").write_text("a file where a folder should be")
    with pytest.raises(ZooError) as caught:
        write_store(source, tmp_path / "occupied")
    assert caught.value.exit_code == 1
    assert "ZOO_CACHE" in caught.value.problems[0].hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_single_error(source, cache, monkeypatch):
    from zoo.data.writing import _Writer

    begin = _Writer.__init__

    def on_a_full_disk(self, files, folder, source):
        begin(self, files, folder, source)
        self.files["sounding.bits"] = files.enter_context(Path("/dev/full").open("wb"))  # noqa: SIM115

    write_store(source, cache)
    monkeypatch.setattr(_Writer, "__init__", on_a_full_disk)
    with pytest.raises(ZooError) as caught:
        write_store(source, cache)
    assert "no space" in str(caught.value)
    assert open_store(cache / source.store_name) is not None
    assert len(list(cache.iterdir())) == 1


def test_a_source_without_usable_pieces_is_an_error_with_reasons(source, cache):
    from zoo.data.piece import Skipped

    bad = [Skipped(f"{i}.mid", f"reason {i}") for i in range(9)]
    with pytest.raises(DataError) as caught:
        write_store(replace(source, read=lambda: iter(bad)), cache)
    assert [problem.where for problem in caught.value.problems[1:]] == [f"{i}.mid" for i in range(5)]
    assert "9 pieces" in caught.value.problems[0].what


SECONDS = float(os.environ.get("ZOO_STRESS_SECONDS", "3"))

WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from zoo.data.corpus import Corpus
from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
from zoo.data.store import open_store
from zoo.data.writing import write_store
from zoo.music.roll import Roll

cache, role, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
rng = np.random.default_rng(0)
rolls = [Roll(None, rng.random((200 + i, 88)) < 0.1) for i in range(3)]
read = lambda: (SourcePiece(str(i), roll) for i, roll in enumerate(rolls))
source = DataSource("shared", frozenset({"sounding"}), 3, read, "shared", 1)
if role == "ready":
    write_store(source, cache)
end = time.monotonic() + seconds
count = torn = 0
while time.monotonic() < end:
    if role == "writer":
        write_store(source, cache)
    elif role == "reader":
        store = open_store(cache / source.store_name)
        torn += store is None or not all(
            np.array_equal(Corpus("", store).roll(i).sounding, roll.sounding) for i, roll in enumerate(rolls)
        )
    count += 1
print(count, torn)
"""


def start(cache, role, seconds):
    command = [sys.executable, "-c", WRITER, str(cache), role, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def counted(process):
    output, _ = process.communicate(timeout=SECONDS + 60)
    assert process.returncode == 0
    return [int(number) for number in output.split()]


@pytest.mark.slow
def test_a_reader_never_sees_a_partial_store_while_four_writers_write(cache):
    counted(start(cache, "ready", 0))
    writers = [start(cache, "writer", SECONDS) for _ in range(4)]
    reads, torn = counted(start(cache, "reader", SECONDS))
    writes = sum(counted(writer)[0] for writer in writers)
    assert writes > 4
    assert reads > 10
    assert torn == 0
    assert [folder.name for folder in cache.iterdir() if folder.name.startswith(".")] == []


def test_simultaneous_writers_all_succeed(cache):
    writers = [start(cache, "ready", 0) for _ in range(3)]
    assert [counted(writer)[1] for writer in writers] == [0, 0, 0]
    assert len(list(cache.iterdir())) == 1


def test_writing_a_large_corpus_needs_little_more_memory_than_a_small_one(source_of, tune, cache):
    """Rolls are released once written; only a few numbers and the fingerprints of each piece are kept."""
    import tracemalloc

    roll = tune(1, 2000)

    def peak(count):
        source = replace(source_of([], name=f"big {count}"), read=lambda: readings(count), state=count)
        tracemalloc.start()
        try:
            write_store(source, cache)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def readings(count):
        from zoo.data.piece import SourcePiece

        for i in range(count):
            yield SourcePiece(str(i), replace(roll, sounding=np.copy(roll.sounding)))

    peak(2)  # imports and caches of the first store are not counted
    small = peak(20)
    assert peak(120) < small + 100 * roll.sounding.nbytes


def forged(folder, change):
    """Change the table of a store, with right checksums."""
    table = json.loads((folder / "pieces.json").read_text())
    change(table)
    (folder / "pieces.json").write_text(json.dumps(table))
    (folder / "sha256").unlink()
    stores.write_checksums(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", 5), ("split", "all"), ("frames", -40), ("losses", {"moved": "x"}), ("tempo", None)],
)
def test_a_table_with_other_types_is_damaged(field, value, source, cache):
    write_store(source, cache)
    folder = cache / source.store_name
    forged(folder, lambda table: None)
    assert open_store(folder) is not None
    forged(folder, lambda table: table["pieces"][0].update({field: value}))
    assert open_store(folder) is None


def test_a_cache_that_was_sent_writes_and_deletes_nothing_elsewhere(source, cache, tmp_path, monkeypatch):
    """`verified` was written through a link, and a store that was a link to a folder removed that folder."""
    monkeypatch.setattr(stores, "LARGE", 0)
    write_store(source, cache)
    folder, mine = cache / source.store_name, tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("precious")
    (folder / "verified").unlink(missing_ok=True)
    (folder / "verified").symlink_to(mine / "thesis.txt")
    assert open_store(folder) is not None
    assert not (folder / "verified").is_symlink()
    shutil.rmtree(folder)
    folder.symlink_to(mine)
    assert open_store(folder) is None
    assert write_store(source, cache).pieces
    assert not folder.is_symlink()
    assert [(path.name, path.read_text()) for path in mine.iterdir()] == [("thesis.txt", "precious")]
    assert [path.name for path in cache.iterdir()] == [folder.name]


def test_a_store_reads_no_other_files_and_no_links(source, cache, tmp_path):
    write_store(source, cache)
    folder = cache / source.store_name
    sums = (folder / "sha256").read_text()
    (tmp_path / "other").write_bytes(b"")
    digest = hashlib.sha256(b"").hexdigest()
    for name in ("../../other", "touch PWNED"):
        (folder / "touch PWNED").write_bytes(b"")
        (folder / "sha256").write_text(f"{sums}{digest}  {name}\n")
        assert open_store(folder) is None
    (folder / "sha256").write_text(sums)
    assert open_store(folder) is not None
    (folder / "sounding.bits").rename(tmp_path / "bits")
    (folder / "sounding.bits").symlink_to(tmp_path / "bits")
    assert open_store(folder) is None


def test_a_file_of_another_program_in_the_cache_does_not_matter(source, cache):
    """macOS leaves a file beside each folder on disks that cannot store its attributes."""
    cache.mkdir(parents=True)
    (cache / "._.noise-1.0a0a0a0a.part").write_bytes(b"x")
    (cache / ".song.mp3.part").mkdir()
    os.utime(cache / ".song.mp3.part", (0, 0))
    assert write_store(source, cache).pieces
    assert (cache / ".song.mp3.part").exists()


@pytest.mark.parametrize("name", ["sha256", "pieces.json", "verified", "sounding.bits"])
def test_a_pipe_or_an_endless_file_in_a_cache_ends_no_command(name, source, cache, monkeypatch):
    """It would be read for ever, or until the memory is full."""
    monkeypatch.setattr(stores, "LARGE", 0)
    folder = cache / source.store_name
    for spoil in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.touch()):
        write_store(source, cache)
        open_store(folder)
        (folder / name).unlink(missing_ok=True)
        spoil(folder / name)
        if (folder / name).is_file():
            os.truncate(folder / name, 2**40)
        assert stores.table_of(folder) is None or name != "pieces.json"
        assert (open_store(folder) is None) == (name != "verified")
