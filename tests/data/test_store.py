"""A store is whole or not there, is made anew when the music changes, and grows no memory."""

from __future__ import annotations

import os
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


def test_what_is_damaged_is_made_anew(source, cache):
    place = cache / source.store_name
    write_store(source, cache)
    for file in sorted(place.iterdir()):
        content = file.read_bytes()
        for damage in (content[:-1], b"", content[: len(content) // 2]):
            file.write_bytes(damage)
            assert open_store(place) is None, file.name
        file.unlink()
        assert open_store(place) is None, file.name
        assert write_store(source, cache).pieces
    assert open_store(place) is not None


def test_another_format_is_not_opened(source, cache, monkeypatch):
    write_store(source, cache)
    monkeypatch.setattr(stores, "FORMAT", stores.FORMAT + 1)
    assert open_store(cache / source.store_name) is None


def test_a_failed_reading_leaves_nothing(source, cache):
    def read():
        yield from source.read()
        raise RuntimeError("the lights went out")

    with pytest.raises(RuntimeError, match="lights"):
        write_store(replace(source, read=read), cache)
    assert list(cache.iterdir()) == []


def test_older_stores_of_one_source_go_and_others_stay(source, source_of, noise, cache):
    write_store(source_of([noise(3, 5)], name="other"), cache)
    write_store(source, cache)
    changed = replace(source, state="changed")
    write_store(changed, cache)
    assert not (cache / source.store_name).exists()
    assert open_store(cache / changed.store_name) is not None
    assert len(list(cache.iterdir())) == 2


def test_what_killed_writers_left_goes_after_a_day(source, cache):
    cache.mkdir(parents=True)
    old, young = cache / ".noise-1.abc.part", cache / ".noise-1.def.part"
    for folder in (old, young):
        folder.mkdir()
        (folder / "onset.bits").write_bytes(b"x")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    write_store(source, cache)
    assert not old.exists()
    assert young.exists()


def test_a_cache_that_cannot_be_written_names_the_way_out(source, tmp_path):
    (tmp_path / "occupied").write_text("a file where a folder should be")
    with pytest.raises(ZooError) as caught:
        write_store(source, tmp_path / "occupied")
    assert caught.value.exit_code == 1
    assert "ZOO_CACHE" in caught.value.problems[0].hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_problem(source, cache, monkeypatch):
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


def test_nothing_usable_tells_why(source, cache):
    from zoo.data.piece import Skipped

    bad = [Skipped(f"{i}.mid", f"reason {i}") for i in range(9)]
    with pytest.raises(DataError) as caught:
        write_store(replace(source, read=lambda: iter(bad)), cache)
    assert [problem.where for problem in caught.value.problems[1:]] == [f"{i}.mid" for i in range(5)]
    assert "9 pieces" in caught.value.problems[0].what


WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from zoo.data.corpus import Corpus
from zoo.data.piece import Reading
from zoo.data.source import Source
from zoo.data.store import open_store
from zoo.data.writing import write_store
from zoo.music.roll import Roll

cache, role, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
rng = np.random.default_rng(0)
rolls = [Roll(None, rng.random((200 + i, 88)) < 0.1) for i in range(3)]
read = lambda: (Reading(str(i), roll) for i, roll in enumerate(rolls))
source = Source("shared", frozenset({"sounding"}), 3, read, "shared", 1)
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
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return [int(number) for number in output.split()]


@pytest.mark.slow
def test_four_writers_and_a_reader_never_tear_a_store(cache):
    seconds = float(os.environ.get("ZOO_STRESS_SECONDS", "3"))
    counted(start(cache, "ready", 0))
    writers = [start(cache, "writer", seconds) for _ in range(4)]
    reads, torn = counted(start(cache, "reader", seconds))
    writes = sum(counted(writer)[0] for writer in writers)
    assert writes > 4
    assert reads > 10
    assert torn == 0
    assert [folder.name for folder in cache.iterdir() if folder.name.startswith(".")] == []


def test_writers_that_start_together_all_succeed(cache):
    writers = [start(cache, "ready", 0) for _ in range(3)]
    assert [counted(writer)[1] for writer in writers] == [0, 0, 0]
    assert len(list(cache.iterdir())) == 1


def test_a_big_corpus_takes_little_more_memory_to_write_than_a_small_one(source_of, tune, cache):
    """Rolls are let go as they are written; a few numbers a piece stay, and its fingerprints."""
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
        from zoo.data.piece import Reading

        for i in range(count):
            yield Reading(str(i), replace(roll, sounding=np.copy(roll.sounding)))

    assert peak(120) < peak(20) + 100 * roll.sounding.nbytes
