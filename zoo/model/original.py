"""Weights of the original notebook system, moved into the parts that stand for it here.

The original saved two state dicts: a model (attention and sampler) and a decoder. What differs once they
are imported: the original folded only keys 0 to 83, so its weights never heard A7 to C8, while here
all 88 keys take part; and its clock counted frames modulo 64 from the start of every fragment, while here
it counts the bars of the piece (in 4/4 with the same digits). What is learned by counting (note lengths,
the voices' escape) was not part of it and stays as if nothing had been counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.errors import BundleError, Problem, UsageError
from zoo.model.build import build
from zoo.model.model import Model
from zoo.parts import SLOTS, Slot
from zoo.parts.clock import CLOCK
from zoo.registry import Registry, parse_recipe

CLOCK_COLUMNS = (0, 1, 3, 4, 5, 6)
"""Where the six digits of the frame's number modulo 64 stand among `Clock.features` in bars of 4/4."""
LARGEST = 32 * 2**20
"""Bytes; the original's files have less than 2 MB."""


@dataclass(frozen=True)
class Weight:
    """Where one tensor of the original belongs in a model here, and the shape it must have.

    Attributes:
        ours: its name here.
        shape: of the original.
        hears_clock: whether its columns are the codes and the original's clock of 6 digits, which become
            those of `Clock.features`.
    """

    ours: str
    shape: tuple[int, ...]
    hears_clock: bool = False

    def moved(self, tensor: Tensor) -> Tensor:
        """The tensor as it stands here: what the original's clock did not tell has no weight."""
        if not self.hears_clock:
            return tensor.float()
        codes = tensor.shape[1] - len(CLOCK_COLUMNS)
        wide = tensor.new_zeros(len(tensor), codes + CLOCK, dtype=torch.float32)
        wide[:, :codes] = tensor[:, :codes]
        wide[:, [codes + column for column in CLOCK_COLUMNS]] = tensor[:, codes:].float()
        return wide


Weights = Mapping[str, Weight]


@dataclass(frozen=True)
class Layout:
    """One kind of file the original wrote: the parts it stands for, and every tensor in it by name."""

    parts: Mapping[Slot, str]
    weights: Weights


@dataclass(frozen=True)
class Original:
    """Weights of the original under the names they have here.

    Attributes:
        parts: the parts they belong to, slot -> name.
        weights: by name in a model's state dict, float32.
    """

    parts: Mapping[Slot, str]
    weights: Mapping[str, Tensor]


def _lstm(theirs: str, ours: str, inputs: int, hidden: int, *, hears_clock: bool = False) -> Weights:
    shapes = {
        "weight_ih_l0": (4 * hidden, inputs),
        "weight_hh_l0": (4 * hidden, hidden),
        "bias_ih_l0": (4 * hidden,),
        "bias_hh_l0": (4 * hidden,),
    }
    return {
        f"{theirs}.{name}": Weight(f"{ours}.{name}", shape, hears_clock and name == "weight_ih_l0")
        for name, shape in shapes.items()
    }


def _cell(theirs: str, ours: str, inputs: int, hidden: int) -> Weights:
    """An LSTM there that is a cell here, walked frame by frame: its names carry no layer."""
    return {
        name: replace(weight, ours=weight.ours.removesuffix("_l0"))
        for name, weight in _lstm(theirs, ours, inputs, hidden, hears_clock=True).items()
    }


def _linear(theirs: str, ours: str, inputs: int, outputs: int) -> Weights:
    return {
        f"{theirs}.weight": Weight(f"{ours}.weight", (outputs, inputs)),
        f"{theirs}.bias": Weight(f"{ours}.bias", (outputs,)),
    }


SAMPLER: Weights = {
    **_lstm("sampler.lstm", "sampler.lstm", 130 + 24, 100),
    **_linear("sampler.linear", "sampler.linear", 100, 24),
}

MODELS = (
    Layout(
        {"attention": "history", "sampler": "voices"},
        {
            **_lstm("local_lstm", "attention.local", 18, 100, hears_clock=True),
            **_lstm("history_reader.read_lstm", "attention.reader", 18, 100, hears_clock=True),
            **_linear("history_reader.read_linear", "attention.weigh", 100, 8),
            **_lstm("aggregation_lstm", "attention.aggregation", 112, 130),
            **SAMPLER,
        },
    ),
    Layout(
        {"attention": "latency", "sampler": "voices"},
        {
            **_cell("latency_lstm.lstm", "attention.lines.cell", 18, 216),
            **_lstm("aggregation_lstm", "attention.aggregation", 216, 130),
            **SAMPLER,
        },
    ),
)

DECODERS = (
    Layout(
        {"decoder": "lstm"},
        {**_lstm("lstm", "decoder.lstm", 100, 100), **_linear("linear", "decoder.linear", 100, 88)},
    ),
    Layout(
        {"decoder": "rbm"},
        {
            "W": Weight("decoder.weight", (36, 88)),
            **_lstm("lstm", "decoder.lstm", 100, 100),
            **_linear("v_bias_linear", "decoder.visible", 100, 88),
            **_linear("h_bias_linear", "decoder.hidden", 100, 36),
        },
    ),
)

LOUDNESS = "velocity_linear.weight"
"""In the original's decoders that also played loudly and softly."""


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
                    cure=f"install the plugin that has it; `zoo list {slot}` shows what there is",
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


def _refusal(path: Path, what: str, cure: str = "") -> BundleError:
    return BundleError(Problem(what, path.name, cure))


def _layers(names: Iterable[str]) -> list[str]:
    """The layers that tensors belong to, each once."""
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))


def _list(words: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    every = list(words)
    more = f" and {len(every) - 4} more" if len(every) > 4 else ""
    return ", ".join(every[:4]) + more
