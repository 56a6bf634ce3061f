"""Training, generating and saving from Python."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.errors import NonFiniteError
from zoo.model.bundle import open_bundle, save_bundle
from zoo.model.card import card
from zoo.model.sealed import canonical, manifest
from zoo.model.weights import digest
from zoo.music.midi import read_midi
from zoo.train.events import Event, Stepped, Validated
from zoo.train.learner import Learner
from zoo.train.record import trained_on

TINY = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4"


def test_a_model_is_trained_generates_and_is_scored(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    assert "attention.local=4" in repr(model)
    history = model.fit(songs, steps=2, batch=4, device="cpu")
    model.generate(frames=32, seed=1).write(tmp_path / "out.mid")
    assert history.step == 2
    assert read_midi(tmp_path / "out.mid").frames > 0
    assert model.evaluate(songs, split="valid").score().value > 0


def test_settings_of_fit_may_be_python_values(songs: Path) -> None:
    model = zoo.build("attention=none sampler=independent")
    result = model.fit(songs, steps=1, batch=4, device="cpu", group_by_length=True, lr_core=None)
    assert [event.step for event in result.validations] == [1]


def test_training_shows_progress_on_a_terminal_only(
    songs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    model, events = zoo.build(TINY), list[Event]()

    def progress_of(**options: Any) -> str:
        model.fit(songs, steps=2, batch=4, device="cpu", listen=events.append, **options)
        out, err = capsys.readouterr()
        assert out == ""
        return str(err)

    assert progress_of() == ""
    assert "step 2 of 2" in progress_of(progress=True)
    assert len(events) == 9  # started, two steps and a validation, twice; trained weights are validated first
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then treats any stream as a terminal
    assert "validation, nats/frame" in progress_of()
    assert progress_of(progress=False) == ""


class Spoil(zoo.Callback):
    """Ends a training after it has left its best weights.

    After step 5, weights are changed so that the validation at step 6 is no improvement. After step 7,
    training is interrupted once, or twice at once, a weight becomes NaN, or this callback fails.
    """

    def __init__(self, end: str) -> None:
        self.end, self.best = end, ""

    def on_validation(self, learner: Learner, event: Validated) -> None:
        if event.step == 4:
            self.best = digest(learner.best.tensors)

    def on_step_end(self, learner: Learner, event: Stepped) -> None:
        if event.step == 5:
            for parameter in learner.model.parameters():
                parameter.data += 3
        if event.step == 7:
            if self.end == "error":
                raise ZeroDivisionError
            for _ in range({"once": 1, "twice": 2, "nan": 0}[self.end]):
                signal.raise_signal(signal.SIGINT)
            next(learner.model.decoder.parameters()).data *= float("nan")


@pytest.mark.parametrize("end", ["once", "twice", "nan", "error"])
def test_an_interrupted_training_leaves_the_best_weights_and_a_record(
    end: str, songs: Path, tmp_path: Path
) -> None:
    model, spoil = zoo.build(TINY), Spoil(end)
    raised = {"nan": NonFiniteError, "error": ZeroDivisionError}.get(end, KeyboardInterrupt)
    with pytest.raises(raised):
        model.fit(songs, steps=50, batch=4, validate_every=2, device="cpu", callbacks=[spoil])
    assert digest(model.model.state_dict()) == spoil.best
    model.save(tmp_path / "bundle")
    config = json.loads((tmp_path / "bundle" / "config.json").read_text())
    assert (config["training"]["steps"], config["training"]["stopped"]) == (7, "interrupt")
    assert config["training"]["best_step"] == {"core": 4, "decoder": 4}
    assert config["data"]["name"] == songs.name
    assert {music["name"] for part in config["parts"].values() for music in part["trained_on"]} == {
        songs.name
    }
    model.generate(frames=4, best_of=2)
    further = model.fit(songs, steps=1, batch=4, device="cpu").validations[0]
    assert (further.step, dict(further.nats)) == (0, pytest.approx(config["scores"]["validation"]))


def test_a_training_that_is_interrupted_before_its_first_validation_is_recorded(
    songs: Path, tmp_path: Path
) -> None:
    model = zoo.build(TINY)

    def interrupt(event: Event) -> None:
        if isinstance(event, Stepped):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.fit(songs, steps=50, batch=4, device="cpu", listen=interrupt)
    model.save(tmp_path / "bundle")
    config = json.loads((tmp_path / "bundle" / "config.json").read_text())
    assert config["training"]["steps"] == 1
    assert config["scores"] == {"validation": {}, "validation_kinds": {}}


def test_a_bundle_records_its_training(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    model.save(tmp_path / "before")
    model.fit(songs, steps=2, batch=4, device="cpu", seed=3)
    model.save(tmp_path / "after")
    before, after = (
        json.loads((tmp_path / name / "config.json").read_text()) for name in ("before", "after")
    )
    assert before["data"] is before["training"] is None
    assert after["data"]["name"] == songs.name
    assert (after["training"]["seed"], after["training"]["steps"]) == (3, 2)
    assert set(after["scores"]["validation"]) == {"core", "decoder"}
    assert "There is no record of any training" in (tmp_path / "before" / "README.md").read_text()
    for file in ("config.json", "README.md"):
        text = (tmp_path / "after" / file).read_text()
        assert songs.name in text
        assert str(songs.parent) not in text


@pytest.mark.parametrize("begin", ["built", "loaded", "fine-tuned"])
def test_a_training_of_another_program_is_not_recorded_as_unseen_music(
    begin: str, songs: Path, tmp_path: Path
) -> None:
    model, folder = zoo.build(TINY), tmp_path / "bundle"
    if begin != "built":
        model.fit(songs, steps=2, batch=4, device="cpu")
        model.save(folder)
        model = zoo.load(folder)
    corpus = zoo.open_corpus(str(songs))
    assert (
        (trained_on([open_bundle(folder)], corpus, corpus.split("test")) == 0) if begin != "built" else True
    )
    with torch.no_grad():
        model.model.sampler.linear.weight.mul_(0.5)
    if begin == "fine-tuned":
        model.fit(songs, steps=1, batch=4, device="cpu")
    model.save(folder, overwrite=True)
    bundle = open_bundle(folder)
    assert trained_on([bundle], corpus, corpus.split("test")) is None
    assert "unknown music" in {music["name"] for music in bundle.record["trained_on"]["sampler"]}
    assert ("scores" in bundle.record) == (begin == "fine-tuned")


def test_weights_without_a_record_may_have_seen_all_pieces(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    save_bundle(model.model, tmp_path / "bundle")
    corpus = zoo.open_corpus(str(songs))
    assert trained_on([open_bundle(tmp_path / "bundle")], corpus, corpus.split("test")) is None


def test_loading_and_saving_keeps_the_record(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    model.fit(songs, steps=2, batch=4, device="cpu")
    model.save(tmp_path / "trained")
    zoo.build(f"core=@{tmp_path / 'trained'} decoder=@{tmp_path / 'trained'}").save(tmp_path / "taken")
    pretend_older(tmp_path / "trained")
    for name in ("trained", "taken"):
        zoo.load(tmp_path / name).save(tmp_path / "again", overwrite=True)
        for file in ("config.json", "README.md"):
            saved, original = (tmp_path / folder / file for folder in ("again", name))
            assert sorted(saved.read_text().splitlines()) == sorted(original.read_text().splitlines())


def pretend_older(bundle: Path) -> None:
    """Change a bundle as if it had been made by older versions."""
    config = json.loads((bundle / "config.json").read_text())
    config["versions"] |= {"polyzoo": "0.0.9", "torch": "2.0.0"}
    contents = {file: (bundle / file).read_bytes() for file in ("model.safetensors",)}
    contents |= {"config.json": canonical(config), "README.md": card(config).encode()}
    for file, content in {**contents, "manifest.json": manifest(contents)}.items():
        (bundle / file).write_bytes(content)


def test_a_loaded_model_has_the_saved_weights(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    model.fit(songs, steps=1, batch=4, device="cpu")
    model.save(tmp_path / "kept")
    again = zoo.load(tmp_path / "kept").model.state_dict()
    for name, weights in model.model.state_dict().items():
        assert torch.equal(again[name], weights)


@pytest.mark.parametrize("words", ["markov velocity=key", TINY])
def test_training_on_the_same_music_again_does_not_count_it_twice(
    words: str, songs: Path, tmp_path: Path
) -> None:
    model = zoo.build(words)
    model.fit(songs, steps=1, batch=4, device="cpu")
    model.save(tmp_path / "kept")
    once, again = counts(model), zoo.load(tmp_path / "kept")
    again.fit(songs, steps=1, batch=4, device="cpu")
    assert any(count.sum() > 0 for count in once.values())
    for name, count in counts(again).items():
        assert torch.equal(count, once[name]), name


def counts(model: zoo.ZooModel) -> dict[str, torch.Tensor]:
    """All integer tensors: the counts, without weights that are trained by gradient."""
    state = model.model.state_dict()
    return {name: value.clone() for name, value in state.items() if value.dtype == torch.int64}


def test_a_score_on_music_of_another_reading_came_without_a_word(songs: Path) -> None:
    model = zoo.build(TINY)
    model.fit(zoo.open_corpus(songs, pedal="hold"), steps=1, batch=4, device="cpu")
    with pytest.warns(
        UserWarning, match="was trained with pedal=hold, and this music is read with pedal=keep"
    ):
        model.evaluate(songs)
    model.evaluate(zoo.open_corpus(songs, pedal="hold"))  # warnings are errors here
