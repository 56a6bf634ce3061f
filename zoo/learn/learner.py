"""The model as it learns: an Adam for each term of the loss, and the best weights so far.

The terms share no parameter, so each is trained, validated and kept apart from the others: the best
weights of a run are each term's best, from whichever step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from zoo.data.fragments import Fragments
from zoo.errors import NonFiniteError, Problem
from zoo.learn.settings import TrainSettings
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.model.weights import Weights, restore
from zoo.parts.terms import SLOTS_OF, TERMS, Term

CURE = "lower train.lr or train.clip; the weights of the step before are kept"


@dataclass
class Best:
    """The best weights that validation found.

    Attributes:
        tensors: the state of the model, each term's part of it from its best step.
        nats: term -> nats per frame there.
        step: term -> that step.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    nats: dict[Term, float] = field(default_factory=dict)
    step: dict[Term, int] = field(default_factory=dict)

    def take(self, model: Model, nats: Mapping[Term, float], step: int) -> tuple[Term, ...]:
        """Keep the terms that were never better, and those nobody judges; returns the former."""
        # A run that was killed between its two files has kept this step as the best already.
        improved = tuple(
            term
            for term, value in nats.items()
            if value < self.nats.get(term, float("inf")) or self.step.get(term) == step
        )
        kept = {slot for term in nats if term not in improved for slot in SLOTS_OF[term]}
        for name, tensor in model.state_dict().items():
            if name.partition(".")[0] not in kept:
                self.tensors[name] = tensor.detach().cpu().clone()
        for term in improved:
            self.nats[term], self.step[term] = nats[term], step
        return improved


class Learner:
    """A model with what training adds to it.

    Attributes:
        model: the model, whose weights change from step to step.
        step: how many steps it has taken.
        seconds: how long they took.
        validated: the step after which it was last validated.
        best: the best weights so far.
    """

    def __init__(self, model: Model, settings: TrainSettings, seed: int) -> None:
        self.model = model
        self.step = 0
        self.seconds = 0.0
        self.validated = -1
        self.best = Best()
        self._clip = settings.clip
        self._seed = seed
        self._named = {term: dict(_learnable(model, term)) for term in TERMS}
        self._adams = {
            term: torch.optim.Adam(named.values(), lr=settings.lr)
            for term, named in self._named.items()
            if named
        }

    @property
    def learns(self) -> bool:
        """Whether any part learns by gradient; the floors count, and are done."""
        return bool(self._adams)

    def learn(self, fragments: Fragments) -> dict[Term, float]:
        """Take one step; returns the loss of each term.

        Raises:
            NonFiniteError: a loss or a gradient is not a finite number; no weight has changed.
        """
        self.model.train()
        chance = generator(self._seed, "loss", self.step, device=self.model.device)
        losses = self.model(fragments, chance)
        for adam in self._adams.values():
            adam.zero_grad()
        torch.autograd.backward(list(losses.values()))
        norms = {term: clip_grad_norm_(self._named[term].values(), self._clip) for term in self._adams}
        values = {term: float(loss.detach()) for term, loss in losses.items()}
        self._refuse_nonfinite(values, {term: float(norm) for term, norm in norms.items()})
        for adam in self._adams.values():
            adam.step()
        self.step += 1
        return values

    def _refuse_nonfinite(self, losses: Mapping[Term, float], norms: Mapping[Term, float]) -> None:
        problems = [
            Problem(f"the {what} of the {term} is {value} at step {self.step + 1}", cure=CURE)
            for what, values in (("loss", losses), ("gradient", norms))
            for term, value in values.items()
            if not abs(value) < float("inf")
        ]
        if problems:
            raise NonFiniteError(*problems)

    def state(self) -> Weights:
        """Everything that going on from here needs, as tensors and a few numbers."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for term, adam in self._adams.items():
            for name, parameter in self._named[term].items():
                for key, value in adam.state[parameter].items():
                    tensors[f"adam.{name}:{key}"] = value
        return Weights(tensors, {"step": self.step, "seconds": self.seconds, "validated": self.validated})

    def restore(self, state: Weights, where: str) -> None:
        """Go back to a state that `state` gave, and that was kept in the file `where`.

        Raises:
            BundleError: the weights are not those of this model.
        """
        self.step = state.about["step"]
        self.seconds = state.about["seconds"]
        self.validated = state.about["validated"]
        restore(self.model, _under("model.", state.tensors), where)
        for term, adam in self._adams.items():
            for name, parameter in self._named[term].items():
                memory = _under(f"adam.{name}:", state.tensors)
                # Adam keeps its count of steps on the CPU, whatever the device.
                adam.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device)
                    for key, value in memory.items()
                }


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _learnable(model: Model, term: Term) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.parameters_of(term) if parameter.requires_grad]
