"""Training a model in place, with or without a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
) -> FitResult:
    """Train a model in place; afterwards it holds the best weights that validation found.

    Everything left to chance follows from the seed and the number of the step, so a run that is killed
    and resumed learns what an unbroken one does. Ctrl-C, SIGTERM and SIGHUP are handled between two steps.

    Args:
        model: from `zoo.model.build`.
        corpus: its training pieces are learned, its validation pieces choose the best weights.
        settings: how long, on what, how fast.
        run: where progress is kept.
        listen: called with every event.
        seed: of the order of fragments, their transpositions, and the chance in losses.
        resume: go on where the run stands.
        origins: where trained parts come from, by slot. Their weights compete for the best ones before the
            first step.
        callbacks: called at fixed points of the loop, after `listen`; on every rank.
        ranks: the processes that train together, each with its own batches: `train.batch` is for each. Only
            the first writes to the run and is listened to, and only its model holds the best weights
            afterwards.

    Raises:
        DataError: the model cannot learn from this music.
        UsageError: the run is another one, is there and not to be resumed, or began with trained weights
            that the model does not have and the run has not kept.
        NonFiniteError: a loss, gradient or weight is not a finite number; the weights are those of the
            step before.
        KeyboardInterrupt: it was interrupted; the run is saved.
    """
    training = corpus.split("train")
    check_music(model, training)
    model.to(device_of(settings.device, "train.device"))
    learner = Learner(model, settings, seed, ranks)
    run, listen = (run, listen) if ranks.is_first else (None, None)
    if run is not None:
        run.begin(plan(model.recipe, corpus, settings, seed, origins, ranks.count), resume=resume)
    batches = TrainingBatches(training, settings, seed, ranks)
    validation = Validation(corpus.split("valid"), settings, seed)
    budget = Budget(settings, batches.epoch)
    acting = [*([Listener(listen)] if listen else []), *callbacks]
    if run is not None:
        acting = [Metrics(run), *acting, Checkpoints(run, batches, seed)]
    with computing(model, settings.threads):
        if ranks.is_first and (run is None or not run.resume(learner)):
            _begin(model, corpus, origins or {})
            if run is not None:
                run.save(learner)  # a checkpoint that is missing later was lost, and does not mean a new run
        learner.copy_first_rank()
        result = Loop(learner, batches, validation, budget, acting).run(validate_first=bool(origins))
    if ranks.is_first:
        model.load_state_dict(learner.best.tensors)
    return result


def _begin(model: Model, corpus: Corpus, origins: Mapping[Slot, Origin]) -> None:
    """Count over the training pieces.

    Raises:
        UsageError: the model does not have the weights that the run starts from.
    """
    training = corpus.split("train")
    if not origins:
        count(model, training)
        return
    _check_weights(model, origins)
    encoder = origins.get("encoder")
    again = encoder is not None and encoder.knows(corpus.digest)
    recount(model, training, corpus.split("valid"), again=again)


def _check_weights(model: Model, origins: Mapping[Slot, Origin]) -> None:
    """Refuse to start from other weights: a run is resumed whose first checkpoint was never written."""
    missing: dict[str, list[Slot]] = {}
    for slot, origin in origins.items():
        if digest(model.get_submodule(slot).state_dict()) != origin.weights:
            missing.setdefault(origin.source, []).append(slot)
    if missing:
        parts = " and ".join(f"the {', '.join(slots)} of {source}" for source, slots in missing.items())
        hint = "name the trained parts again, such as @BUNDLE, or core=@BUNDLE decoder=@BUNDLE"
        raise UsageError(Problem(f"the run starts from {parts}, of which it has no copy yet", hint=hint))
