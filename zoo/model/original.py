"""Import the weights of the original notebook system into the parts that reimplement it.

The original saved two state dicts: a model (attention and sampler) and a decoder. One LSTM of its last
decoders predicts both keys and loudness; here decoder and velocity each have a copy of this LSTM.

Imported weights behave differently in four respects. The original folded only keys 0 to 83, so its weights
were never trained on A7 to C8; here all 88 keys are modelled. Its clock counted frames modulo 64 from the
start of each fragment; here the clock follows the bars of the piece, with the same digits in 4/4. Its
loudness was velocity / 128; here it is velocity / 127. It counted nothing, so note lengths, the escape
probability of the voices and the spread of velocities keep their initial values.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import repeat
from pathlib import Path
from pickletools import genops
from typing import IO, Any

import torch
from torch import Tensor

from zoo.errors import BundleError, Problem, UsageError
from zoo.model.build import build
from zoo.model.model import Model
from zoo.model.original_layers import DECODERS, MODELS, SAMPLER, Layout
from zoo.parts import SLOTS, Slot
from zoo.registry import Registry, parse_recipe

MAX_BYTES = 32 * 2**20
"""The original's files have less than 2 MB."""
ZIP = b"PK\x03\x04"
"""The first bytes of a file that torch reads as a zip archive."""
OF_WEIGHTS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor(_v2)?|parameter)|torch \w+Storage"
)
"""What the pickle of a state dict names. torch also accepts others, such as `bytearray(2**40)`."""
MAX_INSTRUCTIONS = 100_000
"""Maximum number of instructions of a pickle; those of the original have about 1,000."""


@dataclass(frozen=True)
class Original:
    """Weights of the original, renamed for a model of this package.

    Attributes:
        parts: slot -> name of the part that the weights belong to.
        weights: name in the model's state dict -> tensor, float32.
        settings: settings of the parts that are not the defaults, as words of a recipe.
    """

    parts: Mapping[Slot, str]
    weights: Mapping[str, Tensor]
    settings: tuple[str, ...] = ()


def read_original(model: str | Path, decoder: str | Path) -> Original:
    """Read a model and a decoder of the original, with `weights_only=True`, so that no code is run.

    Raises:
        BundleError: a file is not one of the original, layers are missing, or weights are not finite; holds
            the problems of both files.
    """
    parts: dict[Slot, str] = {"encoder": "onset", "velocity": "none"}
    weights: dict[str, Tensor] = {}
    settings: list[str] = []
    problems: list[Problem] = []
    for path, layouts in ((Path(model), MODELS), (Path(decoder), DECODERS)):
        try:
            tensors = _read(path)
            layout = _layout_of(path, tensors, layouts)
            _check(path, tensors, layout)
        except BundleError as error:
            problems.extend(error.problems)
            continue
        parts.update(layout.parts)
        settings.extend(layout.settings)
        for name, spec in layout.weights.items():
            weights.update(dict.fromkeys(spec.ours, spec.converted(tensors[name])))
    if problems:
        raise BundleError(*problems)
    return Original(parts, weights, tuple(settings))


def restore(original: Original, registry: Registry) -> Model:
    """Build a model of the parts that the weights belong to, and load them.

    Raises:
        BundleError: a part is not registered, or its layers are not those of the original.
    """
    missing = [slot for slot in SLOTS if not _registered(registry, slot, original.parts[slot])]
    if missing:
        raise BundleError(
            *(
                Problem(
                    f"the weights belong to {slot}={original.parts[slot]}, which is not installed",
                    hint=f"install the plugin that offers it; `zoo list {slot}` lists the installed parts",
                )
                for slot in missing
            )
        )
    parts = [f"{slot}={original.parts[slot]}" for slot in SLOTS]
    model = build(parse_recipe([*parts, *original.settings], registry))
    expected = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    given = {name: tuple(tensor.shape) for name, tensor in original.weights.items()}
    if expected != given:
        different = sorted(name for name, _ in expected.items() ^ given.items())
        raise BundleError(Problem(f"layers differ from those of the original: {_list(_layers(different))}"))
    model.load_state_dict({**model.state_dict(), **original.weights})
    return model


def _registered(registry: Registry, slot: Slot, name: str) -> bool:
    try:
        registry.find(slot, name)
    except UsageError:
        return False
    return True


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise _refusal(path, "there is no such file")
    limit = MAX_BYTES // 2**20
    if path.stat().st_size > MAX_BYTES:
        raise _refusal(path, f"it is larger than {limit} MiB, too large for a file of the original")
    try:
        file = BytesIO(path.read_bytes())
        # torch also reads compressed archives, with which a small file could fill the memory.
        is_too_large = _unpacked_bytes(file) > MAX_BYTES
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not is_too_large:
                file = _repacked(file)
                _check_pickles(file)
            content: Any = None if is_too_large else torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many types of errors for damaged files
        raise _refusal(path, "it is not a torch file of weights alone, or it is damaged") from error
    if is_too_large:
        raise _refusal(path, f"its content is larger than {limit} MiB, too large for a file of the original")
    if not isinstance(content, Mapping) or not content:
        raise _refusal(path, "it does not contain a state dict")
    unexpected = [str(name) for name, value in content.items() if not _is_weight(name, value)]
    if unexpected:
        raise _refusal(path, f"it contains more than weights: {_list(unexpected)}")
    return content


def _is_zip(file: BytesIO) -> bool:
    """Whether a file is a zip archive, the format of torch since version 1.6."""
    return file.getbuffer()[: len(ZIP)] == ZIP


def _unpacked_bytes(file: BytesIO) -> int:
    """The size of the content of a zip archive; 0 for other files."""
    if not _is_zip(file):
        return 0
    with zipfile.ZipFile(file) as archive:
        return sum(member.file_size for member in archive.infolist())


def _repacked(file: BytesIO) -> BytesIO:
    """The same archive as Python reads it; other files are returned as they are.

    Of an archive that contains another one, torch may read other members than those that were checked.
    """
    if not _is_zip(file):
        return file
    copy = BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w") as repacked:
        for member in archive.infolist():
            repacked.writestr(zipfile.ZipInfo(member.filename), archive.read(member))
    copy.seek(0)
    return copy


def _check_pickles(file: BytesIO) -> None:
    """Check that a file names nothing but tensors, before torch allocates memory for what it names.

    Raises:
        ValueError: it names more, or is not a pickle.
    """
    for pickle in _pickles(file):
        for number, (instruction, argument, _) in enumerate(genops(pickle)):
            names_more = "GLOBAL" in instruction.name and not OF_WEIGHTS.fullmatch(str(argument))
            if names_more or number == MAX_INSTRUCTIONS:
                raise ValueError(f"{instruction.name} {argument}")
    file.seek(0)


def _pickles(file: BytesIO) -> Iterator[IO[bytes]]:
    """The pickles in a file of torch: members of a zip archive, or the first five in a row."""
    if not _is_zip(file):
        yield from repeat(file, 5)
        return
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.filename.lower().endswith(".pkl"):
                yield BytesIO(archive.read(member))


def _is_weight(name: Any, value: Any) -> bool:
    return (
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.is_floating_point()
    )


def _layout_of(path: Path, tensors: Mapping[str, Tensor], layouts: Sequence[Layout]) -> Layout:
    """The layout that shares most names with a file."""
    if all(name in SAMPLER for name in tensors):
        raise _refusal(
            path,
            "it contains only the sampler; the layers of its attention were never saved",
            "the original did not register them, so they were never trained either; use another model",
        )
    best = max((*MODELS, *DECODERS), key=lambda layout: len(layout.weights.keys() & tensors.keys()))
    if not best.weights.keys() & tensors.keys():
        raise _refusal(path, f"the original has no layers named {_list(_layers(tensors))}")
    if best not in layouts:
        order = "give the model first, then the decoder"
        raise _refusal(path, "it is a decoder" if best in DECODERS else "it is a model", order)
    return best


def _check(path: Path, tensors: Mapping[str, Tensor], layout: Layout) -> None:
    """Raise an error unless the tensors have the names and shapes of the layout and are finite."""
    missing = [name for name in layout.weights if name not in tensors]
    unknown = [name for name in tensors if name not in layout.weights]
    if missing or unknown:
        lacks = f"missing layers {_list(_layers(missing))}" if missing else ""
        extra = f"unknown layers {_list(_layers(unknown))}" if unknown else ""
        raise _refusal(path, "; ".join(filter(None, (lacks, extra))))
    mismatches = [
        f"{name} has the shape {tuple(tensors[name].shape)}, not {spec.shape}"
        for name, spec in layout.weights.items()
        if tuple(tensors[name].shape) != spec.shape
    ]
    if mismatches:
        raise _refusal(path, _list(mismatches))
    _require_finite(path, tensors)


def _require_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    weights = sum(tensor.numel() for tensor in tensors.values())
    nans = sum(int(tensor.isnan().sum()) for tensor in tensors.values())
    infinite = sum(int(tensor.isinf().sum()) for tensor in tensors.values())
    if nans or infinite:
        share = "all" if nans == weights else f"{nans + infinite:,} of"
        kind = "infinite" if not nans else "NaN or infinite" if infinite else "NaN"
        raise _refusal(
            path,
            f"{share} {weights:,} weights are {kind}",
            "its training overflowed, and the weights cannot be recovered; use another model",
        )


def _refusal(path: Path, what: str, hint: str = "") -> BundleError:
    return BundleError(Problem(what, path.name, hint))


def _layers(names: Iterable[str]) -> list[str]:
    """The layers that tensors belong to, without duplicates."""
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))


def _list(words: Iterable[str]) -> str:
    """The first four words and the number of the others."""
    every = list(words)
    more = f" and {len(every) - 4} more" if len(every) > 4 else ""
    return ", ".join(every[:4]) + more
