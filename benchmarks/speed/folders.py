"""Time and memory to read and open folders of 200, 2,000 and 20,000 MIDI files.

    python benchmarks/speed/folders.py FOLDER...

The files are passages of the music in the given folders: four bars each, none twice, in random keys. The
given folders are measured as well. Each measurement is of a new process. Results are stored in
results/folders.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from results import write

from zoo.data import open_corpus
from zoo.music.roll import Roll

SIZES = (200, 2000, 20000)
PASSAGE = 64
"""Frames of a passage."""
OPENINGS = 5

READING = """
import json, resource, sys, time
from pathlib import Path
from zoo.data import open_corpus
began = time.perf_counter()
corpus = open_corpus(sys.argv[1])
seconds = time.perf_counter() - began
usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "pieces": len(corpus),
    "frames": corpus.frames,
    "seconds": round(seconds, 1),
    "processor_seconds": round(sum(usage.ru_utime + usage.ru_stime for usage in usages), 1),
    "peak_mb": int(status["VmHWM"].split()[0]) // 1024,
}))
"""

OPENING = """
import json, sys, time
import torch
from pathlib import Path
from zoo.data import open_corpus
from zoo.train.batches import TrainingBatches
from zoo.train.settings import TrainSettings

def memory():
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024

before = memory()
began, used = time.perf_counter(), time.process_time()
corpus = open_corpus(sys.argv[1])
seconds, used = time.perf_counter() - began, time.process_time() - used
opened = memory()
batches = TrainingBatches(corpus.split("train"), TrainSettings(), seed=0)
for step in range(10):
    batches.at(step)
first = memory()
for step in range(10, 210):
    batches.at(step)
print(json.dumps({
    "seconds": seconds,
    "processor_seconds": used,
    "opened_mb": opened - before,
    "batches_mb": memory() - first,
}))
"""


def main(*folders: str) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["ZOO_CACHE"] = str(Path(temporary) / "cache")
        everything = Path(temporary) / "all"
        everything.mkdir()
        for place in folders:
            rows.append({"name": Path(place).name} | measured(Path(place)))
            print(rows[-1], flush=True)
        files = list(passages(folders, everything, max(SIZES)))
        for size in SIZES:
            folder = Path(temporary) / str(size)
            folder.mkdir()
            for file in files[:size]:
                os.link(file, folder / file.name)
            rows.append({"name": "passages"} | measured(folder))
            print(rows[-1], flush=True)
            write("folders", {"passage": PASSAGE, "rows": rows})


def passages(folders: tuple[str, ...], to: Path, count: int) -> Iterator[Path]:
    """Write passages of the pieces in some folders, in random order and random keys."""
    rng = np.random.default_rng(0)
    corpora = [open_corpus(folder) for folder in folders]
    places = [
        (corpus, index, first)
        for corpus in corpora
        for index, piece in enumerate(corpus.pieces)
        for first in range(0, piece.frames - PASSAGE + 1, PASSAGE)
    ]
    print(f"{len(places):,} passages", flush=True)
    written = 0
    for number in rng.permutation(len(places)):
        corpus, index, first = places[number]
        passage: Roll = corpus.roll(index).cut(first, first + PASSAGE)
        if len(passage.notes().start) and written < count:
            file = to / f"{written:05}.mid"
            passage.transposed(int(rng.integers(-6, 6))).write(file)
            written += 1
            yield file


def measured(folder: Path) -> dict[str, Any]:
    """Time and memory of reading a folder once, and of opening it from the cache."""
    openings = []
    reading = run(READING, folder)
    for _ in range(OPENINGS):
        openings.append(run(OPENING, folder))
    middle = {key: round(median(opening[key] for opening in openings), 3) for key in openings[0]}
    cache = Path(os.environ["ZOO_CACHE"])
    newest = max((cache / "corpora").iterdir(), key=lambda store: store.stat().st_mtime)
    size = sum(file.stat().st_size for file in newest.iterdir())
    return {"reading": reading, "opening": middle, "cache_mb": round(size / 2**20, 2)}


def run(program: str, folder: Path) -> Any:
    """What a program prints, as JSON, with one thread."""
    words = [sys.executable, "-c", program, str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
