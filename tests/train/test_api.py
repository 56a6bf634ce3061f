"""The zoo in three lines of Python, and what is kept of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.model.card import card
from zoo.model.sealed import canonical, manifest
from zoo.music.midi import read_midi
from zoo.train.events import Event

TINY = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4"


def test_a_model_is_trained_heard_and_scored(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    assert "attention.local=4" in repr(model)
    history = model.fit(songs, steps=2, batch=4, device="cpu")
    model.generate(frames=32, seed=1).write(tmp_path / "out.mid")
    assert history.step == 2
    assert read_midi(tmp_path / "out.mid").frames > 0
    assert model.evaluate(songs, split="valid").score().value > 0


def test_training_shows_how_it_goes_where_somebody_looks(
    songs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    model, heard = zoo.build(TINY), list[Event]()

    def said(**asked: Any) -> str:
        model.fit(songs, steps=2, batch=4, device="cpu", listen=heard.append, **asked)
        out, err = capsys.readouterr()
        assert out == ""
        return str(err)

    assert said() == ""
    assert "step 2 of 2" in said(progress=True)
    assert len(heard) == 9  # begun, two steps and a validation, twice; trained weights are scored first
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes any stream for a terminal
    assert "validation, nats/frame" in said()
    assert said(progress=False) == ""


def test_a_bundle_remembers_what_it_was_trained_on(songs: Path, tmp_path: Path) -> None:
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
        said = (tmp_path / "after" / file).read_text()
        assert songs.name in said
        assert str(songs.parent) not in said


def test_a_model_that_is_loaded_and_saved_says_all_that_it_said(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    model.fit(songs, steps=2, batch=4, device="cpu")
    model.save(tmp_path / "trained")
    zoo.build(f"core=@{tmp_path / 'trained'} decoder=@{tmp_path / 'trained'}").save(tmp_path / "taken")
    older(tmp_path / "trained")
    for name in ("trained", "taken"):
        zoo.load(tmp_path / name).save(tmp_path / "again", overwrite=True)
        for file in ("config.json", "README.md"):
            said, before = (tmp_path / folder / file for folder in ("again", name))
            assert sorted(said.read_text().splitlines()) == sorted(before.read_text().splitlines())


def older(bundle: Path) -> None:
    """Let a bundle have been made by other versions."""
    config = json.loads((bundle / "config.json").read_text())
    config["versions"] |= {"polyzoo": "0.0.9", "torch": "2.0.0"}
    contents = {file: (bundle / file).read_bytes() for file in ("model.safetensors",)}
    contents |= {"config.json": canonical(config), "README.md": card(config).encode()}
    for file, content in {**contents, "manifest.json": manifest(contents)}.items():
        (bundle / file).write_bytes(content)


def test_a_loaded_model_is_the_saved_one(songs: Path, tmp_path: Path) -> None:
    model = zoo.build(TINY)
    model.fit(songs, steps=1, batch=4, device="cpu")
    model.save(tmp_path / "kept")
    again = zoo.load(tmp_path / "kept").model.state_dict()
    for name, weights in model.model.state_dict().items():
        assert torch.equal(again[name], weights)


@pytest.mark.parametrize("words", ["markov velocity=key", TINY])
def test_counting_the_same_music_again_changes_no_count(words: str, songs: Path, tmp_path: Path) -> None:
    model = zoo.build(words)
    model.fit(songs, steps=1, batch=4, device="cpu")
    model.save(tmp_path / "kept")
    once, again = counts(model), zoo.load(tmp_path / "kept")
    again.fit(songs, steps=1, batch=4, device="cpu")
    assert any(count.sum() > 0 for count in once.values())
    for name, count in counts(again).items():
        assert torch.equal(count, once[name]), name


def counts(model: zoo.ZooModel) -> dict[str, torch.Tensor]:
    """Everything whole: counts, and nothing that learns by gradient."""
    state = model.model.state_dict()
    return {name: value.clone() for name, value in state.items() if value.dtype == torch.int64}
