import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.cli.main import run
from zoo.music.roll import Roll


def music(seed):
    rng = np.random.default_rng(seed)
    onset = rng.random((24, 88)) < 0.05
    onset[-1, seed] = True
    return Roll(onset, onset.copy(), np.where(onset, 64, 0).astype(np.uint8))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "songs").mkdir()
    for seed in range(30):
        music(seed).write(tmp_path / "songs" / f"{seed}.mid")
    return tmp_path / "songs"


@pytest.fixture
def published(tmp_path):
    """A file in the form of the Boulanger-Lewandowski sets, which contain only sounding keys."""
    savemat = pytest.importorskip("scipy.io").savemat
    sets = {}
    for first, name in enumerate(("traindata", "validdata", "testdata")):
        pieces = np.empty((1, 3), object)
        for number in range(3):
            pieces[0, number] = music(3 * first + number).sounding.astype(np.uint8)
        sets[name] = pieces
    savemat(tmp_path / "set.mat", sets)
    return tmp_path / "set.mat"


def test_floors_are_scored_without_a_bundle(folder, capsys):
    assert run(["evaluate", f"data={folder}"]) == 0
    out = capsys.readouterr().out
    assert "1 test piece of " in out
    assert "nats/frame ↓" in out
    for row in ("uniform, onset", "rates, onset", "markov, sounding"):
        assert row in out
    assert "full score" in out


def test_loudness_has_floors(bundles, folder, capsys):
    words = [f"data={folder}", "split=valid"]
    evaluation = evaluated(capsys, "coins", "loud", *words)["velocity"]
    floors = ["velocity=mean", "velocity=key", "velocity=previous"]
    assert [row["name"] for row in evaluation["rows"]] == [*floors, "loud"]
    assert evaluation["unit"] == "nats per struck note"
    assert [pair["second"] for pair in evaluation["differences"]] == floors
    assert evaluated(capsys, *words)["velocity"]["rows"] == evaluation["rows"][:3]
    assert evaluated(capsys, "coins", *words)["velocity"]["rows"] == []
    assert run(["evaluate", "loud", *words]) == 0
    assert "Velocity of each struck note" in capsys.readouterr().out


def test_json_gives_every_piece_of_every_row(folder, capsys):
    assert run(["evaluate", f"data={folder}", "split=train", "--json"]) == 0
    out, err = capsys.readouterr()
    evaluation = json.loads(out)
    assert err == ""
    assert evaluation["data"]["split"] == "train"
    rates = next(row for row in evaluation["rows"] if row["name"] == "rates, onset")
    assert rates["score"]["kind"] == "exact"
    assert (
        rates["score"]["count"] == evaluation["data"]["frames"] == sum(p["frames"] for p in rates["pieces"])
    )
    nats = sum(sum(piece["nats"].values()) for piece in rates["pieces"])
    assert rates["score"]["value"] == pytest.approx(nats / evaluation["data"]["frames"])
    low, high = rates["score"]["interval"]
    assert low < rates["score"]["value"] < high


def test_music_that_only_sounds_has_floors_of_sounding_keys(published, capsys):
    assert run(["evaluate", f"data={published}", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == ["uniform", "rates", "markov"]
    assert {row["plane"] for row in rows} == {"sounding"}
    assert not any(row["full_score"] for row in rows)
    assert rows[0]["score"]["value"] == pytest.approx(60.997, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["data=nowhere"], 3, "nowhere"),
        (["dta=bach"], 2, "did you mean data=bach"),
        (["split=tests"], 2, "split=test"),
        (["sampler.paths=3"], 2, "name a bundle"),
        (["--sweep", "sampler.paths=1,2"], 2, "name a bundle"),
    ],
)
def test_errors_have_hints(words, code, says, capsys):
    assert run(["evaluate", *words]) == code
    assert says in capsys.readouterr().err


@pytest.fixture
def bundles(tmp_path, monkeypatch):
    """Bundles of untrained models: with an exact score, with a bound, and with a velocity part."""
    from zoo.model.build import build
    from zoo.model.bundle import save_bundle
    from zoo.registry import open_registry, parse_recipe

    small = "attention=none attention.local=8 attention.features=8 decoder.hidden=8"
    for name, sampler in {
        "coins": "sampler=independent",
        "five": "sampler=voices sampler.hidden=8",
        "loud": "sampler=independent velocity=lstm velocity.hidden=8",
    }.items():
        save_bundle(build(parse_recipe(f"{small} {sampler}", open_registry())), tmp_path / name)
    monkeypatch.chdir(tmp_path)


def evaluated(capsys, *words):
    assert run(["evaluate", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_bundles_and_floors_share_a_table(bundles, folder, capsys):
    evaluation = evaluated(capsys, "coins", "five", f"data={folder}", "split=valid")
    assert [row["name"] for row in evaluation["rows"]] == ["uniform", "rates", "markov", "coins", "five"]
    sides = [(pair["first"], pair["second"]) for pair in evaluation["differences"]]
    assert ("five", "coins") in sides
    assert ("coins", "markov") in sides


def test_a_bundle_with_the_name_of_a_floor_is_told_from_it(bundles, folder, capsys):
    shutil.copytree("coins", "markov")
    evaluation = evaluated(capsys, "markov", f"data={folder}", "split=valid", "samples=0")
    assert [row["name"] for row in evaluation["rows"]] == ["uniform", "rates", "markov", "./markov"]


def test_an_ensemble_has_a_row_no_worse_than_the_mean_of_its_models(bundles, folder, capsys):
    rows = evaluated(capsys, "coins", "loud", f"data={folder}", "split=valid", "samples=0", "--ensemble")[
        "rows"
    ]
    score = {row["name"]: row["score"]["value"] for row in rows}
    assert list(score)[-1] == "ensemble of 2"
    assert score["ensemble of 2"] <= (score["coins"] + score["loud"]) / 2 + 1e-5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["coins"], "an ensemble needs at least two models"),
        (["coins", "five", "samples=0"], "an ensemble needs models with exact scores"),
        (["five", "--sweep", "sampler.paths=1,2"], "mutually exclusive"),
    ],
)
def test_models_that_cannot_be_averaged_are_refused(bundles, folder, capsys, words, says):
    assert run(["evaluate", *words, f"data={folder}", "split=valid", "--ensemble"]) == 2
    assert says in capsys.readouterr().err


@pytest.fixture
def trained(folder, tmp_path, capsys):
    """A bundle that was trained on the folder."""
    learn = ["train.steps=1", "train.batch=1", "attention=last", "sampler=independent", "decoder=uniform"]
    assert run(["train", *learn, f"data={folder}", "-o", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    return str(tmp_path / "run" / "bundle")


def note(capsys, *words):
    """The notes of `zoo evaluate` on standard error, without passages, which take time."""
    assert run(["evaluate", *words, "samples=0"]) == 0
    return capsys.readouterr().err


def test_number_of_scored_training_pieces_is_reported(trained, folder, tmp_path, capsys):
    assert note(capsys, trained, f"data={folder}") == ""
    pieces = evaluated(capsys, trained, f"data={folder}", "split=train")["data"]["pieces"]
    assert note(capsys, trained, f"data={folder}", "split=train") == (
        f"note: {trained} was trained on {pieces} of the {pieces} scored pieces\n"
    )
    (tmp_path / "others").mkdir()
    for seed in range(40, 43):
        music(seed).write(tmp_path / "others" / f"{seed}.mid")
    assert run(["evaluate", trained, f"data={folder}", "split=train", "samples=0", "--md"]) == 0
    saved = capsys.readouterr().out
    assert f"trained on {pieces} of the {pieces} scored pieces" in " ".join(saved.split())
    words = f"data={tmp_path / 'others'}", "split=all"
    assert "trained on other music (songs) without the 3 scored pieces" in note(capsys, trained, *words)
    shutil.copy(folder / train_piece(folder), tmp_path / "others" / "by another name.mid")
    assert "was trained on 1 of the 4 scored pieces" in note(capsys, trained, *words)
    (row,) = evaluated(capsys, trained, *words, "samples=0")["rows"]
    assert row["trained_on"] == 1


def test_an_ensemble_was_trained_on_the_pieces_of_all_its_models(trained, folder, tmp_path, capsys):
    learn = ["train.steps=1", "train.batch=1", "attention=last", "sampler=independent", "decoder=uniform"]
    assert run(["train", *learn, f"data={folder}", "train.lr=0.1", "-o", str(tmp_path / "other")]) == 0
    capsys.readouterr()
    words = [trained, str(tmp_path / "other"), f"data={folder}", "samples=0", "--ensemble"]
    *_, ensemble = evaluated(capsys, *words, "split=valid")["rows"]
    assert ensemble["trained_on"] == 0
    evaluation = evaluated(capsys, *words, "split=train")
    assert evaluation["rows"][-1]["trained_on"] == evaluation["data"]["pieces"]


def test_a_bundle_lists_its_training_pieces_and_its_card_does_not(trained, folder):
    from zoo.data import open_corpus

    config = json.loads((Path(trained) / "config.json").read_text())
    pieces = open_corpus(folder).split("train").pieces
    assert {piece.digest[:12] for piece in pieces} < set(config["data"]["piece_digests"])
    assert len(config["data"]["piece_digests"]) == 2 * len(pieces), "one pattern each, of notes of one frame"
    assert "piece_digests" not in (Path(trained) / "README.md").read_text()


def test_copies_of_training_pieces_with_other_loudness_or_pedal_are_counted(
    trained, folder, tmp_path, capsys
):
    piece = Roll.read(folder / train_piece(folder))
    others = tmp_path / "others"
    others.mkdir()
    music(41).write(others / "new.mid")
    louder = replace(piece, velocity=np.where(piece.onset, 111, 0).astype(np.uint8), tempo=71.0)
    louder.write(others / "louder.mid")
    longer = piece.sounding | np.pad(piece.sounding[:-1], ((1, 0), (0, 0)))
    replace(piece, sounding=longer).write(others / "held.mid")
    words = f"data={others}", "split=all"
    assert "was trained on 2 of the 3 scored pieces" in note(capsys, trained, *words)


def test_pieces_that_chose_the_weights_are_noted(trained, folder, tmp_path, capsys):
    from zoo.data import open_corpus

    text = note(capsys, trained, f"data={folder}", "split=valid")
    pieces = open_corpus(folder).split("valid").pieces
    every = f"{len(pieces)} of the {len(pieces)} scored piece"
    assert re.search(f"{every}s? (is a|are) validation pieces? of the training of {re.escape(trained)}", text)
    assert "validation piece" not in note(capsys, trained, f"data={folder}")

    words = ["evaluate", trained, f"data={folder}", "split=valid", "samples=0"]
    for form in ("--md", "--latex"):
        assert run([*words, form]) == 0
        saved = capsys.readouterr().out
        assert re.search(f"{every}s? (is a|are) validation piece", saved)
    assert run([*words, "--json"]) == 0
    (tmp_path / "score.json").write_text(saved := capsys.readouterr().out)
    assert [row["chosen_on"] for row in json.loads(saved)["rows"] if not row["floor"]] == [len(pieces)]
    assert run(["report", str(tmp_path / "score.json"), "-o", str(tmp_path / "page.html")]) == 0
    assert re.search(f"{every}s? (is a|are) validation piece", (tmp_path / "page.html").read_text())
    capsys.readouterr()

    others = tmp_path / "others"
    others.mkdir()
    music(41).write(others / "new.mid")
    (others / "validated.mid").write_bytes((folder / pieces[0].title).read_bytes())
    assert "1 of the 2 scored pieces is a validation piece of the training of" in note(
        capsys, trained, f"data={others}", "split=all"
    )
    assert "validation_digests" not in (Path(trained) / "README.md").read_text()


def test_another_reading_of_the_training_music_is_noted(trained, folder, tmp_path, capsys):
    from zoo.model.bundle import open_bundle, save_bundle

    bundle = open_bundle(trained)
    data = {**bundle.record["data"], "pedal": "hold"}
    bundle.model.encoder.residual.forget_counts()
    save_bundle(bundle.model, tmp_path / "held", **{**bundle.record, "data": data})
    said = note(capsys, str(tmp_path / "held"), f"data={folder}")
    assert "was trained with pedal=hold, and this music is read with pedal=keep" in said
    assert "was never counted, as its training music had no onsets" in said
    assert note(capsys, trained, f"data={folder}") == ""


def test_copies_of_training_pieces_are_found_in_music_without_onsets(trained, folder, tmp_path):
    from zoo.data import open_corpus
    from zoo.model.bundle import open_bundle
    from zoo.train.record import trained_on

    rolls = [Roll.read(path) for path in (folder / train_piece(folder), *folder.glob("*.mid"))]
    pitches = [[(np.flatnonzero(frame) + 21).tolist() for frame in roll.sounding] for roll in rolls]
    (tmp_path / "frames.json").write_text(
        json.dumps({"train": pitches[1:], "valid": [], "test": pitches[:1]})
    )
    corpus = open_corpus(tmp_path / "frames.json")
    assert trained_on([open_bundle(trained)], corpus, corpus.split("test")) == 1


def train_piece(folder):
    from zoo.data import open_corpus

    return open_corpus(folder).split("train").pieces[0].title


def test_bundle_without_a_list_of_pieces_is_reported(trained, folder, tmp_path, capsys):
    from zoo.model.bundle import open_bundle, save_bundle

    bundle = open_bundle(trained)
    data = {name: value for name, value in bundle.record["data"].items() if name != "piece_digests"}
    save_bundle(bundle.model, tmp_path / "older", data=data)
    older = str(tmp_path / "older")
    assert note(capsys, older, f"data={folder}") == ""
    assert f"note: {older} was trained on" in note(capsys, older, f"data={folder}", "split=train")
    (folder / train_piece(folder)).unlink()
    text = note(capsys, older, f"data={folder}")
    assert "trained on other music (songs), and its bundle does not list the pieces" in text


def test_copies_are_not_searched_for_if_the_training_music_is_unknown(trained, folder, tmp_path, capsys):
    """Music that is not copied from this music may be copied from that of the training."""
    from zoo.model.bundle import open_bundle, save_bundle

    save_bundle(open_bundle(trained).model, tmp_path / "unknown", data={"name": "songs"})
    words = [f"data={folder}", "split=valid", "samples=4"]

    def measures(model):
        *_, row = evaluated(capsys, model, *words)["rows"]
        return {measure["measure"] for measure in row["resemblance"]["measures"]}

    assert measures(trained) - measures(str(tmp_path / "unknown")) == {"longest copy"}


def test_omitted_results_are_reported(bundles, folder, capsys):
    def notes(*words):
        assert run(["evaluate", "coins", f"data={folder}", *words]) == 0
        return capsys.readouterr().err

    assert "note: floors and generated passages are left out: split=all" in notes("split=all")
    assert "floors and generated passages are left out" in notes("split=all", "samples=0")
    assert "passages are left out: split=train" in notes("split=train")
    assert "left out" not in notes("split=train", "samples=0")


def test_counts_have_the_right_plural(bundles, folder, capsys):
    for file in sorted(folder.iterdir())[3:]:
        file.unlink()
    assert run(["evaluate", "coins", f"data={folder}"]) == 0
    out, err = capsys.readouterr()
    assert "1 test piece of " in out
    assert "generated passages are left out: too few pieces" in err
    assert run(["evaluate", "coins", f"data={folder}", "split=all"]) == 0
    assert "3 pieces of " in capsys.readouterr().out


def test_generated_music_is_compared_with_unseen_music(bundles, folder, capsys):
    words = ["coins", "five", f"data={folder}", "split=valid", "samples=4"]
    evaluation = evaluated(capsys, *words)
    *floors, coins, five = evaluation["rows"]
    assert all(floor["resemblance"] is None for floor in floors)
    assert coins["resemblance"] != five["resemblance"]
    assert coins["resemblance"]["frames"] == 16
    assert coins["resemblance"]["passages"][0] == 4
    measures = {measure["measure"]: measure for measure in coins["resemblance"]["measures"]}
    assert measures["keys at once"]["generated"] > measures["keys at once"]["held_out"]  # coins are fair
    assert measures["keys at once"]["distance"] > measures["keys at once"]["floor"]
    assert evaluated(capsys, *words) == evaluation
    assert evaluated(capsys, *words, "seed=1")["rows"][-1]["resemblance"] != five["resemblance"]


def test_resemblance_table_fits_and_has_no_duplicates(bundles, folder, capsys):
    words = ["five", f"data={folder}", "split=valid", "samples=4", "--sweep", "sampler.paths=1,2"]
    assert run(["evaluate", *words]) == 0
    _, text = capsys.readouterr().out.split("five sampler.paths=1 and five sampler.paths=2: 4 generated and")
    assert "five sampler.paths" not in text
    assert all(name in text for name in ("keys at once", "scale consistency", "pitch classes"))
    assert "distances and floors of few passages are high by chance" in text
    assert max(map(len, text.splitlines()[1:])) <= 80


def test_passages_are_generated_only_if_needed(bundles, folder, capsys, monkeypatch):
    monkeypatch.setattr("zoo.model.generate.generate", lambda *_: pytest.fail("music was written"))
    for words in (["samples=0"], ["split=train"]):
        evaluation = evaluated(capsys, "coins", f"data={folder}", *words)
        assert evaluation["rows"][-1]["resemblance"] is None
    assert run(["evaluate", "coins", f"data={folder}", "samples=0"]) == 0
    assert "passages of" not in capsys.readouterr().out


def test_live_setting_is_changed_and_shown(bundles, folder, capsys):
    evaluation = evaluated(capsys, "five", f"data={folder}", "split=valid", "sampler.paths=2")
    *_, five = evaluation["rows"]
    assert five["name"] == "five sampler.paths=2"
    assert five["changed"] == {"sampler.paths": 2}
    assert five["score"]["kind"] == five["terms"]["codes"]["kind"] == "bound"
    assert five["terms"]["keys"]["kind"] == "exact"
    assert 0 < five["shares"]["escaped"]["value"] < 1
    escaped = sum(piece["frames_with"]["escaped"] for piece in five["pieces"])
    assert five["shares"]["escaped"]["value"] == escaped / five["score"]["count"]
    assert five["terms"]["codes"]["of"] == ["attention", "sampler"]
    assert five["pieces"][0]["standard_errors"].keys() < five["pieces"][0]["nats"].keys()


def test_sweep_has_a_row_for_each_value(bundles, folder, capsys):
    evaluation = evaluated(capsys, "five", f"data={folder}", "split=valid", "--sweep", "sampler.paths=1,30")
    single, thirty = evaluation["rows"][-2:]
    assert (single["changed"], thirty["changed"]) == ({"sampler.paths": 1}, {"sampler.paths": 30})
    last = evaluation["differences"][-1]
    assert (last["first"], last["second"]) == (thirty["name"], single["name"])
    assert last["value"] == pytest.approx(thirty["score"]["value"] - single["score"]["value"])
    assert last["value"] < 0.02


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["five", "sampler.hidden=3"], 2, "cannot be changed after training"),
        (["five", "--sweep", "sampler.paths"], 2, "sampler.paths=1,5,20,100"),
        (["five", "--sweep", "sampler.paths=1,0"], 2, "the nearest valid value is sampler.paths=1"),
        (["coins", "sampler.paths=3"], 2, "no such setting"),
        (["nowhere"], 5, "nowhere"),
    ],
)
def test_other_settings_are_rejected(bundles, words, code, says, capsys):
    assert run(["evaluate", *words]) == code
    assert says in capsys.readouterr().err


def test_music_without_onsets_is_rejected_before_any_work(bundles, published, capsys, monkeypatch):
    monkeypatch.setattr("zoo.measure.floors.floors", lambda *_: pytest.fail("work has begun"))
    assert run(["evaluate", "five", f"data={published}"]) == 3
    assert "encoder=sounding" in capsys.readouterr().err


def test_evaluations_are_written_by_the_table_writer_of_studies(folder, capsys):
    assert run(["evaluate", f"data={folder}", "split=valid", "--md"]) == 0
    text = capsys.readouterr().out
    assert "| row | nats/frame ↓ | ± | codes |" in text
    assert "| --- | ---: | ---: | ---: |" in text
    assert run(["evaluate", f"data={folder}", "split=valid", "--latex"]) == 0
    assert r"\begin{tabular}{lrr" in capsys.readouterr().out
    assert run(["evaluate", f"data={folder}", "--md", "--json"]) == 2
    assert "one format at a time" in capsys.readouterr().err
