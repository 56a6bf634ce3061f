"""Half precision: bundles of about half the size, whose nats differ in the fifth digit."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor

from zoo.model.model import Model


def rounded(model: Model) -> Model:
    """A copy of a model with float32 parameters rounded to half precision.

    Values beyond its range, 65,504, become infinite. Counts and statistics, which are buffers, are unchanged.
    """
    copy = deepcopy(model)
    with torch.no_grad():
        for parameter in copy.parameters():
            if parameter.dtype == torch.float32:
                parameter.copy_(parameter.half())
    return copy


def narrowed(model: Model) -> dict[str, Tensor]:
    """All weights of a rounded model by name, with the parameters in float16."""
    halves = {name: p.half() for name, p in model.named_parameters() if p.dtype == torch.float32}
    return {**model.state_dict(), **halves}


def widened(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, in float32 where they are stored in float16 and the model expects float32."""

    def is_narrowed(name: str, tensor: Tensor) -> bool:
        return tensor.dtype == torch.float16 and name in expected and expected[name].dtype == torch.float32

    return {name: tensor.float() if is_narrowed(name, tensor) else tensor for name, tensor in tensors.items()}
