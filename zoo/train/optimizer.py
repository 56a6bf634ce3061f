"""What turns gradients into steps: the optimiser of a term, the learning rate over time, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from zoo.train.settings import TrainSettings

LOWEST = 0.02
"""Where cosine decay ends, as a share of the peak."""
OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "adamw": AdamW}


def optimizer_of(named: Mapping[str, nn.Parameter], settings: TrainSettings, lr: float) -> Optimizer:
    """The optimiser of one term, with weight decay on everything but biases and normalisation weights.

    Args:
        named: the parameters of the term by their names.
        settings: which optimiser, and how much decay.
        lr: the peak of the learning rate.
    """
    exempt = {name for name, parameter in named.items() if parameter.dim() < 2 or name.endswith("bias")}
    decayed = [parameter for name, parameter in named.items() if name not in exempt]
    groups: list[dict[str, Any]] = [{"params": decayed}] if decayed else []
    if exempt:
        groups.append({"params": [named[name] for name in named if name in exempt], "weight_decay": 0.0})
    return OPTIMIZERS[settings.optimizer](groups, lr=lr, weight_decay=settings.decay)


def share_of_rate(settings: TrainSettings, step: int, used: float) -> float:
    """The learning rate of a step as a share of its peak: linear warm-up, then constant or cosine decay.

    Cosine decay is that of Loshchilov and Hutter (SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR
    2017) over the whole budget, without a restart.

    Args:
        settings: the warm-up and the schedule.
        step: how many steps were taken before.
        used: how much of the budget is used, 0..1, be it steps, epochs or minutes.
    """
    warm = min(1.0, (step + 1) / max(settings.warmup, 1))
    if settings.schedule == "constant":
        return warm
    return warm * (LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * min(used, 1.0))) / 2)


class Average:
    """An exponential moving average of weights, which often scores better than the weights themselves.

    The first steps are averaged over less, so that the random first weights are soon forgotten.

    Attributes:
        tensors: the averages by the names of the parameters.
    """

    def __init__(self, named: Mapping[str, nn.Parameter], decay: float) -> None:
        self.tensors: dict[str, Tensor] = {name: p.detach().clone() for name, p in named.items()}
        self._named = named
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, parameter in self._named.items():
            self.tensors[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the averages for weights; afterwards it has its own again."""
        own = {name: parameter.detach().clone() for name, parameter in self._named.items()}
        self._put(self.tensors)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        for name, parameter in self._named.items():
            parameter.copy_(tensors[name])
