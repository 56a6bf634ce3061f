"""Train a model in place, with or without a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from zoo.data import Corpus
from zoo.errors import Problem, UsageError
from zoo.model.counting import count, recount
from zoo.model.device import device_of
from zoo.model.model import Model
from zoo.model.provenance import Origin
from zoo.model.threads import computing
from zoo.model.weights import digest
from zoo.parts import Slot
from zoo.train.batches import TrainingBatches, check_music
from zoo.train.budget import Budget
from zoo.train.callback import Callback, Listener
from zoo.train.checkpoints import Checkpoints, Metrics
from zoo.train.events import FitResult, Listen
from zoo.train.learner import Learner
from zoo.train.loop import Loop
from zoo.train.plan import plan
from zoo.train.ranks import ALONE, Ranks
from zoo.train.run import Run
from zoo.train.settings import TrainSettings
from zoo.train.trackers import trackers
from zoo.train.validation import Validation


def fit(
    model: Model,
    corpus: Corpus,
    settings: TrainSettings,
    run: Run | None = None,
    listen: Listen | None = None,
    seed: int = 0,
    resume: bool = False,
    origins: Mapping[Slot, Origin] | None = None,
    callbacks: Sequence[Callback] = (),
    ranks: Ranks = ALONE,
    on_stop: Callable[[FitResult], None] | None = None,
) -> FitResult:
    """Train a model in place; afterwards it has the best weights on the validation pieces.

    This holds also if training is interrupted or a value is not finite; before the first validation, the
    model keeps the weights of the last step.

    All random numbers depend only on the seed and the number of the step, so a run that was killed and
    resumed gives the same weights as an uninterrupted one. Ctrl-C, SIGTERM and SIGHUP take effect between two
    steps.

    Args:
        model: a model from `zoo.model.build` or `zoo.train.assemble`.
        corpus: the corpus with training pieces, and validation pieces to choose the best weights.
        settings: the training settings.
        run: the run folder for checkpoints and metrics; None to keep everything in memory.
        listen: called with each event.
        seed: seed of the order of fragments, their transpositions, and random losses.
        resume: whether to resume the run if it was started before.
        origins: origins of trained parts, by slot, for fine-tuning. Their weights are validated before the
            first step, so the result is never worse than they are.
        callbacks: called at fixed points of the loop, after `listen`; on every rank.
        ranks: the processes that train together, each on its own batches of `train.batch` fragments. Only the
            first rank writes the run, calls `listen`, and has the best weights at the end.
        on_stop: called with the result so far if training is interrupted or ends with an error, when the
            model has its best weights; the error is raised next.

    Raises:
        DataError: the model cannot be trained on this music.
        UsageError: the folder contains another run, or this run and `resume` is false; or the run was started
            from trained weights that the model does not have and that were not saved yet.
        NonFiniteError: a loss, gradient or weight is not finite; the run is saved as it was before this step.
        KeyboardInterrupt: training was interrupted; the run is saved.
    """
    training = corpus.split("train")
    check_music(model, training)
    model.to(device_of(settings.device, "train.device"))
    learner = Learner(model, settings, seed, ranks)
    run, listen = (run, listen) if ranks.is_first else (None, None)
    tracking = trackers(settings.tracker, run.folder if run else None) if ranks.is_first else []
    if run is not None:
        run.begin(plan(model.recipe, corpus, settings, seed, origins, ranks.count), resume=resume)
    batches = TrainingBatches(training, settings, seed, ranks)
    validation = Validation(corpus, settings, seed)
    budget = Budget(settings, batches.epoch)
    all_callbacks = [*([Listener(listen)] if listen else []), *callbacks]
    if run is not None:
        # Metrics first, checkpoints last: the metrics of a step must exist before a checkpoint that includes
        # it, and a checkpoint must include what other callbacks changed.
        all_callbacks = [Metrics(run), *all_callbacks, *tracking, Checkpoints(run, batches, seed)]
    with computing(model, settings.threads):
        if ranks.is_first and (run is None or not run.resume(learner)):
            _count(model, corpus, origins or {})
            if run is not None:
                # With a checkpoint from the start, a missing one later means that it was lost.
                run.save(learner)
        learner.copy_first_rank()
        loop = Loop(learner, batches, validation, budget, all_callbacks)
        try:
            result = loop.run(validate_first=bool(origins))
        except BaseException:  # also of a callback, or a lack of memory: what was learned so far is kept
            _take_best(learner)
            if on_stop:
                on_stop(loop.result())
            raise
    _take_best(learner)
    return replace(result, continued=run is not None and run.continued)


def _take_best(learner: Learner) -> None:
    """Load the best weights. Only the first rank has them, and none exist before the first validation."""
    if learner.ranks.is_first and learner.best.tensors:
        learner.model.load_state_dict(learner.best.tensors)


def _count(model: Model, corpus: Corpus, origins: Mapping[Slot, Origin]) -> None:
    """Count the training pieces.

    Raises:
        UsageError: the model does not have the weights that the run starts from.
    """
    training = corpus.split("train")
    if not origins:
        count(model, training)
        return
    _check_weights(model, origins)
    # Music that the counts already include must not be added to them again.
    encoder = origins.get("encoder")
    again = encoder is not None and encoder.knows(corpus.digest)
    recount(model, training, corpus.split("valid"), again=again)


def _check_weights(model: Model, origins: Mapping[Slot, Origin]) -> None:
    """Check that the model has the weights that the run starts from.

    They differ if a run is resumed that was killed before its first checkpoint, without naming its sources.
    """
    missing: dict[str, list[Slot]] = {}
    for slot, origin in origins.items():
        if digest(model.get_submodule(slot).state_dict()) != origin.weights:
            missing.setdefault(origin.source, []).append(slot)
    if missing:
        parts = " and ".join(f"the {', '.join(slots)} of {source}" for source, slots in missing.items())
        hint = "name the trained parts again, such as @BUNDLE, or core=@BUNDLE decoder=@BUNDLE"
        raise UsageError(Problem(f"the run starts from {parts}, of which it has no copy yet", hint=hint))
