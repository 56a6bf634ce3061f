"""Weights of the original notebook system, moved into the parts that stand for it here.

The original saved two state dicts: a model (attention and sampler) and a decoder. What differs once they
are imported: the original folded only keys 0 to 83, so its weights were never trained on A7 to C8, while here
all 88 keys take part; and its clock counted frames modulo 64 from the start of every fragment, while here
it counts the bars of the piece (in 4/4 with the same digits). What is learned by counting (note lengths,
the voices' escape) was not part of it and stays as if nothing had been counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.errors import BundleError, Problem, UsageError
from zoo.model.build import build
from zoo.model.model import Model
from zoo.model.original_layers import DECODERS, MODELS, SAMPLER, Layout
from zoo.parts import SLOTS, Slot
from zoo.registry import Registry, parse_recipe

LOUDNESS = "velocity_linear.weight"
"""In the original's decoders that also played loudly and softly."""
LARGEST = 32 * 2**20
"""Bytes; the original's files have less than 2 MB."""


@dataclass(frozen=True)
class Original:
    """Weights of the original under the names they have here.

    Attributes:
        parts: the parts they belong to, slot -> name.
        weights: by name in a model's state dict, float32.
    """

    parts: Mapping[Slot, str]
    weights: Mapping[str, Tensor]


def read_original(model: str | Path, decoder: str | Path) -> Original:
    """Read the two files, each with torch's reader of plain weights, which runs nothing.

    Raises:
        BundleError: a file is not the original's, lacks layers, or holds weights that are not numbers;
            the problems of both files.
    """
    parts: dict[Slot, str] = {"encoder": "onset", "velocity": "none"}
    weights: dict[str, Tensor] = {}
    problems: list[Problem] = []
    for path, layouts in ((Path(model), MODELS), (Path(decoder), DECODERS)):
        try:
            tensors = _read(path)
            layout = _recognise(path, tensors, layouts)
            _check(path, tensors, layout)
        except BundleError as error:
            problems.extend(error.problems)
            continue
        parts.update(layout.parts)
        weights.update({place.ours: place.moved(tensors[name]) for name, place in layout.weights.items()})
    if problems:
        raise BundleError(*problems)
    return Original(parts, weights)


def restore(original: Original, registry: Registry) -> Model:
    """A model of the parts that the weights belong to, holding them.

    Raises:
        BundleError: a part is not registered, or its layers are not those of the original.
    """
    missing = [slot for slot in SLOTS if not _registered(registry, slot, original.parts[slot])]
    if missing:
        raise BundleError(
            *(
                Problem(
                    f"the weights belong to {slot}={original.parts[slot]}, and there is no such part",
                    hint=f"install the plugin that has it; `zoo list {slot}` shows what there is",
                )
                for slot in missing
            )
        )
    model = build(parse_recipe([f"{slot}={original.parts[slot]}" for slot in SLOTS], registry))
    expected = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    given = {name: tuple(tensor.shape) for name, tensor in original.weights.items()}
    if expected != given:
        differ = sorted(name for name, _ in expected.items() ^ given.items())
        raise BundleError(Problem(f"these layers are not those of the original: {_list(_layers(differ))}"))
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
    if path.stat().st_size > LARGEST:
        raise _refusal(path, f"it is larger than {LARGEST // 2**20} MiB, which no file of the original is")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a reader of damaged files raises whatever it stumbles over
        raise _refusal(path, "it is not a file of plain torch weights, or it is damaged") from error
    if not isinstance(found, Mapping) or not found:
        raise _refusal(path, f"it holds {type(found).__name__}, not weights by name")
    strange = [str(name) for name, value in found.items() if not _is_weight(name, value)]
    if strange:
        raise _refusal(path, f"it holds more than weights by name: {_list(strange)}")
    return found


def _is_weight(name: Any, value: Any) -> bool:
    return (
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.is_floating_point()
    )


def _recognise(path: Path, tensors: Mapping[str, Tensor], layouts: Sequence[Layout]) -> Layout:
    """The kind of file that shares most names with this one."""
    if LOUDNESS in tensors:
        raise _refusal(
            path,
            "one LSTM in it makes both keys and loudness, from loudness; here no two parts share one",
            "take a decoder without loudness, such as baseline-decoder.pt",
        )
    if all(name in SAMPLER for name in tensors):
        raise _refusal(
            path,
            "it holds the sampler alone, the layers of its attention were never saved",
            "the original did not register them, so they were not trained either; take another model",
        )
    best = max((*MODELS, *DECODERS), key=lambda layout: len(layout.weights.keys() & tensors.keys()))
    if not best.weights.keys() & tensors.keys():
        raise _refusal(path, f"it is not of the original, whose layers are not {_list(_layers(tensors))}")
    if best not in layouts:
        order = "the model comes first, then the decoder"
        raise _refusal(path, "it is a decoder" if best in DECODERS else "it is a model", order)
    return best


def _check(path: Path, tensors: Mapping[str, Tensor], layout: Layout) -> None:
    """Raise whatever keeps the tensors from being those of the layout."""
    missing = [name for name in layout.weights if name not in tensors]
    unknown = [name for name in tensors if name not in layout.weights]
    if missing or unknown:
        lacks = f"it lacks {_list(_layers(missing))}" if missing else ""
        has = f"it has {_list(_layers(unknown))}, which the original has not" if unknown else ""
        raise _refusal(path, "; ".join(filter(None, (lacks, has))))
    wrong = [
        f"{name} is {tuple(tensors[name].shape)} and not {place.shape}"
        for name, place in layout.weights.items()
        if tuple(tensors[name].shape) != place.shape
    ]
    if wrong:
        raise _refusal(path, _list(wrong))
    _check_numbers(path, tensors)


def _check_numbers(path: Path, tensors: Mapping[str, Tensor]) -> None:
    weights = sum(tensor.numel() for tensor in tensors.values())
    nans = sum(int(tensor.isnan().sum()) for tensor in tensors.values())
    infinite = sum(int(tensor.isinf().sum()) for tensor in tensors.values())
    if nans or infinite:
        share = "all" if nans == weights else f"{nans + infinite:,} of"
        kind = "infinite" if not nans else "NaN or infinite" if infinite else "NaN"
        raise _refusal(
            path,
            f"{share} {weights:,} weights are {kind}",
            "its training had overflowed and nothing brings it back; take another model",
        )


def _refusal(path: Path, what: str, hint: str = "") -> BundleError:
    return BundleError(Problem(what, path.name, hint))


def _layers(names: Iterable[str]) -> list[str]:
    """The layers that tensors belong to, each once."""
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))


def _list(words: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    every = list(words)
    more = f" and {len(every) - 4} more" if len(every) > 4 else ""
    return ", ".join(every[:4]) + more
