"""Weights as bytes: safetensors with a checksum over every tensor and over what is said about them.

Safetensors has none of its own, so a flipped bit would load in silence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from zoo.errors import BundleError, Problem
from zoo.model.sealed import damaged

HEADER = "zoo"
"""The one entry of a file's metadata; several would come in any order, and bytes would differ."""


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and what is said about them, ready for JSON."""

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
        weights = Weights(load(content), header["about"])
        expected = header["sha256"]
    except Exception as error:  # whatever a parser says of bytes that are not its own
        raise BundleError(damaged("is damaged, cut short, or not a safetensors file", where)) from error
    if _checksum(weights.tensors, weights.about) != expected:
        raise BundleError(damaged("was changed or damaged since it was written", where))
    return weights


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
    problems = [*_differences(module.state_dict(), tensors, where)]
    if problems:
        raise BundleError(*problems)
    module.load_state_dict(dict(tensors))


def _differences(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str
) -> Iterator[Problem]:
    cure = "load it with the versions it was made with, which its config.json names"
    for name in sorted({*expected, *found}):
        if name not in found:
            yield Problem(f"holds no weights {name}", where, cure)
        elif name not in expected:
            yield Problem(f"holds weights {name}, which no part asks for", where, cure)
        elif (expected[name].shape, expected[name].dtype) != (found[name].shape, found[name].dtype):
            wanted, got = _kind(expected[name]), _kind(found[name])
            yield Problem(f"holds weights {name} of {got}, not {wanted}", where, cure)
    for name in not_finite(found):
        yield damaged(f"weights {name} are not all finite numbers", where)


def _kind(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape)) or "one number"
    return f"{shape} ({str(tensor.dtype).removeprefix('torch.')})"


def _checksum(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{json.dumps(about, sort_keys=True)}\n{digest(tensors)}".encode()).hexdigest()
