"""The model as it learns: an optimiser for each term of the loss, and the best weights so far.

The terms share no parameter, so each is trained, validated and kept apart from the others: the best
weights of a run are each term's best, from whichever step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from zoo.data.fragments import Fragments
from zoo.errors import NonFiniteError, Problem
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.model.weights import Weights, pack, restore, unpack
from zoo.parts.interfaces import Kind
from zoo.parts.terms import SLOTS_OF, TERMS, Term
from zoo.train.optimizer import Average, optimizer_of, share_of_rate
from zoo.train.ranks import ALONE, Ranks
from zoo.train.settings import TrainSettings

HINT = "lower train.lr or train.clip; the weights of the step before are kept"


@dataclass(frozen=True)
class Judged:
    """Weights and what they are worth.

    Attributes:
        nats: term -> nats per frame on the validation pieces; empty where there are none.
        tensors: a copy of the state of the model, on the CPU.
        kinds: term -> the kind of its nats.
    """

    nats: Mapping[Term, float]
    tensors: Mapping[str, Tensor]
    kinds: Mapping[Term, Kind] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, nats: Mapping[Term, float], kinds: Mapping[Term, Kind]) -> Judged:
        """The weights that a model has now."""
        state = model.state_dict().items()
        return cls(nats, {name: tensor.detach().cpu().clone() for name, tensor in state}, kinds)

    def or_averaged(self, averaged: Judged) -> Judged:
        """Of each term the better of these and the averaged weights; the latter where nothing judges them."""
        better = {term for term in self.nats if averaged.nats[term] < self.nats[term]}
        slots = {slot for term in better | (set(TERMS) - set(self.nats)) for slot in SLOTS_OF[term]}
        tensors = {
            name: averaged.tensors[name] if name.partition(".")[0] in slots else tensor
            for name, tensor in self.tensors.items()
        }
        nats = {term: min(value, averaged.nats[term]) for term, value in self.nats.items()}
        return Judged(nats, tensors, self.kinds)


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

    def take(self, judged: Judged, step: int) -> tuple[Term, ...]:
        """Keep the terms that were never better, and those without a score; returns the former."""
        # A run that was killed between its two files has kept this step as the best already.
        improved = tuple(
            term
            for term, value in judged.nats.items()
            if value < self.nats.get(term, float("inf")) or self.step.get(term) == step
        )
        kept = {slot for term in judged.nats if term not in improved for slot in SLOTS_OF[term]}
        for name, tensor in judged.tensors.items():
            if name.partition(".")[0] not in kept:
                self.tensors[name] = tensor
        for term in improved:
            self.nats[term], self.step[term] = judged.nats[term], step
        return improved


class Learner:
    """A model with what training adds to it.

    Attributes:
        model: the model, whose weights change from step to step.
        step: how many steps it has taken.
        seconds: how long they took.
        frames: how many frames of music the last step held.
        validated: the step after which it was last validated.
        best: the best weights so far.
        average: the moving average of the weights, where one is asked for.
        should_stop: set it to end training after this step.
        ranks: the processes that train together.
    """

    def __init__(self, model: Model, settings: TrainSettings, seed: int, ranks: Ranks = ALONE) -> None:
        self.model = model
        self.step = 0
        self.seconds = 0.0
        self.frames = 0
        self.validated = -1
        self.should_stop = False
        self.best = Best()
        self.average: Average | None = None
        self._settings = settings
        self._seed = seed
        self.ranks = ranks
        self._named = {term: dict(_learnable(model, term)) for term in TERMS}
        self._optimizers = {
            term: optimizer_of(named, settings, settings.rate(term))
            for term, named in self._named.items()
            if named
        }
        if settings.ema:
            every = {name: p for named in self._named.values() for name, p in named.items()}
            self.average = Average(every, settings.ema)

    @property
    def learns(self) -> bool:
        """Whether any part learns by gradient; the floors count, and are done."""
        return bool(self._optimizers)

    def learn(self, batches: Sequence[Fragments], used: float = 0.0) -> dict[Term, float]:
        """Take one step; returns the loss of each term.

        Args:
            batches: what the gradient is taken of: the mean over the frames of all batches, of all ranks.
            used: how much of the budget is used, 0..1.

        Raises:
            NonFiniteError: a loss or a gradient is not a finite number; no weight has changed.
        """
        self.model.train()
        for optimizer in self._optimizers.values():
            optimizer.zero_grad()
        values = self._backward(batches)
        clip = self._settings.clip
        norms = {term: clip_grad_norm_(self._named[term].values(), clip) for term in self._optimizers}
        self._refuse_nonfinite(values, {term: float(norm) for term, norm in norms.items()})
        share = share_of_rate(self._settings, self.step, used)
        for term, optimizer in self._optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self._settings.rate(term) * share
            optimizer.step()
        self.step += 1
        if self.average is not None:
            self.average.update(self.step)
        return values

    def _backward(self, batches: Sequence[Fragments]) -> dict[Term, float]:
        """Add up the gradients of batches, of all ranks; returns the mean loss of each term."""
        ranks = self.ranks
        frames = [int(batch.mask.sum()) for batch in batches]
        self.frames = int(ranks.total(sum(frames))[0])
        ranks.copy_buffers(self.model)
        values: dict[Term, float] = {}
        for number, (batch, count) in enumerate(zip(batches, frames, strict=True)):
            share = count / max(self.frames, 1)
            chance = self._chance(number * ranks.count + ranks.number)
            with self._precision():
                losses = {term: share * loss for term, loss in self.model(batch, chance).items()}
            torch.autograd.backward(list(losses.values()))
            for term, loss in losses.items():
                values[term] = values.get(term, 0.0) + float(loss.detach())
        ranks.sum_gradients([parameter for named in self._named.values() for parameter in named.values()])
        totals = ranks.total(*(values.get(term, 0.0) for term in TERMS), *(term in values for term in TERMS))
        sums, given = totals[: len(TERMS)], totals[len(TERMS) :]
        return {term: value for term, value, known in zip(TERMS, sums, given, strict=True) if known}

    def _chance(self, batch: int) -> torch.Generator:
        """The chance in the losses of a batch, by its number in the step, whichever rank takes it."""
        numbered = (batch,) if batch else ()
        return generator(self._seed, "loss", self.step, *numbered, device=self.model.device)

    def _precision(self) -> torch.autocast:
        """What the losses are computed in."""
        bf16 = self._settings.precision == "bf16"
        return torch.autocast(self.model.device.type, torch.bfloat16, enabled=bf16)

    def _refuse_nonfinite(self, losses: Mapping[Term, float], norms: Mapping[Term, float]) -> None:
        problems = [
            Problem(f"the {what} of the {term} is {value} at step {self.step + 1}", hint=HINT)
            for what, values in (("loss", losses), ("gradient", norms))
            for term, value in values.items()
            if not abs(value) < float("inf")
        ]
        if problems:
            raise NonFiniteError(*problems)

    def state(self) -> Weights:
        """Everything that going on from here needs, as tensors and a few numbers."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for term, optimizer in self._optimizers.items():
            for name, parameter in self._named[term].items():
                for key, value in optimizer.state[parameter].items():
                    tensors[f"adam.{name}:{key}"] = value
        if self.average is not None:
            tensors |= {f"ema.{name}": tensor for name, tensor in self.average.tensors.items()}
        return Weights(tensors, {"step": self.step, "seconds": self.seconds, "validated": self.validated})

    def copy_first_rank(self) -> None:
        """Begin where the first rank stands: with its weights, what it counted, and its best scores."""
        if self.ranks.count > 1:
            state, self.best = self.ranks.copy((pack(self.state()), self.best))
            if not self.ranks.is_first:
                self.restore(unpack(state, "the first rank"), "the first rank")

    def restore(self, state: Weights, where: str) -> None:
        """Go back to a state that `state` gave, and that was kept in the file `where`.

        Raises:
            BundleError: the weights are not those of this model.
        """
        self.step = state.about["step"]
        self.seconds = state.about["seconds"]
        self.validated = state.about["validated"]
        restore(self.model, _under("model.", state.tensors), where)
        if self.average is not None:
            averages = _under("ema.", state.tensors)
            self.average.tensors = {n: t.to(self.model.device) for n, t in averages.items()}
        for term, optimizer in self._optimizers.items():
            for name, parameter in self._named[term].items():
                memory = _under(f"adam.{name}:", state.tensors)
                # Adam keeps its count of steps on the CPU, whatever the device.
                optimizer.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device)
                    for key, value in memory.items()
                }


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _learnable(model: Model, term: Term) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.parameters_of(term) if parameter.requires_grad]
