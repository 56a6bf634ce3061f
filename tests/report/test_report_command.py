"""`zoo report`: what it takes, and what it refuses before any work."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.model.build import build
from zoo.model.bundle import save_bundle
from zoo.music.midi import read_midi
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe

Scale = Callable[..., Roll]
WORDS = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: Scale) -> Path:
    """A folder with two untrained models and a tune of 4 bars."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("one", "two")):
        save_bundle(build(parse_recipe(WORDS, open_registry()), seed), name)
    scale(*range(60, 76)).write("tune.mid")
    return tmp_path


@pytest.fixture
def pieces(music: Callable[[str], Any]) -> Callable[..., Any]:
    """The pieces of a page that was written."""
    return lambda name="page.html": music(Path(name).read_text("utf-8"))["pieces"]


def test_models_write_from_the_same_seed_side_by_side(here: Path, pieces: Any) -> None:
    assert run(["report", "one", "two", "-o", "page.html", "--bars", "2", "--count", "2", "seed=5"]) == 0
    found = [(piece["group"], piece["name"], piece["frames"]) for piece in pieces()]
    assert found == [(f"From silence, seed {s}", name, 32) for s in (5, 6) for name in ("one", "two")]
    assert len({piece["model"] for piece in pieces()}) == 2
    assert run(["report", "one", "-o", "again.html", "--bars", "2", "seed=6"]) == 0
    assert pieces("again.html")[0]["notes"] == pieces()[2]["notes"]


def test_a_midi_file_is_played_as_it_is(here: Path, pieces: Any) -> None:
    assert run(["report", "tune.mid", "-o", "page.html"]) == 0
    (piece,) = pieces()
    assert [note[2] for note in piece["notes"]] == list(range(60, 76))
    assert (piece["frames"] / piece["grid"], piece["primer"]) == (16, 0)


def test_triplets_and_thirty_seconds_keep_their_time(here: Path, scale: Scale, pieces: Any) -> None:
    from zoo.music.meter import Meter

    scale(60, 62, 64, frames=4, meter=Meter(12)).write("triplets.mid")
    scale(60, 62, 64, frames=1, meter=Meter(8)).write("short.mid")
    assert run(["report", "triplets.mid", "short.mid", "-o", "page.html"]) == 0
    starts = [[note[0] / piece["grid"] for note in piece["notes"]] for piece in pieces()]
    assert starts == [pytest.approx([0, 1 / 3, 2 / 3]), pytest.approx([0, 1 / 8, 1 / 4])]


def test_models_go_on_from_the_same_bars_beside_the_piece_itself(here: Path, pieces: Any) -> None:
    words = [
        "report",
        "one",
        "two",
        "-o",
        "page.html",
        "--primer",
        "tune.mid",
        "--primer-bars",
        "2",
        "--bars",
        "1",
    ]
    assert run(words) == 0
    human, *written = pieces()
    assert [piece["name"] for piece in (human, *written)] == ["tune.mid", "one", "two"]
    assert {piece["frames"] / piece["grid"] for piece in (human, *written)} == {12}
    assert {piece["primer"] / piece["grid"] for piece in (human, *written)} == {8}
    given = [
        [note[2] for note in piece["notes"] if note[0] / piece["grid"] < 8] for piece in (human, *written)
    ]
    assert given == [list(range(60, 68))] * 3


def test_a_run_stands_for_its_bundle(here: Path, pieces: Any) -> None:
    Path("run").mkdir()
    Path("one").rename("run/bundle")
    Path("run/recipe.json").write_text(
        '{"words": "", "parts": {}, "train": {}, "data": {"digest": ""}, "seed": 0}'
    )
    assert run(["report", "run", "-o", "page.html", "--bars", "1"]) == 0
    assert [piece["name"] for piece in pieces()] == ["run"]


def test_what_a_report_cannot_show_is_refused_together(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("notes.txt").write_text("")
    Path("empty").mkdir()
    assert run(["report", "one", "notes.txt", "empty", "missing", "-o", "page.html"]) == 2
    err = capsys.readouterr().err
    assert "notes.txt: a report cannot show this file" in err
    assert "empty: this folder is neither a bundle nor a run" in err
    assert "missing: there is no bundle, run or file of this name" in err
    assert not Path("page.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["one", "-o", "page.mid"], "page.mid: a report is an HTML page\n  write -o page.html"),
        (["one", "-o", "no/page.html"], "no/page.html: there is no folder no"),
        (["one", "-o", "old.html"], "old.html: already exists"),
        (
            ["tune.mid", "-o", "page.html", "--primer", "tune.mid"],
            "--primer: there is no model to use it with",
        ),
    ],
)
def test_pages_that_cannot_be_made(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    Path("old.html").write_text("mine")
    assert run(["report", *words]) == 2
    assert said in capsys.readouterr().err
    assert Path("old.html").read_text() == "mine"
    assert run(["report", *words[:1], "-o", "old.html", "--bars", "1", "--force"]) == 0


def test_a_primer_shorter_than_its_bars_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", "one", "-o", "page.html", "--primer", "tune.mid", "--primer-bars", "9"]
    assert run(words) == 3
    assert "tune.mid: there are no bars 1 to 9: the piece has 4" in capsys.readouterr().err


def test_the_page_says_how_it_was_made(here: Path) -> None:
    assert run(["report", "one", "tune.mid", "-o", "page.html", "--bars", "1", "seed=3"]) == 0
    told = re.search(r"<code>(zoo report .*?)</code>", Path("page.html").read_text("utf-8"))[1]
    assert told == "zoo report one tune.mid seed=3 -o page.html --bars 1"


@pytest.fixture
def songs(here: Path, scale: Scale) -> Path:
    """A folder of 30 songs of 6 bars, no two alike."""
    Path("songs").mkdir()
    for number in range(30):
        pitches = np.random.default_rng(number).integers(40, 80, 24)
        scale(*pitches.tolist()).write(f"songs/{number}.mid")
    return here


def test_with_data_models_go_on_from_unseen_pieces_and_are_scored(songs: Path, pieces: Any) -> None:
    words = ["report", "one", "two", "data=songs", "samples=4", "-o", "page.html"]
    assert run([*words, "--primer-bars", "2", "--bars", "3", "--count", "2"]) == 0
    found = pieces()
    assert [piece["model"] == "human" for piece in found] == [True, False, False] * 2
    assert len({piece["group"] for piece in found}) == 2
    assert {(piece["primer"], piece["frames"]) for piece in found} == {(32, 80)}
    for human, *written in (found[:3], found[3:]):
        given = [[[n[0], n[2]] for n in piece["notes"] if n[0] < 32] for piece in (human, *written)]
        assert given == [given[0]] * 3
        source = read_midi(f"songs/{human['name']}")
        assert [note[0] for note in human["notes"]] == source.cut(0, 80).notes().start.tolist()
    text = Path("page.html").read_text("utf-8")
    for section in ("Listen", "Score", "Resemblance", "Recipe"):
        assert f'<a href="#{section.lower()}">{section}</a>' in text
    assert 'href="#learning"' not in text


def test_what_models_copy_is_shaded(songs: Path, pieces: Any) -> None:
    from zoo.data import open_corpus
    from zoo.report import Piece
    from zoo.report.hearing import shaded

    training = open_corpus("songs").split("train")
    fresh = Roll.from_notes(training.roll(0).notes().take(np.arange(1)), 16)
    copy, own = shaded([Piece("copy", training.roll(0)), Piece("own", fresh)], training)
    assert copy.copied == ((0, training.pieces[0].frames),)
    assert own.copied == ()


def test_scores_go_with_the_votes(songs: Path, music: Any) -> None:
    assert run(["report", "one", "two", "data=songs", "samples=0", "-o", "page.html", "--bars", "1"]) == 0
    models = music(Path("page.html").read_text("utf-8"))["models"]
    assert set(models) == {"one", "two"}
    assert models["one"]["value"] > 0


def test_results_and_studies_become_tables(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "one", "data=songs", "samples=4", "--json"]) == 0
    Path("results.json").write_text(capsys.readouterr().out)
    assert run(["report", "results.json", "-o", "page.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": "page.html", "pieces": [], "results": 1}
    text = Path("page.html").read_text("utf-8")
    assert "Score: " in text
    assert "one − uniform" in text
    assert "4 passages of" in text


def test_a_run_shows_how_it_learned_even_without_a_bundle(songs: Path) -> None:
    words = [
        "train",
        *WORDS.split(),
        "data=songs",
        "train.steps=4",
        "train.validate_every=2",
        "train.frames=32",
    ]
    assert run([*words, "train.past=0", "-o", "run"]) == 0
    assert run(["report", "run", "-o", "page.html", "--bars", "1"]) == 0
    text = Path("page.html").read_text("utf-8")
    assert "core: codes, nats per frame of the validation pieces" in text
    assert "zoo train encoder=onset attention=none" in text
    assert "train.steps=4" in text
    shutil.rmtree("run/bundle")
    assert run(["report", "run", "-o", "page.html", "--force"]) == 0
    assert "decoder: keys, given the codes" in Path("page.html").read_text("utf-8")


def test_data_without_a_model_is_refused(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "tune.mid", "data=songs", "-o", "page.html"]) == 2
    assert "data=: there is no model to use it with" in capsys.readouterr().err
