"""Freeze files of the present formats, so that later versions of the zoo are tested to read them.

    OMP_NUM_THREADS=1 .venv/bin/python tests/formats/freeze.py

writes an archive `KIND-FORMAT.zip` beside this script for each kind whose present format has none yet, with
what must be read from it in `expected.json`. Run it after raising a format and commit what it writes.
Archives that are there are never written again, and are kept as long as their format is read.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.bench.assembly import tables
from zoo.bench.claim import FORMAT as CLAIM
from zoo.bench.reading import READING
from zoo.bench.results import Results
from zoo.bench.study import read_study
from zoo.data import Corpus, open_corpus
from zoo.data.store import FORMAT as STORE
from zoo.measure import evaluate
from zoo.model import sealed
from zoo.model.bundle import load_bundle, open_bundle, save_bundle
from zoo.model.model import Model
from zoo.model.weights import digest
from zoo.music.roll import Roll
from zoo.registry import open_registry
from zoo.train import run as runs
from zoo.train.run import Run

HERE = Path(__file__).parent
PARTS = "attention=none attention.local=2 attention.features=4 sampler.hidden=3 decoder.hidden=3"
TRAIN = ["frames=16", "stride=8", "past=4", "batch=4", "steps=4", "validate_every=2", "device=cpu"]
STUDY = """\
data = "tunes"
seeds = 2

[train]
frames = 16
stride = 8
past = 4
batch = 4
steps = 2
validate_every = 2
device = "cpu"

[[grid]]
attention = "none local=2 features=4"
sampler = "voices hidden=3"
decoder = "uniform"
"""


def tune(number: int) -> Roll:
    """Two voices that climb a triad; each piece another key, length and loudness."""
    frames = 24 + number
    onset = np.zeros((frames, 88), np.bool_)
    for frame in range(0, frames, 2):
        onset[frame, [20 + number + (0, 4, 7, 12)[frame // 2 % 4], 44 + number]] = True
    return Roll(onset, onset, np.where(onset, np.uint8(40 + number), np.uint8(0)))


def score(model: Model) -> float:
    """Nats per frame, codes and keys, of two tunes."""
    corpus = Corpus.from_rolls([tune(1), tune(5)])
    return float(evaluate(model, corpus).figure("codes", "keys").value)


def rows(folder: Path) -> Iterator[list[Any]]:
    """The label of each row of the study in a folder, and its nats per frame."""
    registry = open_registry()
    study = read_study(folder / "study.toml", registry)
    for table in tables(study, Results(folder / "results"), registry):
        for row in table.rows:
            yield [row.label_for(("encoder", "attention")), row.figure(*table.terms).value]


def make_bundle(folder: Path, songs: Path) -> dict[str, Any]:
    """A trained model in half precision."""
    train(songs, folder.with_name("trained"))
    bundle = open_bundle(folder.with_name("trained") / "bundle")
    save_bundle(bundle.model, folder, half=True, **bundle.record)
    model = load_bundle(folder)
    return {"weights": digest(model.state_dict()), "nats": score(model)}


def make_run(folder: Path, songs: Path) -> dict[str, Any]:
    """A training run that can be resumed, without its bundle."""
    train(songs, folder)
    shutil.rmtree(folder / "bundle")
    (folder / "lock").unlink(missing_ok=True)
    best = Run(folder).best()
    assert best is not None
    return {"best": digest(best.tensors), "validations": Run(folder).validations("core"), "step": 4}


def make_results(folder: Path, songs: Path) -> dict[str, Any]:
    """The results of a study."""
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY)
    stores = ["--results", str(folder / "results"), "--work", str(folder.with_name("work"))]
    zoo("bench", "run", str(folder / "study.toml"), "--data", f"tunes={songs}", *stores, "--jobs", "1")
    results = folder / "results"
    (results / "tunes.jsonl.lock").unlink(missing_ok=True)
    return {"rows": list(rows(folder))}


def make_submission(folder: Path, songs: Path) -> dict[str, Any]:
    """A submission to the leaderboard."""
    run = folder.with_name("scored")
    train(songs, run)
    zoo("bench", "submit", str(run), f"data={songs.name}", "-o", str(folder))
    return {
        key: json.loads((folder / "claim.json").read_text("utf-8"))[key] for key in ("nats", "kind", "digest")
    }


def make_store(folder: Path, songs: Path) -> dict[str, Any]:
    """The cache of a folder of MIDI files."""
    corpus = open_corpus(str(songs))
    (store,) = (Path(os.environ["ZOO_CACHE"]) / "corpora").glob("songs-*")
    shutil.copytree(store, folder)
    return {"digest": corpus.digest, "planes": sorted(corpus.planes), "keys": keys(corpus)}


def write_songs(folder: Path) -> Path:
    """A folder of MIDI files, two of which are test pieces."""
    folder.mkdir()
    for number in range(10):
        tune(number).write(folder / f"{number}.mid")
    return folder


def keys(corpus: Corpus) -> list[list[int]]:
    """The sums of onset, sounding and velocity of each piece."""
    sums = []
    for roll in corpus:
        assert roll.onset is not None
        assert roll.velocity is not None
        sums.append([int(array.sum(dtype=int)) for array in (roll.onset, roll.sounding, roll.velocity)])
    return sums


def train(songs: Path, run: Path) -> None:
    """Train a tiny model."""
    os.chdir(songs.parent)  # so that the run contains no path of this machine
    zoo("train", *PARTS.split(), f"data={songs.name}", *(f"train.{word}" for word in TRAIN), "-o", str(run))


def zoo(*words: str) -> None:
    """Run a command, which must succeed."""
    from zoo.cli.main import run

    if run(words):
        sys.exit(f"zoo {' '.join(words)} fails")


KINDS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    f"bundle-{sealed.FORMAT}-{sealed.CONFIG_FORMAT}": make_bundle,
    f"run-{runs.FORMAT}": make_run,
    f"results-{READING}": make_results,
    f"store-{STORE}": make_store,
    f"submission-{CLAIM}": make_submission,
}


def archive(folder: Path, path: Path) -> None:
    """Pack a folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
                packed.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def main() -> None:
    """Write the archives that are missing."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["ZOO_CACHE"] = f"{place}/cache"
        songs = write_songs(Path(place) / "songs")
        for kind, make in KINDS.items():
            if not (HERE / f"{kind}.zip").exists():
                expected = make(Path(place) / kind, songs)
                (Path(place) / kind / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
                archive(Path(place) / kind, HERE / f"{kind}.zip")
                print(kind)


if __name__ == "__main__":
    main()
