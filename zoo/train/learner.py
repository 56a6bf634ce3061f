"""The state of training: the model, an optimizer for each term of the loss, and the best weights so far.

The terms share no parameters, so each is trained and validated independently: the best weights of a run
combine the best weights of each term, possibly from different steps.
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
from zoo.model.weights import Weights, check_fits, pack, restore, unpack
from zoo.parts.kinds import Kind
from zoo.parts.terms import SLOTS_OF, TERMS, Term
from zoo.train.optimizer import Average, lr_factor, make_optimizer
from zoo.train.ranks import ALONE, Ranks
from zoo.train.settings import TrainSettings

HINT = "lower train.lr or train.clip; this step changed no weights"


@dataclass(frozen=True)
class ScoredWeights:
    """Weights with their validation score.

    Attributes:
        nats: nats per frame of each term on the validation pieces; empty if there are none.
        tensors: a copy of the state of the model on the CPU.
        kinds: the kind of the nats of each term.
    """

    nats: Mapping[Term, float]
    tensors: Mapping[str, Tensor]
    kinds: Mapping[Term, Kind] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, nats: Mapping[Term, float], kinds: Mapping[Term, Kind]) -> ScoredWeights:
        """A copy of the current weights of a model."""
        state = model.state_dict().items()
        return cls(nats, {name: tensor.detach().cpu().clone() for name, tensor in state}, kinds)

    def better_of(self, averaged: ScoredWeights) -> ScoredWeights:
        """For each term, the better of these and the averaged weights; without a score, the averaged ones."""
        improved = {term for term in self.nats if averaged.nats[term] < self.nats[term]}
        unscored = set(TERMS) - set(self.nats)
        slots = {slot for term in improved | unscored for slot in SLOTS_OF[term]}
        tensors = {
            name: averaged.tensors[name] if name.partition(".")[0] in slots else tensor
            for name, tensor in self.tensors.items()
        }
        nats = {term: min(value, averaged.nats[term]) for term, value in self.nats.items()}
        return ScoredWeights(nats, tensors, self.kinds)


@dataclass
class Best:
    """The best weights so far.

    Attributes:
        tensors: the state of the model, with the parts of each term from its best step.
        nats: best nats per frame of each term.
        step: best step of each term.
        kinds: the kind of the nats of each term; empty if they are from an older version.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    nats: dict[Term, float] = field(default_factory=dict)
    step: dict[Term, int] = field(default_factory=dict)
    kinds: dict[Term, Kind] = field(default_factory=dict)

    def take(self, scored: ScoredWeights, step: int) -> tuple[Term, ...]:
        """Keep the weights of terms that improved or have no score; returns the terms that improved."""
        # A run that was killed after writing `best` and before writing `last` repeats this step with equal
        # nats. It must count as an improvement again, or the metrics would differ from an uninterrupted run.
        improved = tuple(
            term
            for term, value in scored.nats.items()
            if value < self.nats.get(term, float("inf")) or self.step.get(term) == step
        )
        unchanged = {slot for term in scored.nats if term not in improved for slot in SLOTS_OF[term]}
        for name, tensor in scored.tensors.items():
            if name.partition(".")[0] not in unchanged:
                self.tensors[name] = tensor
        for term in improved:
            self.nats[term], self.step[term] = scored.nats[term], step
        self.kinds |= {term: kind for term, kind in scored.kinds.items() if term in improved}
        return improved


class Learner:
    """A model with its optimizers and progress.

    Attributes:
        model: the model that is trained.
        step: number of steps so far.
        seconds: training time so far.
        frames: number of frames of music in the last step.
        validated: step of the latest validation; -1 before the first.
        best: the best weights so far.
        average: moving average of the weights; None if `train.ema` is 0.
        should_stop: whether to end training after this step; set by callbacks.
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
            term: make_optimizer(named, settings, settings.rate(term))
            for term, named in self._named.items()
            if named
        }
        if settings.ema:
            parameters = {name: p for named in self._named.values() for name, p in named.items()}
            self.average = Average(parameters, settings.ema)

    @property
    def learns(self) -> bool:
        """Whether there is anything to optimize; the floors are only counted."""
        return bool(self._optimizers)

    def learn(self, batches: Sequence[Fragments], used: float = 0.0) -> dict[Term, float]:
        """Take a training step; returns the mean loss of each term.

        Args:
            batches: the batches of this rank; the loss is the mean over all frames of all ranks.
            used: fraction of the budget that is used, 0..1.

        Raises:
            NonFiniteError: a loss or gradient is not finite; no weight has changed.
        """
        self.model.train()
        for optimizer in self._optimizers.values():
            optimizer.zero_grad()
        values = self._backward(batches)
        clip = self._settings.clip
        norms = {term: clip_grad_norm_(self._named[term].values(), clip) for term in self._optimizers}
        # Before any optimizer steps, so that the weights and states of all terms are those of the last step.
        self._check_finite(values, {term: float(norm) for term, norm in norms.items()})
        factor = lr_factor(self._settings, self.step, used)
        for term, optimizer in self._optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self._settings.rate(term) * factor
            optimizer.step()
        self.step += 1
        if self.average is not None:
            self.average.update(self.step)
        return values

    def _backward(self, batches: Sequence[Fragments]) -> dict[Term, float]:
        """Accumulate the gradients of all batches of all ranks; returns the mean loss of each term."""
        ranks = self.ranks
        frames = [int(batch.mask.sum()) for batch in batches]
        self.frames = int(ranks.total(sum(frames))[0])
        ranks.copy_buffers(self.model)
        values: dict[Term, float] = {}
        for number, (batch, count) in enumerate(zip(batches, frames, strict=True)):
            share = count / max(self.frames, 1)
            rng = self._generator(number * ranks.count + ranks.number)
            with self._precision():
                losses = {term: share * loss for term, loss in self.model(batch, rng).items()}
            torch.autograd.backward(list(losses.values()))
            for term, loss in losses.items():
                values[term] = values.get(term, 0.0) + float(loss.detach())
        ranks.sum_gradients([parameter for named in self._named.values() for parameter in named.values()])
        totals = ranks.total(*(values.get(term, 0.0) for term in TERMS), *(term in values for term in TERMS))
        sums, given = totals[: len(TERMS)], totals[len(TERMS) :]
        return {term: value for term, value, known in zip(TERMS, sums, given, strict=True) if known}

    def _generator(self, batch: int) -> torch.Generator:
        """The generator for the losses of a batch, given its number in the step over all ranks.

        It is a new one for each batch and step: its draws do not depend on the steps before, so no state of
        it has to be saved in checkpoints, nor on which rank takes the batch.
        """
        numbered = (batch,) if batch else ()
        return generator(self._seed, "loss", self.step, *numbered, device=self.model.device)

    def _precision(self) -> torch.autocast:
        """The context in which losses are computed: mixed precision, or disabled."""
        bf16 = self._settings.precision == "bf16"
        return torch.autocast(self.model.device.type, torch.bfloat16, enabled=bf16)

    def _check_finite(self, losses: Mapping[Term, float], norms: Mapping[Term, float]) -> None:
        problems = [
            Problem(f"the {quantity} of the {term} is {value} at step {self.step + 1}", hint=HINT)
            for quantity, values in (("loss", losses), ("gradient", norms))
            for term, value in values.items()
            if not abs(value) < float("inf")
        ]
        if problems:
            raise NonFiniteError(*problems)

    def state(self) -> Weights:
        """The state from which training resumes exactly: weights, optimizer states, average and counters."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for term, optimizer in self._optimizers.items():
            for name, parameter in self._named[term].items():
                for key, value in optimizer.state[parameter].items():
                    tensors[f"adam.{name}:{key}"] = value
        if self.average is not None:
            tensors |= {f"ema.{name}": tensor for name, tensor in self.average.tensors.items()}
        return Weights(tensors, {"step": self.step, "seconds": self.seconds, "validated": self.validated})

    def copy_first_rank(self) -> None:
        """Copy the state of the first rank: weights, counts, optimizer states and best weights."""
        if self.ranks.count > 1:
            state, self.best = self.ranks.copy((pack(self.state()), self.best))
            if not self.ranks.is_first:
                self.restore(unpack(state, "the first rank"), "the first rank")

    def restore(self, state: Weights, where: str) -> None:
        """Restore a state that was returned by `state`, read from the file `where`.

        Raises:
            BundleError: the weights, averages or states of optimizers do not fit this model.
        """
        expected = self._expected(state.tensors)
        check_fits({n: t for n, t in state.tensors.items() if n in expected}, expected, where)
        self.step = state.about["step"]
        self.seconds = state.about["seconds"]
        self.validated = state.about["validated"]
        restore(self.model, _with_prefix("model.", state.tensors), where)
        if self.average is not None:
            averages = _with_prefix("ema.", state.tensors)
            self.average.tensors = {n: t.to(self.model.device) for n, t in averages.items()}
        for term, optimizer in self._optimizers.items():
            for name, parameter in self._named[term].items():
                adam_state = _with_prefix(f"adam.{name}:", state.tensors)
                # Adam keeps its step count on the CPU, whatever the device of the parameters.
                optimizer.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device)
                    for key, value in adam_state.items()
                }

    def _expected(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors with the names and shapes of the averages and of the states of optimizers.

        A parameter that had no gradient yet has no state.
        """
        averages = {} if self.average is None else self.average.tensors
        expected = {f"ema.{name}": tensor for name, tensor in averages.items()}
        for name, parameter in (item for named in self._named.values() for item in named.items()):
            if _with_prefix(f"adam.{name}:", tensors):
                moments = {"exp_avg": parameter, "exp_avg_sq": parameter, "step": torch.tensor(0.0)}
                expected |= {f"adam.{name}:{key}": tensor for key, tensor in moments.items()}
        return expected


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix, without the prefix."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _learnable(model: Model, term: Term) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.parameters_of(term) if parameter.requires_grad]
