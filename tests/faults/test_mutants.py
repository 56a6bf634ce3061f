"""Damaged files of all kinds: one declared error or the right answer, and no code that they name is run."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from zoo.cli.main import run
from zoo.model.sealed import FILES, manifest

from .commands import STUDY, TINY, TRAIN
from .mutate import mutant

pytestmark = pytest.mark.xdist_group("mutants")  # what they share is built once

MUTANTS = int(os.environ.get("ZOO_STRESS_DAMAGED", "16"))
DECLARED = {0, 1, 2, 3, 4, 5, 6}
EVIL = "from pathlib import Path\nPath({place!r}).touch()\n"
RECIPE = """\
attention = "none"
"attention.features" = 4
seed = 3

[decoder]
hidden = 4

[train]
steps = 4
lr = 0.01
"""
MENU = """\
[plugins]
evil = "evil.py"

[recipes]
mine = "decoder=rbm attention.features=4"
"""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: its name in the tests.
        path: where it is; a pattern that matches one file.
        words: commands that read it, separated by line breaks.
        cost: how many mutants of cheaper kinds take the time of one.
        numbers: whether the first command prints numbers from this file only, which must be right.
        sealed: whether the checksums of the bundle are those of the damaged file, as a friend could send it.
    """

    name: str
    path: str
    words: str
    cost: int = 1
    numbers: bool = False
    sealed: bool = False


BENCH = "bench table study.toml --json"
READERS = """\
show run --json
runs list .
runs compare run other
report run -o new.html --bars 1
evaluate run data=songs samples=0
generate run -o new.mid --bars 1
build @run -o new
train @run data=songs train.steps=1 -o new-run"""
KINDS = (
    Kind("plan", "run/recipe.json", "runs list .\nshow run\nruns compare run other"),
    Kind("plan-resumed", "run/recipe.json", "train -o run --resume", cost=8),
    Kind("metrics", "run/metrics.jsonl", "runs list .\nruns compare run other"),
    Kind("metrics-resumed", "run/metrics.jsonl", "train -o run --resume", cost=8),
    Kind("last", "run/last.safetensors", "train -o run --resume", cost=8),
    Kind("best", "run/best.safetensors", "train -o run --resume", cost=8),
    Kind(
        "config", "run/bundle/config.json", "show run\nruns list .\nreport run -o new.html --bars 1", cost=2
    ),
    Kind("config-sealed", "run/bundle/config.json", READERS, cost=5, sealed=True),
    Kind("holder", "run/holder.json", "runs list ."),
    Kind("core", "results/songs/core-*.json", f"{BENCH}\nbench site study.toml -o site", numbers=True),
    Kind("floors", "results/songs/floors-*.json", f"{BENCH}\nbench run study.toml --dry-run", numbers=True),
    Kind("pack", "packed/songs.jsonl", f"{BENCH} --results packed", numbers=True),
    Kind("study", "study.toml", f"{BENCH}\nbench run study.toml --dry-run --data songs=songs"),
    Kind("recipe", "recipe.toml", "build @recipe.toml"),
    Kind("menu", "registry.toml", "list\nplugin list\nbuild mine"),
    Kind(
        "cache-table", "cache/corpora/songs-*/pieces.json", "data scan songs --json\ndata list", numbers=True
    ),
    Kind("cache-bits", "cache/corpora/songs-*/sounding.bits", "data scan songs --json", numbers=True),
    Kind("cache-starts", "cache/corpora/songs-*/velocity.starts", "data scan songs --json", numbers=True),
    Kind("votes", "votes.json", "votes votes.json"),
    Kind("pitches", "pitches.json", "data scan pitches.json"),
)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory, songs: Path) -> Path:
    """A folder with a file of each kind."""
    folder = tmp_path_factory.mktemp("scene") / "scene"
    folder.mkdir()
    shutil.copytree(songs, folder / "songs")
    (folder / "study.toml").write_text(STUDY)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "registry.toml").write_text(MENU)
    (folder / "evil.py").write_text(EVIL.format(place=str(folder / "ran")))
    pieces = {split: [[[60, 64], [60], []] * 4] * 2 for split in ("train", "valid", "test")}
    (folder / "pitches.json").write_text(json.dumps(pieces))
    votes = [
        {"group": "a", "name": name, "model": name, "rating": rating, "blind": True, "at": "2026"}
        for name, rating in (("one", 3), ("two", 4))
    ]
    models = {"one": {"value": 3.5, "kind": "exact"}}
    (folder / "votes.json").write_text(json.dumps({"format": 1, "votes": votes, "models": models}))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        for words in (
            f"train {TINY} data=songs {TRAIN} -o run",
            "bench run study.toml --data songs=songs --jobs 1",
        ):
            assert run(words.split()) == 0
        shutil.copytree("run", "other")
        shutil.copytree("results", "packed")
        assert run(["bench", "pack", "study.toml", "--results", "packed"]) == 0
        (folder / "run" / "holder.json").write_text('{"pid": 1, "host": "here", "since": "today"}\n')
    return folder


class Place:
    """A copy of the folder, in which command lines are run."""

    def __init__(self, scene: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.scene, self.here, self._capsys = scene, here, capsys

    def restore(self) -> None:
        """Put everything back."""
        shutil.rmtree(self.here, ignore_errors=True)
        shutil.copytree(self.scene, self.here)
        os.chdir(self.here)

    def run(self, words: str) -> tuple[int, str, str]:
        """The exit code, the output and the errors of a command line."""
        self._capsys.readouterr()
        return (run(words.split()), *self._capsys.readouterr())


@pytest.fixture
def place(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Place:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "scene" / "cache"))
    place = Place(scene, tmp_path / "scene", capsys)
    place.restore()
    return place


def seal(folder: Path) -> None:
    """Update the manifest of a bundle to match its files."""
    (folder / "manifest.json").write_bytes(
        manifest({path.name: path.read_bytes() for path in folder.iterdir() if path.name in FILES})
    )


def complaints(code: int, err: str, ran: Path) -> Iterator[str]:
    """What an answer must not be."""
    if code not in DECLARED:
        yield f"exit code {code}"
    if "Traceback" in err or "this is a bug" in err:
        yield err[-1500:]
    if code and not any(line.startswith("error:") for line in err.splitlines()):
        yield f"exit code {code} without an error: {err[-500:]}"
    if ran.exists():
        ran.unlink()
        yield "the code that it names was run"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_damaged_file_is_read_rightly_or_is_one_error(kind: Kind, place: Place) -> None:
    (file,) = (path.relative_to(place.here) for path in place.here.glob(kind.path))
    content, commands = file.read_bytes(), kind.words.splitlines()
    right = place.run(commands[0])[1]
    place.restore()
    assert [place.run(words)[0] for words in commands] == [0] * len(commands), "nothing would be tested"
    place.restore()
    wrong = []
    for number in range(max(MUTANTS // kind.cost, 2)):
        damaged = mutant(content, number)
        # Without a line of a pack there are fewer numbers, not other ones.
        lost = set(damaged.splitlines()) <= set(content.splitlines())
        for words in commands:
            file.write_bytes(damaged)
            if kind.sealed:
                seal(file.parent)
            code, out, err = place.run(words)
            wrong += [f"{number}, {words}: {what}" for what in complaints(code, err, place.scene / "ran")]
            if kind.numbers and words == commands[0] and code == 0 and out != right and not lost:
                wrong.append(f"{number}, {words}: other numbers")
            place.restore()
    assert wrong == []


@pytest.mark.slow
def test_a_damaged_archive_is_read_or_is_one_error(songs: Path, tmp_path: Path) -> None:
    from zoo.data.archive import Members, read_archive
    from zoo.data.options import Options
    from zoo.errors import DataError

    path = tmp_path / "songs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(songs.iterdir())[:3]:
            archive.write(file, file.name)
        archive.writestr("splits.csv", "midi_filename,split\n0.mid,train\n1.mid,test\n2.mid,validation\n")
    content = path.read_bytes()
    members = Members(r"(?P<title>.*\.mid)", splits="splits.csv")
    for number in range(MUTANTS * 4):
        path.write_bytes(mutant(content, number))
        with suppress(DataError):
            list(read_archive(path, members, Options()))
