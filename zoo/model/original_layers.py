"""The tensors in the original's files, and their names in a model of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.parts import Slot
from zoo.parts.clock import CLOCK

CLOCK_COLUMNS = (0, 1, 3, 4, 5, 6)
"""The columns of `Clock.features` that, in 4/4, equal the original's clock: the binary digits of the frame
number modulo 64."""


@dataclass(frozen=True)
class Weight:
    """A tensor of the original, and the parameters of a model here that it becomes.

    Attributes:
        ours: names of the parameters.
        shape: shape of the original tensor.
        hears_clock: whether its columns are the codes followed by the original's clock of 6 digits, instead
            of the codes followed by `Clock.features`.
    """

    ours: tuple[str, ...]
    shape: tuple[int, ...]
    hears_clock: bool = False

    def converted(self, tensor: Tensor) -> Tensor:
        """The value of the parameter; clock features that the original did not have get weight 0."""
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
    """A type of file that the original wrote: the parts it contains, and all its tensors by name.

    Attributes:
        parts: slot -> name of the part.
        weights: name in the file -> the parameters that the tensor becomes.
        settings: settings of the parts that are not the defaults, as words of a recipe.
    """

    parts: Mapping[Slot, str]
    weights: Weights
    settings: tuple[str, ...] = ()


def _lstm(theirs: str, *ours: str, inputs: int, hidden: int, hears_clock: bool = False) -> Weights:
    shapes = {
        "weight_ih_l0": (4 * hidden, inputs),
        "weight_hh_l0": (4 * hidden, hidden),
        "bias_ih_l0": (4 * hidden,),
        "bias_hh_l0": (4 * hidden,),
    }
    return {
        f"{theirs}.{name}": Weight(
            tuple(f"{layer}.{name}" for layer in ours), shape, hears_clock and name == "weight_ih_l0"
        )
        for name, shape in shapes.items()
    }


def _cell(theirs: str, ours: str, inputs: int, hidden: int) -> Weights:
    """An LSTM of the original that is an LSTMCell here; parameters of cells have no layer suffix."""
    return {
        name: replace(weight, ours=tuple(parameter.removesuffix("_l0") for parameter in weight.ours))
        for name, weight in _lstm(theirs, ours, inputs=inputs, hidden=hidden, hears_clock=True).items()
    }


def _linear(theirs: str, ours: str, inputs: int, outputs: int) -> Weights:
    return {
        f"{theirs}.weight": Weight((f"{ours}.weight",), (outputs, inputs)),
        f"{theirs}.bias": Weight((f"{ours}.bias",), (outputs,)),
    }


SAMPLER: Weights = {
    **_lstm("sampler.lstm", "sampler.lstm", inputs=130 + 24, hidden=100),
    **_linear("sampler.linear", "sampler.linear", 100, 24),
}

MODELS = (
    Layout(
        {"attention": "history", "sampler": "voices"},
        {
            **_lstm("local_lstm", "attention.local", inputs=18, hidden=100, hears_clock=True),
            **_lstm("history_reader.read_lstm", "attention.reader", inputs=18, hidden=100, hears_clock=True),
            **_linear("history_reader.read_linear", "attention.weigh", 100, 8),
            **_lstm("aggregation_lstm", "attention.aggregation", inputs=112, hidden=130),
            **SAMPLER,
        },
    ),
    Layout(
        {"attention": "latency", "sampler": "voices"},
        {
            **_cell("latency_lstm.lstm", "attention.lines.cell", 18, 216),
            **_lstm("aggregation_lstm", "attention.aggregation", inputs=216, hidden=130),
            **SAMPLER,
        },
    ),
)

BIASES: Weights = {
    "W": Weight(("decoder.weight",), (36, 88)),
    **_linear("v_bias_linear", "decoder.visible", 100, 88),
    **_linear("h_bias_linear", "decoder.hidden", 100, 36),
}

DECODERS = (
    Layout(
        {"decoder": "lstm"},
        {
            **_lstm("lstm", "decoder.lstm", inputs=100, hidden=100),
            **_linear("linear", "decoder.linear", 100, 88),
        },
    ),
    Layout({"decoder": "rbm"}, {**_lstm("lstm", "decoder.lstm", inputs=100, hidden=100), **BIASES}),
    Layout(
        {"decoder": "rbm-loudness", "velocity": "lstm"},
        {
            **_lstm("lstm", "decoder.lstm", "velocity.lstm", inputs=100, hidden=100),
            **_linear("velocity_linear", "velocity.linear", 100, 88),
            **BIASES,
        },
        ("velocity.struck=false",),
    ),
)
