"""Training: the loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import torch

from zoo.data import Corpus
from zoo.errors import Problem, UsageError
from zoo.model.model import Model
from zoo.model.provenance import Origin
from zoo.model.threads import computing
from zoo.parts import Slot
from zoo.train.batches import TrainingBatches, check_music
from zoo.train.events import History, Listen
from zoo.train.learner import Learner
from zoo.train.plan import plan
from zoo.train.run import Run
from zoo.train.session import Session
from zoo.train.settings import TrainSettings

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that ask a training to end: Ctrl-C, schedulers and containers, logouts."""


def fit(
    model: Model,
    corpus: Corpus,
    settings: TrainSettings,
    run: Run | None = None,
    listen: Listen | None = None,
    seed: int = 0,
    resume: bool = False,
    origins: Mapping[Slot, Origin] | None = None,
) -> History:
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

    Raises:
        DataError: the model cannot learn from this music.
        UsageError: the run is another one, is there and not to be resumed, or began with trained weights
            that the model does not have and the run has not kept.
        NonFiniteError: a loss, gradient or weight is not a finite number; the weights are those of the
            step before.
        KeyboardInterrupt: it was interrupted; the run is saved.
    """
    train, valid = corpus.split("train"), corpus.split("valid")
    check_music(model, train)
    model.to(device_of(settings.device))
    learner = Learner(model, settings, seed)
    if run is not None:
        run.begin(plan(model.recipe, corpus, settings, seed, origins), resume=resume)
    batches = TrainingBatches(train, settings, seed)
    session = Session(learner, batches, valid, settings, seed, run, listen)
    with computing(model, settings.threads):
        if run is None or not run.resume(learner):
            session.begin(corpus, origins or {})
        return _train(session, is_trained=bool(origins))


def _train(session: Session, is_trained: bool) -> History:
    """The training loop, from where the learner stands to the end of its budget.

    Args:
        session: the training.
        is_trained: whether it started from trained weights, which are then validated before the first step.
    """
    learner, model = session.learner, session.learner.model
    session.start()
    if is_trained and learner.validated < 0:
        session.validate()
    with _interrupts() as interrupted:
        while not session.over():
            batches = session.batches.at(learner.step)
            session.learn([batch.to(model.device) for batch in batches])
            if learner.step % session.settings.validate_every == 0:
                session.validate()
            session.save_now_and_then()
            if interrupted():
                session.save()
                break
    if learner.validated != learner.step:
        session.validate()

    model.load_state_dict(learner.best.tensors)
    return session.history()


def device_of(name: str) -> torch.device:
    """Where to compute: what is asked for, or with `auto` the fastest there is.

    Raises:
        UsageError: this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        what = f"this machine has no device {name}"
        raise UsageError(
            Problem(what, "train.device", "train.device=auto takes the best there is")
        ) from error


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Hold back the first signal that asks to end until the block is over; another one acts at once.

    What was held back then acts as if it came only now.

    Raises:
        KeyboardInterrupt: one was held back, and did not end the program by itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            # No handler is set here: foreign code is at work, and would be blamed for it.
            _act(number, before[number], frame)

    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    before = {n: handler for n in numbers if (handler := signal.getsignal(n)) not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, receive)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])
        raise KeyboardInterrupt


def _act(number: int, handler: signal._HANDLER, frame: FrameType | None) -> None:
    """What a handler does about a signal."""
    if callable(handler):
        handler(number, frame)
    else:
        signal.signal(number, handler)
        signal.raise_signal(number)
