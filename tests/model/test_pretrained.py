"""Pretrained models: they load by name, score as they did when they were made, and write music at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import zoo
from zoo.cli.main import run
from zoo.measure.evaluator import evaluate
from zoo.model.pretrained import FOLDER, bundle_folder, is_bundle, pretrained_names
from zoo.music.midi import read_midi

NATS = {"bach": 2.45570, "baseline": 2.83827, "pop": 1.45276, "song": 2.60488}
"""Nats per frame, codes and keys, of the sample that comes with each model."""


@pytest.mark.parametrize("name", pretrained_names())
def test_the_sample_is_scored_as_when_the_model_was_made(name: str) -> None:
    model = zoo.load(name)
    corpus = zoo.Corpus.from_rolls([read_midi(FOLDER / name / "sample.mid")])
    evaluation = evaluate(model.model, corpus)
    assert evaluation.figure("codes", "keys").value == pytest.approx(NATS[name], abs=5e-5)


@pytest.mark.parametrize("name", pretrained_names())
def test_the_weights_are_in_half_precision_and_small(name: str) -> None:
    assert sum(file.stat().st_size for file in (FOLDER / name).iterdir()) < 5_000_000
    with safe_open(FOLDER / name / "model.safetensors", "pt") as file:
        dtypes = {key: file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118 - no mapping
    assert {dtypes[key] for key, _ in zoo.load(name).model.named_parameters()} == {"F16"}


def test_all_pretrained_models_have_a_score_here() -> None:
    assert pretrained_names() == sorted(NATS)


@pytest.mark.parametrize("name", ["bach", "baseline"])
def test_chorales_have_no_silent_bars(name: str) -> None:
    for roll in zoo.load(name).generate(frames=256, count=20, seed=1):
        sounding = np.asarray(roll.sounding).reshape(16, 16, 88)
        assert (~sounding.any((1, 2))).sum() <= 1


def test_commands_accept_names_of_pretrained_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["generate", "bach", "-o", "new.mid", "--bars", "2"]) == 0
    assert Path("new.mid").stat().st_size > 100
    assert run(["build", "core=@bach", "decoder=uniform"]) == 0
    capsys.readouterr()
    assert run(["models", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("bach ")
    assert run(["show", "bach"]) == 0
    assert "sha256 of manifest.json" in capsys.readouterr().out


def test_a_folder_of_that_name_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert bundle_folder("bach") == FOLDER / "bach"
    Path("bach").mkdir()
    assert is_bundle("bach"), "a folder of music is no bundle"
    (Path("bach") / "manifest.json").write_text("{}", "utf-8")
    assert bundle_folder("bach") == Path("bach")
