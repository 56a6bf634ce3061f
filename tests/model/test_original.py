"""Import of the weights of the original, and errors for incomplete files."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.errors import BundleError
from zoo.model.original import Original, read_original, restore
from zoo.model.original_layers import DECODERS, MODELS, Layout
from zoo.registry import open_registry

Tensors = dict[str, Tensor]
HISTORY, LATENCY = MODELS
LSTM, RBM, LOUDNESS = DECODERS


def weights(layout: Layout) -> Tensors:
    rng = torch.Generator().manual_seed(0)
    return {name: torch.randn(w.shape, generator=rng) / 10 for name, w in layout.weights.items()}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A complete model and a complete decoder."""
    model, decoder = tmp_path / "model.pt", tmp_path / "decoder.pt"
    torch.save(weights(HISTORY), model)
    torch.save(weights(LSTM), decoder)
    return model, decoder


def refusal(model: Path, decoder: Path) -> list[str]:
    with pytest.raises(BundleError) as error:
        read_original(model, decoder)
    assert error.value.exit_code == 5
    assert all("\n" not in problem.what for problem in error.value.problems)
    return [f"{problem.where}: {problem.what}" for problem in error.value.problems]


def test_every_weight_of_the_baseline_is_assigned(files: tuple[Path, Path]) -> None:
    original = read_original(*files)
    assert original.parts == {
        "encoder": "onset",
        "attention": "history",
        "sampler": "voices",
        "decoder": "lstm",
        "velocity": "none",
    }
    model = restore(original, open_registry())
    assert {name for name, _ in model.named_parameters()} == set(original.weights)
    theirs = weights(HISTORY)["history_reader.read_linear.weight"]
    assert torch.equal(model.state_dict()["attention.weigh.weight"], theirs)
    assert torch.equal(model.state_dict()["decoder.linear.bias"], weights(LSTM)["linear.bias"])


@pytest.mark.parametrize(
    ("layout", "parts"),
    [
        (LATENCY, {"attention": "latency"}),
        (RBM, {"decoder": "rbm"}),
        (LOUDNESS, {"decoder": "rbm-loudness", "velocity": "lstm"}),
    ],
)
def test_other_variants_are_recognized(
    files: tuple[Path, Path], layout: Layout, parts: dict[str, str]
) -> None:
    torch.save(weights(layout), files[layout in DECODERS])
    original = read_original(*files)
    assert original.parts.items() >= parts.items()
    restore(original, open_registry())


def test_an_lstm_of_keys_and_loudness_is_copied_to_both_parts(files: tuple[Path, Path]) -> None:
    tensors = weights(LOUDNESS)
    torch.save(tensors, files[1])
    model = restore(read_original(*files), open_registry())
    restored = model.state_dict()
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        for slot in ("decoder", "velocity"):
            assert torch.equal(restored[f"{slot}.lstm.{name}"], tensors[f"lstm.{name}"])
    assert torch.equal(restored["velocity.linear.weight"], tensors["velocity_linear.weight"])
    assert str(model.recipe).endswith("decoder=rbm-loudness velocity=lstm velocity.struck=false")


def test_a_decoder_with_loudness_but_without_biases_is_an_error(files: tuple[Path, Path]) -> None:
    tensors = weights(LOUDNESS)
    torch.save({name: tensor for name, tensor in tensors.items() if "v_bias" not in name}, files[1])
    assert refusal(*files) == ["decoder.pt: missing layers v_bias_linear"]


def test_a_missing_part_is_named() -> None:
    parts = {"encoder": "onset", "attention": "telepathy", "sampler": "voices"}
    with pytest.raises(BundleError, match="attention=telepathy, which is not installed"):
        restore(Original(parts | {"decoder": "lstm", "velocity": "none"}, {}), open_registry())


def test_incomplete_weights_are_an_error(files: tuple[Path, Path]) -> None:
    original = read_original(*files)
    fewer = {name: tensor for name, tensor in original.weights.items() if "weigh." not in name}
    with pytest.raises(BundleError, match=r"differ from those of the original: attention\.weigh"):
        restore(Original(original.parts, fewer), open_registry())


class Evil:
    """Unpickling this object creates a file, which the test would detect."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("unpickled",)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("[/] a letter"),
        lambda path: path.write_bytes(pickle.dumps(Evil())),
        lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
        lambda path: torch.save({"local_lstm": Evil()}, path),
        lambda path: torch.save(torch.nn.Linear(2, 2), path),
        cut,
    ],
    ids=["empty", "text", "pickle", "zip", "evil", "module", "cut"],
)
def test_an_invalid_file_is_an_error_and_never_unpickled(
    files: tuple[Path, Path], damage: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    damage(files[0])
    assert refusal(*files) == ["model.pt: it is not a torch file of weights alone, or it is damaged"]
    assert not (tmp_path / "unpickled").exists()


def test_a_path_that_is_not_a_regular_file_is_an_error(files: tuple[Path, Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "absent.pt", "."):
        assert refusal(tmp_path / name, files[1])[0].endswith("there is no such file")


def test_a_huge_file_is_an_error_without_reading_it(files: tuple[Path, Path]) -> None:
    with files[0].open("r+b") as file:
        file.truncate(2**40)
    assert refusal(*files) == ["model.pt: it is larger than 32 MiB, too large for a file of the original"]


HUNGRY = b"\x80\x02c__builtin__\nbytearray\n\x8a\x06" + (2**40).to_bytes(6, "little") + b"\x85R."
"""torch unpickles `bytearray(2**40)` even with weights_only=True."""


def archive_of(name: str, pickle: bytes) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, pickle)
        archive.writestr("model/version", "3\n")
    return content.getvalue()


def two_directories() -> bytes:
    """An archive whose last record names the directory of the first; Python reads that before the record."""
    first = archive_of("model/data.pkl", HUNGRY)
    second = archive_of("model/data.txt", b"\x80\x02}.".ljust(len(HUNGRY)))
    return first[:-RECORD] + second[:-RECORD] + first[-RECORD:]


RECORD = 22
"""The length of the record at the end of an archive."""


@pytest.mark.parametrize("format", ["archive", "two directories", "pickles"])
def test_a_pickle_that_requests_memory_is_an_error_without_allocating_it(
    format: str, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hungry = HUNGRY
    if format == "archive":
        files[0].write_bytes(archive_of("model/data.pkl", hungry))
    elif format == "two directories":
        files[0].write_bytes(two_directories())
    else:
        torch.save(weights(HISTORY), files[0], _use_new_zipfile_serialization=False)
        files[0].write_bytes(hungry + files[0].read_bytes())
    loaded: list[bytes] = []

    def load(file: BytesIO, **options: Any) -> Any:
        loaded.append(file.getvalue())
        raise ValueError

    monkeypatch.setattr(torch, "load", load)
    assert refusal(*files)[0] == "model.pt: it is not a torch file of weights alone, or it is damaged"
    assert not any(b"bytearray" in content for content in loaded)


@pytest.mark.parametrize("archive", [True, False])
def test_both_formats_of_torch_are_read(archive: bool, files: tuple[Path, Path]) -> None:
    ordered = OrderedDict(weights(HISTORY))
    ordered["history_reader.read_linear.weight"] = torch.nn.Parameter(
        weights(HISTORY)["history_reader.read_linear.weight"]
    )
    torch.save(ordered, files[0], _use_new_zipfile_serialization=archive)
    assert read_original(*files).parts["attention"] == "history"


def test_a_pickle_of_very_many_instructions_is_an_error(files: tuple[Path, Path]) -> None:
    torch.save({"a": [0] * 200_000}, files[0])
    assert refusal(*files) == ["model.pt: it is not a torch file of weights alone, or it is damaged"]


def change(name: str, value: Any) -> Callable[[Tensors], Any]:
    return lambda tensors: {**tensors, name: value}


def without(prefix: str) -> Callable[[Tensors], Any]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if not name.startswith(prefix)}


BIAS = "sampler.linear.bias"
BIAS_OF_TWO = torch.zeros(2)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (list, "it does not contain a state dict"),
        (lambda tensors: {}, "it does not contain a state dict"),
        (lambda tensors: {"state_dict": tensors}, "it contains more than weights: state_dict"),
        (change("epoch", 3), "it contains more than weights: epoch"),
        (change(BIAS, torch.zeros(24, dtype=torch.int64)), f"it contains more than weights: {BIAS}"),
        (
            change(BIAS, torch.zeros(24).to_sparse()),
            "it is not a torch file of weights alone, or it is damaged",
        ),
        (change(BIAS, torch.zeros(23)), f"{BIAS} has the shape (23,), not (24,)"),
        (change(BIAS, torch.zeros(1).expand(10**12)), f"{BIAS} has the shape ({10**12},), not (24,)"),
        (without("history_reader.read_linear"), "missing layers history_reader.read_linear"),
        (change("capsules.bias", BIAS_OF_TWO), "unknown layers capsules"),
        (without("local_lstm"), "missing layers local_lstm"),
        (change(BIAS, torch.full((24,), torch.nan)), "24 of 328,512 weights are NaN"),
        (change(BIAS, torch.full((24,), torch.inf)), "24 of 328,512 weights are infinite"),
        (
            lambda tensors: {"conv.weight": torch.zeros(2)},
            "the original has no layers named conv",
        ),
        (lambda tensors: weights(LSTM), "it is a decoder"),
    ],
)
def test_other_weights_are_an_error(
    files: tuple[Path, Path], content: Callable[[Tensors], Any], says: str
) -> None:
    torch.save(content(weights(HISTORY)), files[0])
    assert refusal(*files) == [f"model.pt: {says}"]


def test_problems_of_both_files_are_reported_together(files: tuple[Path, Path]) -> None:
    assert refusal(files[1], files[0]) == ["decoder.pt: it is a decoder", "model.pt: it is a model"]


def test_the_published_files_are_recognized(shared: Path) -> None:
    folder = shared / "reference" / "original"
    decoder = folder / "baseline-decoder.pt"
    assert refusal(folder / "baseline-model.pt", decoder) == [
        "baseline-model.pt: all 328,512 weights are NaN"
    ]
    assert refusal(folder / "hierarchical-model.pt", decoder) == [
        "hierarchical-model.pt: it contains only the sampler; the layers of its attention were never saved"
    ]
    result = {
        path.name: read_original(path, decoder).parts["attention"]
        for path in folder.glob("*-model.pt")
        if path.name not in ("baseline-model.pt", "hierarchical-model.pt")
    }
    assert result == {
        "rbm-model.pt": "history",
        "velocity-model.pt": "history",
        "latency-model.pt": "latency",
    }
    decoders = {
        path.name: read_original(folder / "rbm-model.pt", path).parts["decoder"]
        for path in folder.glob("*-decoder.pt")
    }
    assert decoders == {
        "baseline-decoder.pt": "lstm",
        "hierarchical-decoder.pt": "lstm",
        "latency-decoder.pt": "rbm",
        "rbm-decoder.pt": "rbm",
        "velocity-decoder.pt": "rbm-loudness",
    }
