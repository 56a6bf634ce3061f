"""Reading in parallel processes: the same store as with one process, and no process is left running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from zoo.cli import progress
from zoo.data import open_corpus, parallel
from zoo.data.archive import Members, read_archive
from zoo.data.options import Options
from zoo.data.parallel import in_parallel
from zoo.data.store import cache_folder
from zoo.errors import DataError


@pytest.fixture
def folder(tmp_path, tune):
    """A dozen pieces of different lengths, and three files that cannot be read."""
    place = tmp_path / "midi"
    place.mkdir()
    for number in range(12):
        tune(number, 24 + 40 * (number % 3)).write(place / f"{number:02}.mid")
    (place / "03 bad.mid").write_bytes(b"MThd nonsense")
    (place / "05 cut.mid").write_bytes((place / "05.mid").read_bytes()[:60])
    (place / "07 large.mid").write_bytes(b"MThd" + bytes(20 * 2**20))
    return place


@pytest.fixture
def two_processes(monkeypatch):
    """Start two processes for as few as eight files; returns those that were started."""
    started = []
    start = parallel._start

    def spy():
        started.append(start())
        return started[-1]

    monkeypatch.setattr(parallel, "_start", spy)
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    monkeypatch.setattr(parallel, "FEWEST", 4)
    return started


def store_in(cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """All files of the store that is written."""
    monkeypatch.setenv("ZOO_CACHE", str(cache))
    open_corpus(str(folder))
    files = sorted(file for file in cache_folder().rglob("*") if file.is_file())
    return {str(file.relative_to(cache)): file.read_bytes() for file in files}


def test_the_store_is_the_same_byte_for_byte(folder, tmp_path, two_processes, monkeypatch):
    several = store_in(tmp_path / "several", folder, monkeypatch)
    assert len(two_processes) == 2
    monkeypatch.setattr(parallel, "_cores", lambda: 1)
    assert store_in(tmp_path / "one", folder, monkeypatch) == several
    assert len(two_processes) == 2
    corpus = open_corpus(str(folder))
    assert [skipped.title for skipped in corpus.skipped] == ["03 bad.mid", "05 cut.mid", "07 large.mid"]


def test_an_archive_is_read_as_by_one_process(folder, tmp_path, two_processes, monkeypatch):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.glob("*.mid"):
            archive.write(file, file.name)

    def read():
        pieces = read_archive(path, Members(r"(?P<title>.+\.mid)"), Options())
        return [(type(piece).__name__, piece.title, getattr(piece, "reason", "")) for piece in pieces]

    several = read()
    assert len(two_processes) == 2
    assert [kind for kind, _, _ in several].count("Skipped") == 3
    monkeypatch.setattr(parallel, "_cores", lambda: 1)
    assert read() == several


def test_results_come_in_order_and_processes_end(two_processes):
    assert list(in_parallel(abs, ((-number,) for number in range(100)), 100)) == list(range(100))
    assert all(process.poll() is not None for process in two_processes)


def test_processes_end_when_the_reader_stops_early(two_processes):
    results = in_parallel(abs, ((number,) for number in range(100)), 100)
    assert next(results) == 0
    assert all(process.poll() is None for process in two_processes)
    results.close()
    assert all(process.poll() is not None for process in two_processes)


def test_few_inputs_start_no_process(two_processes):
    assert list(in_parallel(abs, [(-1,)], 7)) == [1]
    assert not two_processes


def test_an_error_is_raised_as_it_was(two_processes):
    with pytest.raises(ValueError, match="'thirteen'"):
        list(in_parallel(int, [("12",), ("thirteen",)] * 4, 8))


def test_a_killed_process_is_an_error_with_the_name_of_the_file(two_processes):
    with pytest.raises(DataError, match=r"^7: the process that was reading this was killed"):
        list(in_parallel(os._exit, [(7,)] * 8, 8))


def test_processes_end_with_the_one_that_started_them():
    code = (
        "import os, time; from zoo.data import parallel; parallel._cores = lambda: 2\n"
        "results = parallel.in_parallel(os.getpid, [()] * 64, 64)\n"
        "print(next(results), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    child = int(done.stdout)
    deadline = time.monotonic() + 300
    while Path(f"/proc/{child}").exists() and _is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _is_running(process: int) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_progress_on_a_pipe_is_a_line_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.waiting("reading midi", lines=True) as report:
        for done in range(1, 2001):
            now[0] += 0.05
            report(done, 2000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) in (3, 4)
    assert lines[0].startswith("reading midi: 60")
    assert lines[0].endswith(" of 2,000")
