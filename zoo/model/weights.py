"""Weights as bytes: safetensors with a checksum over every tensor and its metadata.

Safetensors has none of its own, so a flipped bit would load in silence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from zoo.errors import BundleError, Problem
from zoo.limits import read_bytes
from zoo.model.sealed import damaged

HEADER = "zoo"
"""The one entry of a file's metadata; several would come in any order, and bytes would differ."""


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and metadata that is ready for JSON."""

    tensors: dict[str, Tensor]
    about: dict[str, Any]


def pack(weights: Weights) -> bytes:
    """The content of a safetensors file; the same weights give the same bytes."""
    # A tensor that is registered twice is written twice: safetensors refuses shared memory.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.tensors.items()}
    header = {"about": weights.about, "sha256": _checksum(tensors, weights.about)}
    return bytes(save(tensors, {HEADER: json.dumps(header, sort_keys=True)}))


def unpack(content: bytes, where: str) -> Weights:
    """The weights in the content of a file, exactly as they were packed.

    Raises:
        BundleError: it is another kind of file, or was damaged, cut or changed.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
        weights = Weights(load(content), dict(header["about"]))
        expected = header["sha256"]
    except Exception as error:  # whatever a parser says of bytes that are not its own
        raise BundleError(damaged("is damaged, cut short, or not a safetensors file", where)) from error
    if _checksum(weights.tensors, weights.about) != expected:
        raise BundleError(damaged("was changed or damaged since it was written", where))
    return weights


def read_weights(path: Path, kind: Literal["weights", "checkpoint"], most: int | None = None) -> Weights:
    """The weights in a file, exactly as they were packed.

    Args:
        path: the file.
        kind: of a bundle, or of a run.
        most: bytes, where fewer are known to be enough than the limit of its kind.

    Raises:
        BundleError: it cannot be read, is too large, is another kind of file, or was damaged, cut or changed.
    """
    try:
        content = read_bytes(path, kind, most)
    except OSError as error:
        raise BundleError(damaged(f"cannot be read: {error.strerror}", str(path))) from error
    return unpack(content, str(path))


def check_shapes(path: Path, expected: Mapping[str, Tensor], part: str = "") -> None:
    """Refuse a file of weights by its header, before memory is taken for it or for a model that does not fit.

    Args:
        path: the file.
        expected: the weights of the model, which may be on the meta device.
        part: what they are called where they are those of one part only, and the file may hold others.

    Raises:
        BundleError: it holds other weights than the model asks for, or is no such file.
    """
    try:
        with safe_open(path, "pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
    except Exception as error:  # whatever a parser says of bytes that are not its own
        raise BundleError(damaged("is damaged, cut short, or not a safetensors file", str(path))) from error
    found = {
        name: torch.empty(shape, dtype=expected[name].dtype if name in expected else None, device="meta")
        for name, shape in shapes.items()
        if not part or name in expected
    }
    if problems := [*_mismatches(expected, found, part or str(path))]:
        raise BundleError(*problems)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and values: equal digests, equal weights."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that hold a value which is not a finite number."""
    return [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]


def restore(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give a module its weights, all of them and no others.

    Raises:
        BundleError: names, shapes or types differ, or a value is not finite; the module is untouched.
    """
    problems = [*_mismatches(module.state_dict(), tensors, where)]
    bad = not_finite(tensors)
    problems += [damaged(f"weights {name} are not all finite numbers", where) for name in bad]
    if problems:
        raise BundleError(*problems)
    module.load_state_dict(dict(tensors))


def _mismatches(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> Iterator[Problem]:
    hint = "load it with the versions it was made with, which its config.json names"
    for name in sorted({*expected, *found}):
        if name not in found:
            yield Problem(f"holds no weights {name}", where, hint)
        elif name not in expected:
            yield Problem(f"holds weights {name}, which no part asks for", where, hint)
        elif (expected[name].shape, expected[name].dtype) != (found[name].shape, found[name].dtype):
            wanted, got = _kind(expected[name]), _kind(found[name])
            yield Problem(f"holds weights {name} of {got}, not {wanted}", where, hint)


def _kind(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape)) or "one number"
    return f"{shape} ({str(tensor.dtype).removeprefix('torch.')})"


def _checksum(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{json.dumps(about, sort_keys=True)}\n{digest(tensors)}".encode()).hexdigest()
