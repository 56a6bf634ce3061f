"""Weights as safetensors files, with a checksum over all tensors and metadata.

Safetensors itself has no checksum, so a flipped bit would load silently.
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

from zoo.errors import BundleError, NonFiniteError, Problem, UsageError
from zoo.limits import check_file, read_bytes
from zoo.model.half import widened
from zoo.model.sealed import damaged

HEADER = "zoo"
"""The only metadata entry of a file: the order of several entries is not fixed, so the bytes would vary."""


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and metadata as JSON values."""

    tensors: dict[str, Tensor]
    about: dict[str, Any]


def pack(weights: Weights) -> bytes:
    """The content of a safetensors file; the same weights give the same bytes."""
    # safetensors rejects tensors that share memory, so a tensor that is registered twice is cloned.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.tensors.items()}
    header = {"about": weights.about, "sha256": _checksum(tensors, weights.about)}
    return bytes(save(tensors, {HEADER: json.dumps(header, sort_keys=True)}))


def unpack(content: bytes, where: str) -> Weights:
    """Restore weights from the content of a file, exactly as they were packed.

    Args:
        content: the bytes of the file.
        where: the file, for error messages.

    Raises:
        BundleError: the content is not of such a file, or is damaged, truncated or changed.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
        weights = Weights(load(content), dict(header["about"]))
        expected = header["sha256"]
    except Exception as error:  # the parsers raise many types of errors for invalid bytes
        raise BundleError(damaged("is damaged, truncated, or not a safetensors file", where)) from error
    if _checksum(weights.tensors, weights.about) != expected:
        raise BundleError(damaged("was changed or damaged since it was written", where))
    return weights


def read_weights(path: Path, kind: Literal["weights", "checkpoint"], most: int | None = None) -> Weights:
    """Read weights from a file, exactly as they were packed.

    Args:
        path: the file.
        kind: `weights` of a bundle or `checkpoint` of a run, which have different size limits.
        most: maximum size in bytes, if a lower limit than that of its kind is known.

    Raises:
        BundleError: the file cannot be read, is too large, is not such a file, or is damaged, truncated or
            changed.
    """
    try:
        content = read_bytes(path, kind, most)
    except OSError as error:
        raise BundleError(damaged(f"cannot be read: {error.strerror}", str(path))) from error
    return unpack(content, str(path))


def check_shapes(path: Path, expected: Mapping[str, Tensor], part: str = "") -> None:
    """Check the names, shapes and dtypes in the header of a file, before allocating any memory for it.

    Args:
        path: the file.
        expected: the weights of the model, which may be on the meta device.
        part: name of a part in error messages, if `expected` has only its weights; others are then ignored.

    Raises:
        BundleError: the weights do not match, or it is not a safetensors file.
    """
    try:
        check_file(path, "checkpoint")
        # As numpy, since torch does not open a path that is not UTF-8.
        with safe_open(path, "np") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
    except Exception as error:  # the parsers raise many types of errors for invalid bytes
        raise BundleError(damaged("is damaged, truncated, or not a safetensors file", str(path))) from error
    stored = {
        name: torch.empty(shape, dtype=expected[name].dtype if name in expected else None, device="meta")
        for name, shape in shapes.items()
        if not part or name in expected
    }
    if problems := [*_mismatches(expected, stored, part or str(path))]:
        raise BundleError(*problems)


def check_readable(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Check that weights can be loaded again, before a good bundle is replaced by them.

    Args:
        tensors: the weights to be stored.
        expected: those of the same model when it is built.
        where: the bundle, for error messages.

    Raises:
        UsageError: names, shapes or dtypes differ; float16 in place of float32 is read.
    """
    hint = "save weights of the recipe in float32, as of model.model.float(); half=True stores them in half"
    if problems := [*_mismatches(expected, widened(tensors, expected), where, hint)]:
        raise UsageError(*problems)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of names, dtypes, shapes and values; equal weights have equal digests."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha256.hexdigest()


def model_digest(model: torch.nn.Module) -> str:
    """The first digits of the digest of all weights, which tell models of the same name apart."""
    return digest(model.state_dict())[:12]


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of tensors with values that are not finite."""
    return [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]


def check_finite(tensors: Mapping[str, Tensor], where: str, state: str = "finite", hint: str = "") -> None:
    """Check weights before they are saved.

    Args:
        tensors: the weights.
        where: where they would be saved, for error messages.
        state: what they must be, in words.
        hint: what to do if they are not.

    Raises:
        NonFiniteError: a value is not finite.
    """
    if bad := not_finite(tensors):
        what = f"weights {', '.join(bad)} are not all {state}, so they are not saved"
        raise NonFiniteError(Problem(what, where, hint))


def restore(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Load weights into a module, which must have exactly these.

    Args:
        module: the module.
        tensors: all its weights, by name; float16 where the module has float32 is converted.
        where: where the weights come from, for error messages.

    Raises:
        BundleError: names, shapes or dtypes differ, or a value is not finite; the module is unchanged.
    """
    expected = module.state_dict()
    tensors = widened(tensors, expected)
    check_fits(tensors, expected, where)
    module.load_state_dict(tensors)


def check_fits(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Check that tensors have the names, shapes and dtypes of others, and that their values are finite.

    Args:
        tensors: the tensors, by name.
        expected: tensors of the right names, shapes and dtypes.
        where: where the tensors come from, for error messages.

    Raises:
        BundleError: they do not; holds all problems.
    """
    problems = [*_mismatches(expected, tensors, where)]
    # torch cannot compute with all dtypes that a file can contain, such as float8.
    computable = {n: t for n, t in tensors.items() if n in expected and t.dtype == expected[n].dtype}
    problems += [damaged(f"weights {name} are not all finite", where) for name in not_finite(computable)]
    if problems:
        raise BundleError(*problems)


def _mismatches(
    expected: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    where: str,
    hint: str = "load it with the versions that wrote it; config.json names them",
) -> Iterator[Problem]:
    for name in sorted({*expected, *stored}):
        if name not in stored:
            yield Problem(f"weights {name} are missing", where, hint)
        elif name not in expected:
            yield Problem(f"unexpected weights {name}", where, hint)
        elif (expected[name].shape, expected[name].dtype) != (stored[name].shape, stored[name].dtype):
            right, wrong = _shape_and_dtype(expected[name]), _shape_and_dtype(stored[name])
            yield Problem(f"weights {name} are {wrong}, not {right}", where, hint)


def _shape_and_dtype(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape)) or "scalar"
    return f"{shape} ({str(tensor.dtype).removeprefix('torch.')})"


def _checksum(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{json.dumps(about, sort_keys=True)}\n{digest(tensors)}".encode()).hexdigest()
