"""`zoo import`: from two files of the original to a bundle that plays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from zoo.cli.main import run
from zoo.model.bundle import load_bundle
from zoo.model.generate import generate
from zoo.model.original import read_original
from zoo.model.original_layers import DECODERS, MODELS


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A whole model and a whole decoder, made up."""
    chance = torch.Generator().manual_seed(0)
    paths = []
    for name, layout in (("model.pt", MODELS[0]), ("decoder.pt", DECODERS[0])):
        weights = {n: torch.randn(w.shape, generator=chance) / 10 for n, w in layout.weights.items()}
        torch.save(weights, tmp_path / name)
        paths.append(str(tmp_path / name))
    return paths


def test_the_bundle_holds_the_weights_and_plays(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", *files, "-o", str(tmp_path / "bundle"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["parts"]["attention"]["name"] == "history"
    assert said["bundle"] == str(tmp_path / "bundle")
    model = load_bundle(tmp_path / "bundle")
    held = model.state_dict()
    assert all(torch.equal(held[name], tensor) for name, tensor in read_original(*files).weights.items())
    (roll,) = generate(model, frames=8)
    assert roll.frames == 8


def test_a_refusal_is_one_line_and_writes_nothing(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(files[0]).write_text("[/] no weights")
    assert run(["import", *files, "-o", str(tmp_path / "bundle")]) == 5
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: model.pt: it is not a torch file of weights alone, or it is damaged\n"
    assert not (tmp_path / "bundle").exists()


def test_the_original_that_is_whole_plays(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "reference" / "original"
    files = [str(folder / "rbm-model.pt"), str(folder / "baseline-decoder.pt")]
    assert run(["import", *files, "-o", str(tmp_path / "bundle")]) == 0
    assert "from rbm-model.pt and baseline-decoder.pt" in capsys.readouterr().out
    (roll,) = generate(load_bundle(tmp_path / "bundle"), frames=64, seed=1)
    assert roll.onset is not None
    assert roll.onset.sum() > 20
