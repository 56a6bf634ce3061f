"""What surrounds the training loop: the clock, the budget, validation, checkpoints and events."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from zoo.data import Corpus
from zoo.data.fragments import Fragments
from zoo.errors import NonFiniteError, Problem, UsageError
from zoo.model.counting import calibrate, count, recount
from zoo.model.model import Model
from zoo.model.provenance import Origin
from zoo.model.weights import digest
from zoo.parts import Slot
from zoo.train.batches import TrainingBatches
from zoo.train.events import Event, History, Listen, Started, Stepped, Validated
from zoo.train.learner import Judged, Learner
from zoo.train.run import Run
from zoo.train.score import chosen_pieces, validate
from zoo.train.settings import TrainSettings

SAVE_EVERY = 60.0
"""Seconds between two checkpoints, at most; every validation makes one too."""


@dataclass
class Session:
    """One stretch of training, from its start or a resumption to its end or an interrupt.

    Attributes:
        learner: the model and what training adds to it.
        batches: what it learns from.
        valid: the pieces that choose the best weights; there may be none.
        settings: how long and how often.
        seed: of the chance in validation.
        run: where progress is kept.
        listen: called with every event.
    """

    learner: Learner
    batches: TrainingBatches
    valid: Corpus
    settings: TrainSettings
    seed: int
    run: Run | None
    listen: Listen | None
    _judged: list[int] = field(init=False)
    _validations: list[Validated] = field(default_factory=list)
    _began: float = 0.0
    _saved: float = 0.0

    def __post_init__(self) -> None:
        self._judged = chosen_pieces(self.valid, self.settings.on_grid(self.valid.grid).validate_frames)

    def begin(self, corpus: Corpus, origins: Mapping[Slot, Origin]) -> None:
        """Count over the training pieces.

        Raises:
            UsageError: the model does not have the weights that it should begin with.
        """
        model, train = self.learner.model, corpus.split("train")
        if origins:
            _check_weights(model, origins)
            encoder = origins.get("encoder")
            again = encoder is not None and encoder.knows(corpus.digest)
            recount(model, train, self.valid, again=again)
        else:
            count(model, train)
        self.save()  # so that a checkpoint that is missing later was lost, and is not begun again

    def start(self) -> None:
        """Start the clock where the run left it."""
        self._saved = self.learner.seconds
        self._began = time.monotonic() - self.learner.seconds
        self._tell(
            Started(
                step=self.learner.step,
                steps=self.settings.target(self.batches.epoch),
                seconds=self.settings.minutes and self.settings.minutes * 60,
                epoch=self.batches.epoch,
                device=str(self.learner.model.device),
                threads=torch.get_num_threads(),
            )
        )

    def over(self) -> bool:
        """Whether the budget is used up, nothing gets better any more, or nothing learns by gradient."""
        return not self.learner.learns or self._stale() or self._used() >= 1

    def learn(self, batches: Sequence[Fragments]) -> None:
        """Take a step; where it would break the weights, keep what leads there."""
        try:
            losses = self.learner.learn(batches, self._used())
        except NonFiniteError as error:
            raise NonFiniteError(*error.problems, *self._report(error)) from error
        self.learner.seconds = time.monotonic() - self._began
        frames = sum(int(batch.mask.sum()) for batch in batches)
        self._tell(Stepped(self.learner.step, losses, frames, self.learner.seconds))

    def validate(self) -> None:
        """Score the validation pieces, keep each term that was never better, and save.

        Where weights are averaged, each term is scored twice and counts as the better of both.
        """
        averaged = None
        if self.learner.average is not None:
            with self.learner.average.in_place():
                averaged = self._judge()
        learner, judged = self.learner, self._judge()
        judged = judged.or_averaged(averaged) if averaged else judged
        improved = learner.best.take(judged, learner.step)
        learner.validated = learner.step
        learner.seconds = time.monotonic() - self._began
        event = Validated(learner.step, judged.nats, improved, learner.seconds)
        self._validations.append(event)
        self._tell(event)
        if self.run is not None and (improved or not judged.nats):
            self.run.save_best(learner)
        self.save()

    def _judge(self) -> Judged:
        """What the weights are worth, calibrated first on all validation pieces: they are kept as scored."""
        model = self.learner.model
        calibrate(model, self.valid)
        return Judged.of(model, validate(model, self.valid, self._judged, self.seed))

    def save(self) -> None:
        """Keep where training stands."""
        self._saved = self.learner.seconds
        if self.run is not None:
            self.run.save(self.learner)

    def save_now_and_then(self) -> None:
        """Save if the last time was long ago."""
        if self.learner.seconds - self._saved > SAVE_EVERY:
            self.save()

    def history(self) -> History:
        """The result of training."""
        learner = self.learner
        return History(
            step=learner.step,
            seconds=learner.seconds,
            best=dict(learner.best.nats),
            best_step=dict(learner.best.step),
            validations=tuple(self._validations),
            threads=torch.get_num_threads(),
        )

    def _used(self) -> float:
        """How much of the budget is used, 0..1."""
        target = self.settings.target(self.batches.epoch)
        if target is None:
            return self.learner.seconds / (60 * (self.settings.minutes or 0))
        return self.learner.step / target

    def _tell(self, event: Event) -> None:
        if self.run is not None and not isinstance(event, Started):
            self.run.note(event)
        if self.listen is not None:
            self.listen(event)

    def _stale(self) -> bool:
        """Whether no term has got better for as many validations as patience lasts."""
        newest = max(self.learner.best.step.values(), default=self.learner.validated)
        waited = self.learner.validated - newest
        return 0 < self.settings.patience * self.settings.validate_every <= waited

    def _report(self, error: NonFiniteError) -> list[Problem]:
        """Save the step before, and where the next one leads."""
        if self.run is None:
            return []
        self.save()
        step = self.learner.step
        path = self.run.report(
            {
                "step": step + 1,
                "seed": self.seed,
                "problems": [problem.what for problem in error.problems],
                "fragments": self.batches.places(step).tolist(),
                "semitones": self.batches.shifts(step).tolist(),
            }
        )
        what = f"resuming takes the same step again; its fragments are named in {path.name}"
        return [Problem(what, str(self.run.folder))]


def _check_weights(model: Model, origins: Mapping[Slot, Origin]) -> None:
    """Refuse to begin with other weights, as where a run goes on whose first checkpoint was never written."""
    strange: dict[str, list[Slot]] = {}
    for slot, origin in origins.items():
        if digest(model.get_submodule(slot).state_dict()) != origin.weights:
            strange.setdefault(origin.source, []).append(slot)
    if strange:
        missing = " and ".join(f"the {', '.join(slots)} of {source}" for source, slots in strange.items())
        hint = "name the trained parts again, such as @BUNDLE, or core=@BUNDLE decoder=@BUNDLE"
        raise UsageError(Problem(f"the run starts from {missing}, of which it has no copy yet", hint=hint))
