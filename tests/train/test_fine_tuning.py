"""Fine-tuning: training from trained weights never makes them worse, and records their origins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import zoo
from zoo.cli.main import run
from zoo.data import Corpus, open_corpus
from zoo.model.bundle import load_bundle, open_bundle
from zoo.model.counting import count, recount
from zoo.model.model import Model
from zoo.model.provenance import Origin, other_music, trained_on, with_short_lists
from zoo.model.weights import digest, unpack
from zoo.music.roll import Roll
from zoo.parts import SLOTS
from zoo.train.events import Event, Stepped, Validated
from zoo.train.fit import fit
from zoo.train.lock import lock_folder
from zoo.train.plan import plan_origins, read_plan
from zoo.train.run import Run

from .conftest import Stop

Make = Callable[..., Any]
TINY = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4"
QUICK = {"batch": 4, "frames": 16, "stride": 8, "past": 4, "validate_every": 2, "device": "cpu"}
WORDS = [*TINY.split(), *(f"train.{name}={value}" for name, value in QUICK.items())]


@pytest.fixture(scope="module")
def bundle(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on the tunes."""
    model = zoo.build(TINY)
    model.fit(corpus, steps=60, lr=0.05, **{**QUICK, "validate_every": 20})
    model.save(folder := tmp_path_factory.mktemp("bundles") / "tunes")
    return folder


def test_fine_tuning_starts_from_the_nats_of_the_bundle(bundle: Path, corpus: Corpus) -> None:
    scores = json.loads((bundle / "config.json").read_text())["scores"]["validation"]
    history = zoo.load(bundle).fit(corpus, steps=2, lr=0.001, **QUICK)
    assert [event.step for event in history.validations] == [0, 2]
    assert history.validations[0].nats == pytest.approx(scores, abs=1e-6)


def test_training_that_makes_weights_worse_keeps_the_original_ones(bundle: Path, corpus: Corpus) -> None:
    model = zoo.load(bundle)
    before = digest(model.model.state_dict())
    history = model.fit(corpus, steps=4, lr=1.0, **QUICK)
    assert history.best_step == {"core": 0, "decoder": 0}
    assert digest(model.model.state_dict()) == before


def test_untrained_weights_are_not_validated_before_training(corpus: Corpus) -> None:
    history = zoo.build(TINY).fit(corpus, steps=2, **QUICK)
    assert [event.step for event in history.validations] == [2]


def test_all_music_that_a_part_was_trained_on_is_recorded(bundle: Path, tunes: Make, tmp_path: Path) -> None:
    second, third = tunes(train=6, valid=2), tunes(train=5, valid=2)
    model = zoo.load(bundle)
    model.fit(second, steps=2, lr=0.001, **QUICK)
    model.save(tmp_path / "more")
    both = zoo.build(f"core=@{tmp_path / 'more'} decoder=@{bundle}")
    both.save(tmp_path / "both")
    both.fit(third, steps=2, lr=0.001, **QUICK)
    both.save(tmp_path / "last")
    expected = {
        "more": [["tunes-8-3", "tunes-6-2"]] * 2,
        "both": [["tunes-8-3", "tunes-6-2"], ["tunes-8-3"]],
        "last": [["tunes-8-3", "tunes-6-2", "tunes-5-2"], ["tunes-8-3", "tunes-5-2"]],
    }
    for name, names in expected.items():
        music_by_slot = open_bundle(tmp_path / name).record["trained_on"]
        assert [[music["name"] for music in music_by_slot[slot]] for slot in ("sampler", "decoder")] == names
        assert music_by_slot["encoder"] == music_by_slot["attention"] == music_by_slot["sampler"]
        card = (tmp_path / name / "README.md").read_text()
        assert "The music that each part was trained on, oldest first" in card
        assert card.count("| decoder | tunes-8-3 |") == 1
    assert "oldest first" not in (bundle / "README.md").read_text()
    config = json.loads((tmp_path / "last" / "config.json").read_text())
    assert config["training"]["began_from"]["decoder"] == "tunes"
    assert other_music(trained_on(config), third.digest) == {
        "tunes-8-3": list(SLOTS),
        "tunes-6-2": ["encoder", "attention", "sampler", "velocity"],
    }


def test_the_music_of_a_bundle_of_an_older_version() -> None:
    data = {"name": "bach", "digest": "d", "pieces": 3, "frames": 9, "piece_digests": ["a"]}
    parts: dict[str, Any] = {slot: {"source": None} for slot in SLOTS}
    music = {"name": "bach", "digest": "d", "pieces": 3, "frames": 9, "piece_digests": ["a"]}
    assert trained_on({"data": data, "parts": parts}) == dict.fromkeys(SLOTS, (music,))
    parts["decoder"] = {"source": "b"}
    assert trained_on({"data": data, "parts": parts})["decoder"] == ()


@pytest.mark.parametrize(("most", "left"), [(9, "abcd"), (8, "abc"), (4, "bc"), (0, "")])
def test_lists_of_pieces_that_could_not_be_read_again_are_left_out_the_longest_first(
    most: int, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of a million pieces would have a configuration above the limit of its size."""
    monkeypatch.setattr("zoo.model.provenance.MOST_LISTED", most)
    content = {
        "data": {"name": "mine", "digest": "own", "piece_digests": ["a"] * 3, "validation_digests": ["b"]},
        "piece_digests": {"other": ["c"] * 1, "third": ["d"] * 4},
        "validation_digests": {},
    }
    assert sorted({name for name in "abcd" if f'"{name}"' in json.dumps(with_short_lists(content))}) == [
        *left
    ]
    assert with_short_lists(content)["data"]["digest"] == "own"


@pytest.mark.parametrize("best", range(3))
def test_the_residual_has_the_counts_with_the_best_validation_score(
    best: int, bundle: Path, corpus: Corpus, tunes: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidates are the counts of the new music, the original counts, and their sum."""
    nats = iter([float(number != best) for number in range(3)])
    monkeypatch.setattr("zoo.model.counting._residual_nats", lambda *arguments: next(nats))
    model, new = zoo.load(bundle).model, zoo.build(TINY).model
    before, more = model.encoder.residual.counts.clone(), tunes(train=5, valid=2)
    count(new, more.split("train"))
    recount(model, more.split("train"), more.split("valid"))
    added = new.encoder.residual.counts
    assert torch.equal(model.encoder.residual.counts, (added, before, before + added)[best])
    assert torch.equal(model.sampler.counted_codes, new.sampler.counted_codes)


def test_the_residual_keeps_its_counts_if_there_is_little_new_music(bundle: Path, tunes: Make) -> None:
    model, more = zoo.load(bundle).model, tunes(train=1, valid=2)
    before = model.encoder.residual.counts.clone()
    recount(model, more.split("train"), more.split("valid"))
    assert (model.encoder.residual.counts >= before).all()


@pytest.mark.parametrize("again", [False, True])
def test_the_residual_keeps_its_counts_if_nothing_can_be_validated(
    again: bool, bundle: Path, tunes: Make
) -> None:
    """Of candidates without scores, the counts of a single piece would be chosen, the worst of all."""
    model, new, more = zoo.load(bundle).model, zoo.build(TINY).model, tunes(train=1, valid=0)
    before = model.encoder.residual.counts.clone()
    count(new, more.split("train"))
    recount(model, more.split("train"), more.split("valid"), again=again)
    expected = before if again else before + new.encoder.residual.counts
    assert torch.equal(model.encoder.residual.counts, expected)


@pytest.mark.parametrize(("kind", "step"), [(Validated, 0), (Stepped, 1), (Stepped, 5)])
def test_a_resumed_run_equals_an_uninterrupted_one(
    kind: type[Event], step: int, bundle: Path, corpus: Corpus, fast: Make, tmp_path: Path
) -> None:
    def train_to(folder: Path, listen: Any = None) -> tuple[Model, list[str]]:
        model = load_bundle(bundle)
        origins = {slot: Origin("tunes", digest(getattr(model, slot).state_dict()), ()) for slot in SLOTS}
        with lock_folder(folder) as place:
            fit(model, corpus, fast(steps=6), Run(place), listen, resume=True, origins=origins)
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        metrics = [json.dumps({name: v for name, v in line.items() if name != "seconds"}) for line in lines]
        last = unpack((folder / "last.safetensors").read_bytes(), "last")
        return model, [*metrics, digest(last.tensors)]

    uninterrupted, metrics = train_to(tmp_path / "uninterrupted")
    assert json.loads(metrics[0])["step"] == 0
    with pytest.raises(KeyboardInterrupt):
        train_to(tmp_path / "interrupted", Stop(kind, step))
    resumed, resumed_metrics = train_to(tmp_path / "interrupted")
    assert resumed_metrics == metrics
    assert digest(resumed.state_dict()) == digest(uninterrupted.state_dict())


Train = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Train:
    """`zoo train` in a folder with two runs of the songs, `a` and `b`."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run_train(*words: str) -> tuple[int, str, str]:
        code = run(["train", *words, f"data={songs}", *WORDS[len(TINY.split()) :]])
        return code, *capsys.readouterr()

    for seed, name in enumerate("ab"):
        assert run_train(*TINY.split(), "train.steps=4", f"seed={seed}", "-o", name)[0] == 0
    return run_train


def config(folder: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(folder) / "bundle" / "config.json").read_text())
    return content


def test_the_command_fine_tunes_a_bundle(train: Train, bundle: Path) -> None:
    code, out, err = train(f"@{bundle}", "train.steps=2", "train.lr=1.0", "-o", "more")
    assert code == 0, err
    assert "step 0 of 2" in err
    assert "training did not improve the core and the decoder; the original weights are kept" in out
    before, after = json.loads((bundle / "config.json").read_text()), config("more")
    for part in ("attention", "decoder"):
        assert after["parts"][part]["weights"] == before["parts"][part]["weights"]
    assert after["recipe"]["parts"] == before["recipe"]["parts"]


def test_parts_of_several_runs_are_fine_tuned(train: Train, songs: Path) -> None:
    code, _, err = train("core=@a", "decoder=@b", "train.steps=2", "-o", "more")
    assert code == 0, err
    began = config("more")["training"]["began_from"]
    assert (began["sampler"], began["decoder"]) == ("a", "b")
    trained_music = config("more")["parts"]["decoder"]["trained_on"]
    assert [music["name"] for music in trained_music] == [songs.name] * 2
    code, _, err = train("core=@a", "decoder=rbm", "decoder.hidden=3", "train.steps=2", "-o", "fresh")
    assert code == 0, err
    assert len(config("fresh")["parts"]["decoder"]["trained_on"]) == 1


def test_a_fine_tuned_run_is_resumed_without_its_words(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["@a/bundle", "train.steps=4", "train.lr=0.001"]
    assert train(*words, "-o", "uninterrupted")[0] == 0
    assert train("@a/bundle", "train.steps=2", "train.lr=0.001", "-o", "more")[0] == 0
    assert run(["train", "-o", "more", "--resume", "train.steps=4"]) == 0
    assert config("more")["parts"] == config("uninterrupted")["parts"]
    assert config("more")["training"]["began_from"] == config("uninterrupted")["training"]["began_from"]
    again = train(*words, "-o", "more", "--resume")
    assert again[0] == 0
    assert "The run was complete" in again[2]
    code, _, err = train("@b/bundle", *words[1:], "-o", "more", "--resume")
    assert code == 2
    assert "initial weights of the decoder" in err


def test_a_run_without_checkpoints_needs_its_sources_again(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("@a", "train.steps=2", "-o", "more")[0] == 0
    for file in Path("more").iterdir():  # as if it had been killed before its first checkpoint
        if file.name in ("last.safetensors", "best.safetensors", "metrics.jsonl"):
            file.unlink()
    shutil.rmtree("more/bundle")
    assert plan_origins(read_plan(Path("more")) or {})["decoder"].source == "a"
    assert run(["train", "-o", "more", "--resume"]) == 2
    assert "starts from the encoder, attention, sampler, decoder of a" in capsys.readouterr().err
    assert train("@a", "train.steps=2", "-o", "more", "--resume")[0] == 0


def test_evaluate_notes_which_parts_were_trained_on_other_music(
    train: Train, bundle: Path, songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"decoder=@{bundle}", *TINY.split()[:3], "train.steps=1", "train.lr=0.001", "-o", "more"]
    code, _, err = train(*words)
    assert code == 0, err
    (unseen := tmp_path / "other").mkdir()
    onset = np.zeros((32, 88), np.bool_)
    onset[::4, 40] = True
    Roll(onset, onset).write(unseen / "unknown.mid")
    notes = evaluate_notes(unseen, capsys)
    assert f"other music (tunes-8-3: encoder, decoder and {songs.name}) without" in notes
    learned = open_corpus(songs).split("train").pieces[0].title
    shutil.copy(songs / learned, unseen / "known.mid")
    assert "was trained on 1 of the 2 scored pieces" in evaluate_notes(unseen, capsys)


def evaluate_notes(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The notes of `zoo evaluate` on the fine-tuned bundle."""
    assert run(["evaluate", "more/bundle", f"data={folder}", "split=all", "samples=0"]) == 0
    return str(capsys.readouterr().err)


def test_parts_of_another_grid_are_an_error(train: Train, songs: Path) -> None:
    code, _, err = train("@a", "grid=12", "train.steps=1", "-o", "more")
    assert code == 2
    assert "a was trained on 4 frames per quarter note" in err
