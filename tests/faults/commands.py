"""Every command that writes, with what it finds in the folder."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.model.weights import unpack
from zoo.music.roll import Roll

TINY = "attention=none attention.local=2 attention.features=4 sampler.hidden=3 decoder.hidden=3"
TRAIN = "train.steps=2 train.validate_every=1 train.batch=2 train.frames=8 train.stride=8 train.past=4"
STUDY = """\
data = "songs"
seeds = 1

[train]
steps = 2
validate_every = 2
batch = 2
frames = 8
stride = 8
past = 4

[[grid]]
attention = "none local=2 features=4"
sampler = "independent"
decoder = "uniform"
"""


@dataclass(frozen=True)
class Writer:
    """A command that writes.

    Attributes:
        name: its name in the tests.
        words: what is typed, in the folder `work`.
        least: the fewest write operations that it can consist of. With fewer, files are written by functions
            that are not intercepted.
        before: commands that come before it, separated by line breaks.
        warm: whether the music is in the cache already.
    """

    name: str
    words: str
    least: int
    before: str = ""
    warm: bool = True


GENERATE = "generate bundle --frames 32 --seed 1"
COLD = "bench run study.toml --data songs=songs --jobs 1"
WRITERS = (
    Writer("build", f"build {TINY} seed=2 -o bundle --force", 12),
    Writer("build-new", f"build {TINY} seed=2 -o new/bundle", 12),
    Writer("combine", "build core=@bundle decoder=@bundle -o new", 12),
    Writer("train", f"train {TINY} data=songs {TRAIN} -o run --resume", 30),
    Writer("train-again", "train -o run --resume", 4, f"train {TINY} data=songs {TRAIN} -o run"),
    Writer("train-csv", f"train {TINY} data=songs {TRAIN} train.tracker=csv -o run --resume", 35),
    Writer("fine-tune", f"train @bundle data=songs {TRAIN} -o run --resume", 30),
    Writer("midi", f"{GENERATE} -o music.mid --count 2 --force", 8, f"{GENERATE} -o music.mid --count 2"),
    Writer("picture", f"{GENERATE} -o new.mid --picture old.png --force", 8),
    Writer("wav", f"{GENERATE} -o old.wav --force", 4),
    Writer("musicxml", f"{GENERATE} -o old.musicxml --force", 4),
    Writer("page", f"{GENERATE} -o old.html --force", 4),
    Writer("report", "report bundle songs/1.mid -o old.html --bars 2 --force", 4),
    Writer("scan", "data scan songs", 10, warm=False),
    Writer("scan-changed", "data scan songs pedal=hold", 10),
    Writer("evaluate", "evaluate bundle data=songs samples=0", 10, warm=False),
    Writer("export", "export bundle attention -o old.pt2 --force", 4),
    Writer("plugin", "plugin new mine --slot attention", 10),
    Writer("plugin-file", "plugin new mine --slot attention --file", 4),
    Writer("bench-run", COLD, 30),
    Writer("bench-pack", "bench pack study.toml", 5, COLD),
    Writer("submit", "bench submit run data=songs -o entry", 8, f"train {TINY} data=songs {TRAIN} -o run"),
    Writer("tune", f"tune {TINY} data=songs {TRAIN} train.lr=1e-3..1e-2 --trials 2 -o search --resume", 40),
    Writer("bench-site", "bench site study.toml -o site", 4, f"{COLD}\nbench site study.toml -o site"),
)


OWN = re.compile(r"\.part(/|$)|\.lock$|/lock$|/holder\.json$")
"""Files that hold nothing for a user."""


STATE = re.compile(r"(^cache/corpora/.+-[0-9a-f]{8})-[0-9a-f]{16}(?=/)")
"""The name of a cache up to the state of the music files, which includes times."""


def furnish(folder: Path) -> None:
    """Fill the folder in which commands run, apart from what commands write there."""
    (folder / "songs").mkdir(parents=True)
    for number in range(10):
        onset = np.zeros((24 + number, 88), np.bool_)
        for frame in range(0, 24 + number, 2):
            onset[frame, [20 + number + (0, 4, 7, 12)[frame // 2 % 4], 44 + number]] = True
        velocity = np.where(onset, np.uint8(40 + number), np.uint8(0))
        Roll(onset, onset, velocity).write(folder / "songs" / f"{number}.mid")
    (folder / "study.toml").write_text(STUDY)
    for ending in ("png", "wav", "musicxml", "html", "pt2"):
        (folder / f"old.{ending}").write_text("a former file")


def content(folder: Path) -> dict[str, Any]:
    """All files by name, without what a clock or a process number has put into them."""
    # After a fault the cache may also have what the music was before; the newest file counts.
    files = sorted(filter(Path.is_file, folder.rglob("*")), key=lambda path: (path.stat().st_mtime_ns, path))
    names = {str(path.relative_to(folder)): path for path in files}
    return {
        STATE.sub(r"\1", name): without_clock(path) for name, path in names.items() if not OWN.search(name)
    }


def without_clock(path: Path) -> Any:
    """What a file holds, without times; its bytes if it is damaged."""
    written = path.read_bytes()
    try:
        return read(path, written)
    except (ValueError, KeyError, ZooError):
        return written


def read(path: Path, written: bytes) -> Any:
    """What a file holds, without times."""
    if path.name in ("last.safetensors", "best.safetensors"):
        about = unpack(written, path.name).about
        return {**about, "seconds": 0}
    if path.suffix == ".jsonl" or path.parent.parent.name == "results":
        lines = (json.loads(line) for line in written.splitlines())
        return [
            {key: value for key, value in line.items() if key not in ("seconds", "sha256")} for line in lines
        ]
    if path.suffix == ".journal":
        entries = [json.loads(line) for line in written.splitlines()]
        return {str(entry["values"]) for entry in entries if entry.get("values")}  # the scores of all trials
    if path.name == "tracker.csv":
        columns = zip(*csv.reader(written.decode().splitlines()), strict=True)
        return [column for column in columns if column[0] != "seconds"]
    if path.name == "manifest.json":
        digests = json.loads(written)["files"]
        return {
            name: sha256((path.parent / name).read_bytes()).hexdigest() == digests[name] for name in digests
        }
    if path.parent.name == "bundle" and path.suffix in (".json", ".md"):
        return [line for line in written.splitlines() if b"seconds" not in line]
    return written
