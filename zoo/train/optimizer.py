"""Optimizers, learning rate schedules and averages of weights."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from zoo.train.settings import TrainSettings

AnyOptimizer = TypeVar("AnyOptimizer", bound=Optimizer)

LOWEST = 0.02
"""Learning rate at the end of cosine decay, as a fraction of the peak."""


def _eager(optimizer: type[AnyOptimizer]) -> type[AnyOptimizer]:
    """An optimizer without the wrappers that only torch.compile needs.

    The wrappers import torch._dynamo, which takes about as long as importing torch itself. The steps are the
    same.
    """
    plain = {
        name: inspect.unwrap(getattr(optimizer, name)) for name in ("add_param_group", "zero_grad", "step")
    }
    return type(optimizer.__name__, (optimizer,), plain | {"step": torch.no_grad()(plain["step"])})


OPTIMIZERS: dict[str, type[Adam]] = {"adam": _eager(Adam), "adamw": _eager(AdamW)}


def make_optimizer(named: Mapping[str, nn.Parameter], settings: TrainSettings, lr: float) -> Optimizer:
    """Make the optimizer of a term, without weight decay on biases and normalization weights.

    Args:
        named: the parameters of the term by name.
        settings: the kind of optimizer and the weight decay.
        lr: the peak learning rate.
    """
    exempt = {name for name, parameter in named.items() if parameter.dim() < 2 or name.endswith("bias")}
    decayed = [parameter for name, parameter in named.items() if name not in exempt]
    groups: list[dict[str, Any]] = [{"params": decayed}] if decayed else []
    if exempt:
        groups.append({"params": [named[name] for name in named if name in exempt], "weight_decay": 0.0})
    return OPTIMIZERS[settings.optimizer](groups, lr=lr, weight_decay=settings.decay)


def lr_factor(settings: TrainSettings, step: int, used: float) -> float:
    """The learning rate of a step as a fraction of its peak: linear warm-up, then constant or cosine decay.

    Cosine decay extends over the whole budget, without restarts (Loshchilov and Hutter, SGDR: Stochastic
    Gradient Descent with Warm Restarts, ICLR 2017).

    Args:
        settings: the warm-up and the schedule.
        step: number of steps before this one.
        used: fraction of the budget (steps, epochs or minutes) that is used, 0..1.
    """
    warmup = min(1.0, (step + 1) / max(settings.warmup, 1))
    if settings.schedule == "constant":
        return warmup
    return warmup * (LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * min(used, 1.0))) / 2)


class Average:
    """An exponential moving average of weights, which often scores better than the weights themselves.

    The decay is smaller in the first steps, so that the random initial weights are soon forgotten.

    Attributes:
        tensors: the averages by name of the parameter.
    """

    def __init__(self, named: Mapping[str, nn.Parameter], decay: float) -> None:
        self.tensors: dict[str, Tensor] = {name: p.detach().clone() for name, p in named.items()}
        self._named = named
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Update the average with the weights after a step, counted from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, parameter in self._named.items():
            self.tensors[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Replace the weights of the model by the averages inside the block."""
        weights = {name: parameter.detach().clone() for name, parameter in self._named.items()}
        self._copy_to_model(self.tensors)
        try:
            yield
        finally:
            self._copy_to_model(weights)

    @torch.no_grad()
    def _copy_to_model(self, tensors: Mapping[str, Tensor]) -> None:
        for name, parameter in self._named.items():
            parameter.copy_(tensors[name])
