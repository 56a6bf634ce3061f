"""`zoo report`: the inputs it accepts, and the errors it reports before any work."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from zoo.cli.main import run
from zoo.model.build import build
from zoo.model.bundle import save_bundle
from zoo.music.midi import read_midi
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe

Scale = Callable[..., Roll]
RECIPE = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: Scale) -> Path:
    """A folder with two untrained models and a tune of 4 bars."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("one", "two")):
        save_bundle(build(parse_recipe(RECIPE, open_registry()), seed), name)
    scale(*range(60, 76)).write("tune.mid")
    return tmp_path


@pytest.fixture
def pieces(page_data: Callable[[str], Any]) -> Callable[..., Any]:
    """Read the pieces of a page."""
    return lambda name="page.html": page_data(Path(name).read_text("utf-8"))["pieces"]


def test_models_generate_from_the_same_seed_side_by_side(folder: Path, pieces: Any) -> None:
    assert run(["report", "one", "two", "-o", "page.html", "--bars", "2", "--count", "2", "seed=5"]) == 0
    shown = [(piece["group"], piece["name"], piece["frames"]) for piece in pieces()]
    assert shown == [(f"From silence, seed {s}", name, 32) for s in (5, 6) for name in ("one", "two")]
    assert len({piece["model"] for piece in pieces()}) == 2
    assert run(["report", "one", "-o", "again.html", "--bars", "2", "seed=6"]) == 0
    assert pieces("again.html")[0]["notes"] == pieces()[2]["notes"]


def test_a_midi_file_is_shown_unchanged(folder: Path, pieces: Any) -> None:
    assert run(["report", "tune.mid", "-o", "page.html"]) == 0
    (piece,) = pieces()
    assert [note[2] for note in piece["notes"]] == list(range(60, 76))
    assert (piece["frames"] / piece["grid"], piece["primer"]) == (16, 0)


def test_triplets_and_thirty_second_notes_keep_their_timing(folder: Path, scale: Scale, pieces: Any) -> None:
    from zoo.music.meter import Meter

    scale(60, 62, 64, frames=4, meter=Meter(12)).write("triplets.mid")
    scale(60, 62, 64, frames=1, meter=Meter(8)).write("short.mid")
    assert run(["report", "triplets.mid", "short.mid", "-o", "page.html"]) == 0
    starts = [[note[0] / piece["grid"] for note in piece["notes"]] for piece in pieces()]
    assert starts == [pytest.approx([0, 1 / 3, 2 / 3]), pytest.approx([0, 1 / 8, 1 / 4])]


def test_models_continue_the_same_primer_next_to_the_original(folder: Path, pieces: Any) -> None:
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
    shown = pieces()
    assert [piece["name"] for piece in shown] == ["tune.mid", "one", "two"]
    assert {piece["frames"] / piece["grid"] for piece in shown} == {12}
    assert {piece["primer"] / piece["grid"] for piece in shown} == {8}
    primers = [[note[2] for note in piece["notes"] if note[0] / piece["grid"] < 8] for piece in shown]
    assert primers == [list(range(60, 68))] * 3


def test_a_primer_may_be_a_track_and_any_of_its_bars(
    folder: Path, pieces: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = mido.MidiFile("tune.mid")
    file.tracks[-1].insert(0, mido.MetaMessage("track_name", name="Tune"))
    file.save("titled.mid")
    words = ["report", "one", "-o", "page.html", "--primer", "titled.mid:Tune", "--primer-bars", "2-3"]
    assert run([*words, "--bars", "1"]) == 0
    human, generated = pieces()
    assert human["group"] == generated["group"] == "After bars 2 to 3 of titled.mid, seed 0"
    assert [note[2] for note in human["notes"]] == list(range(64, 76))
    assert [note[2] for note in generated["notes"] if note[0] < generated["primer"]] == list(range(64, 72))
    assert run([*words[:5], "titled.mid:Bass", "--force"]) == 3
    assert "titled.mid: no track is called Bass" in capsys.readouterr().err
    assert run(["report", "one", "-o", "page.html", "--primer-bars", "2-3", "--force"]) == 2
    assert "add --primer FILE, or write 3" in capsys.readouterr().err


def test_a_run_is_replaced_by_its_bundle(folder: Path, pieces: Any) -> None:
    Path("run").mkdir()
    Path("one").rename("run/bundle")
    Path("run/recipe.json").write_text(
        '{"words": "", "parts": {}, "train": {"patience": 0, "validate_every": 1}, '
        '"data": {"name": "", "digest": ""}, "seed": 0}'
    )
    assert run(["report", "run", "-o", "page.html", "--bars", "1"]) == 0
    assert [piece["name"] for piece in pieces()] == ["run"]


def test_all_invalid_inputs_are_reported_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.txt").write_text("")
    Path("empty").mkdir()
    assert run(["report", "one", "notes.txt", "empty", "missing", "-o", "page.html"]) == 2
    err = capsys.readouterr().err
    assert "notes.txt: a report cannot show this file" in err
    assert "empty: this folder is neither a bundle nor a run" in err
    assert "missing: there is no bundle, run or file of this name" in err
    assert not Path("page.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
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
def test_invalid_output_paths_and_options(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    Path("old.html").write_text("mine")
    assert run(["report", *words]) == 2
    assert message in capsys.readouterr().err
    assert Path("old.html").read_text() == "mine"
    assert run(["report", *words[:1], "-o", "old.html", "--bars", "1", "--force"]) == 0


def test_a_primer_with_too_few_bars_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", "one", "-o", "page.html", "--primer", "tune.mid", "--primer-bars", "9"]
    assert run(words) == 3
    assert "tune.mid: there are no bars 1 to 9: the piece has 4" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["split=train", "samples=3", "grid=12", "--primer-bars"])
def test_words_about_music_need_music(folder: Path, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word, "3"] if word.startswith("-") else [word]
    assert run(["report", "one", "-o", "page.html", *words]) == 2
    err = capsys.readouterr().err
    assert word in err
    assert "data=MUSIC" in err
    assert not Path("page.html").exists()


def test_notes_moved_by_the_grid_of_the_models_are_noted(
    folder: Path, scale: Scale, capsys: pytest.CaptureFixture[str]
) -> None:
    from zoo.music.meter import Meter

    scale(60, 62, 64, frames=1, meter=Meter(24)).write("fine.mid")
    assert (
        run(["report", "one", "-o", "page.html", "--bars", "1", "--primer", "fine.mid", "--primer-bars", "1"])
        == 0
    )
    assert "fine.mid: notes of the file that are changed" in capsys.readouterr().err


def test_the_page_shows_the_command_that_wrote_it(folder: Path) -> None:
    assert run(["report", "one", "tune.mid", "-o", "page.html", "--bars", "1", "seed=3"]) == 0
    command = re.search(r"<code>(zoo report .*?)</code>", Path("page.html").read_text("utf-8"))[1]
    assert command == "zoo report one tune.mid seed=3 -o page.html --bars 1"
    Path("tune.mid").rename("-o.mid")
    assert run(["report", "-o", "page.html", "--force", "--", "-o.mid"]) == 0
    command = re.search(r"<code>(zoo report .*?)</code>", Path("page.html").read_text("utf-8"))[1]
    assert run([*shlex.split(command)[1:], "--force"]) == 0


@pytest.fixture
def songs(folder: Path, scale: Scale) -> Path:
    """A folder of 30 different songs of 6 bars."""
    Path("songs").mkdir()
    for number in range(30):
        pitches = np.random.default_rng(number).integers(40, 80, 24)
        scale(*pitches.tolist()).write(f"songs/{number}.mid")
    return folder


def test_with_data_models_continue_unseen_pieces_and_are_scored(songs: Path, pieces: Any) -> None:
    words = ["report", "one", "two", "data=songs", "samples=4", "-o", "page.html"]
    assert run([*words, "--primer-bars", "2", "--bars", "3", "--count", "2"]) == 0
    shown = pieces()
    assert [piece["model"] == "human" for piece in shown] == [True, False, False] * 2
    assert len({piece["group"] for piece in shown}) == 2
    assert {(piece["primer"], piece["frames"]) for piece in shown} == {(32, 80)}
    for group in (shown[:3], shown[3:]):
        human = group[0]
        primers = [[[note[0], note[2]] for note in piece["notes"] if note[0] < 32] for piece in group]
        assert primers == [primers[0]] * 3
        source = read_midi(f"songs/{human['name']}")
        assert [note[0] for note in human["notes"]] == source.cut(0, 80).notes().start.tolist()
    text = Path("page.html").read_text("utf-8")
    for section in ("Listen", "Score", "Resemblance", "Recipe"):
        assert f'<a href="#{section.lower()}">{section}</a>' in text
    assert 'href="#learning"' not in text


def test_pieces_that_took_part_in_the_training_of_a_model_are_marked(songs: Path) -> None:
    small = ["train.steps=1", "train.batch=1", "attention=last", "sampler=independent", "decoder=uniform"]
    assert run(["train", *small, "data=songs", "-o", "run"]) == 0
    for split, unseen, chosen in (("train", 0, 0), ("test", 2, 0), ("valid", 0, 2)):
        words = ["report", "run", "data=songs", f"split={split}", "samples=0", "-o", "page.html", "--force"]
        assert run([*words, "--bars", "1", "--primer-bars", "1", "--count", "2"]) == 0
        text = Path("page.html").read_text("utf-8")
        assert text.count("seen in training, ") == 2 - chosen
        assert text.count("not seen in training, ") == unseen
        assert text.count("a validation piece of the training, ") == chosen
        assert "no model was trained on" not in text, "the score is of any split"


def test_fewer_unseen_pieces_than_requested_are_noted(
    songs: Path, pieces: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "report",
        "one",
        "data=songs",
        "samples=0",
        "-o",
        "page.html",
        "--bars",
        "1",
        "--primer-bars",
        "1",
    ]
    assert run([*words, "--count", "100"]) == 0
    available = sum(piece["model"] == "human" for piece in pieces())
    assert 0 < available < 100
    assert f"split=test has only {available} piece" in (err := capsys.readouterr().err)
    assert "to continue, not 100\n" in err
    assert run([*words, "--count", str(available), "--force"]) == 0
    assert "to continue" not in capsys.readouterr().err


def test_copies_of_training_pieces_are_marked(songs: Path, pieces: Any) -> None:
    from zoo.data import open_corpus
    from zoo.report import ListeningPiece
    from zoo.report.listening import mark_copies

    training = open_corpus("songs").split("train")
    fresh = Roll.from_notes(training.roll(0).notes().take(np.arange(1)), 16)
    copy, original = mark_copies(
        [ListeningPiece("copy", training.roll(0)), ListeningPiece("original", fresh)], training
    )
    assert copy.copied == ((0, training.pieces[0].frames),)
    assert original.copied == ()


def test_scores_are_embedded_for_the_votes(songs: Path, page_data: Any) -> None:
    assert run(["report", "one", "two", "data=songs", "samples=0", "-o", "page.html", "--bars", "1"]) == 0
    models = page_data(Path("page.html").read_text("utf-8"))["models"]
    assert set(models) == {"one", "two"}
    assert models["one"]["value"] > 0


def test_a_page_gave_a_model_the_score_of_another_model_of_its_name(
    songs: Path, page_data: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "one", "data=songs", "samples=0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    (row,) = (row for row in result["rows"] if not row["floor"])

    def scored(bundle: str, *rows: Any) -> Any:
        Path("results.json").write_text(json.dumps(result | {"rows": [*rows]}))
        words = ["report", bundle, "results.json", "-o", "page.html", "--bars", "1", "--force"]
        assert run(words) == 0
        return page_data(Path("page.html").read_text("utf-8"))["models"]

    assert scored("one", row)["one"]["value"] == row["score"]["value"]
    Path("one").rename("moved")
    assert scored("moved", row)["moved"]["value"] == row["score"]["value"]
    Path("two").rename("one")
    assert scored("one", row) == {}
    older = {key: value for key, value in row.items() if key != "model"}  # as rows of studies
    assert scored("moved", older | {"name": "moved"}) == {}
    assert scored("moved", row | {"changed": {"sampler.paths": 5}}) == {}


def test_results_and_studies_become_tables(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "one", "data=songs", "samples=4", "--json"]) == 0
    Path("results.json").write_text(capsys.readouterr().out)
    assert run(["report", "results.json", "-o", "page.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": "page.html", "pieces": [], "results": 1}
    text = Path("page.html").read_text("utf-8")
    assert "Score: " in text
    assert "one − uniform" in text
    assert "one: 4 generated and" in text


def test_rows_that_a_study_does_not_have_are_noted(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "one", "data=songs", "samples=0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    parts = {"encoder": "onset", "decoder": "rbm"}
    Path("results.json").write_text(json.dumps(result | {"missing": [parts, parts], "failed": [parts]}))
    assert run(["report", "results.json", "-o", "page.html"]) == 0
    text = Path("page.html").read_text("utf-8")
    assert "2 combinations of the study without results" in text
    assert "onset rbm: the training of a part diverged" in text


def test_a_run_shows_its_learning_curve_even_without_a_bundle(songs: Path) -> None:
    words = [
        "train",
        *RECIPE.split(),
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


def test_data_without_a_model_is_an_error(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "tune.mid", "data=songs", "-o", "page.html"]) == 2
    assert "data=: there is no model to use it with" in capsys.readouterr().err
