"""`zoo import`: from the files of the original to a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch

from zoo.cli.main import run
from zoo.model.bundle import load_bundle
from zoo.model.generate import generate
from zoo.model.original import MAX_BYTES, read_original
from zoo.model.original_layers import DECODERS, MODELS


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A complete model and a complete decoder with random weights."""
    rng = torch.Generator().manual_seed(0)
    paths = []
    for name, layout in (("model.pt", MODELS[0]), ("decoder.pt", DECODERS[0])):
        weights = {n: torch.randn(w.shape, generator=rng) / 10 for n, w in layout.weights.items()}
        torch.save(weights, tmp_path / name)
        paths.append(str(tmp_path / name))
    return paths


def test_the_bundle_has_the_weights_and_generates(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", *files, "-o", str(tmp_path / "bundle"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["parts"]["attention"]["name"] == "history"
    assert content["bundle"] == str(tmp_path / "bundle")
    model = load_bundle(tmp_path / "bundle")
    weights = model.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in read_original(*files).weights.items())
    (roll,) = generate(model, frames=8)
    assert roll.frames == 8


def test_an_error_is_one_line_and_nothing_is_written(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(files[0]).write_text("[/] no weights")
    assert run(["import", *files, "-o", str(tmp_path / "bundle")]) == 5
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: model.pt: it is not a torch file of weights alone, or it is damaged\n"
    assert not (tmp_path / "bundle").exists()


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_unread(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"weight": torch.zeros(MAX_BYTES // 4)}, tmp_path / "large.pt")
    with ZipFile(tmp_path / "large.pt") as large, ZipFile(files[0], "w", ZIP_DEFLATED) as small:
        for member in large.infolist():
            small.writestr(member.filename, large.read(member))
    assert Path(files[0]).stat().st_size < MAX_BYTES // 100
    assert run(["import", *files, "-o", str(tmp_path / "bundle")]) == 5
    assert "model.pt: its content is larger than 32 MiB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "decoder"),
    [
        ("rbm-model.pt", "baseline-decoder.pt"),
        ("velocity-model.pt", "velocity-decoder.pt"),
        ("latency-model.pt", "velocity-decoder.pt"),
    ],
)
def test_the_complete_original_generates_and_is_evaluated(
    model: str, decoder: str, shared: Path, songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, bundle = shared / "reference" / "original", str(tmp_path / "bundle")
    assert run(["import", str(folder / model), str(folder / decoder), "-o", bundle]) == 0
    assert f"from {model} and {decoder}" in capsys.readouterr().out
    (roll,) = generate(load_bundle(Path(bundle)), frames=64, seed=1)
    assert roll.onset is not None
    assert roll.onset.sum() > 20
    assert roll.velocity is not None
    levels = len(np.unique(roll.velocity[roll.onset]))
    assert levels > 5 if decoder == "velocity-decoder.pt" else levels == 1
    assert run(["evaluate", bundle, f"data={songs}", "samples=0", "--json"]) == 0
    assert "NaN" not in capsys.readouterr().out
