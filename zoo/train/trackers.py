"""Trackers: callbacks that also write losses and scores for other tools: TensorBoard, trackio, or a table.

`metrics.jsonl` is the record of a run and is always written; a tracker repeats it. When a run is resumed from
a checkpoint, steps after the checkpoint are taken again, and their old values are dropped.
"""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import Problem, UsageError, ZooError
from zoo.files import encodable, is_special, write_file, writing
from zoo.parts.terms import Term
from zoo.train.callback import Callback
from zoo.train.events import FitResult, Started, Stepped, Validated
from zoo.train.metrics import MetricsFile

if TYPE_CHECKING:
    from zoo.errors import NonFiniteError
    from zoo.train.learner import Learner

LONGEST = 20
"""Digits that no number of a step has; Python refuses to read integers of thousands of digits."""

Name = Literal["none", "tensorboard", "csv", "trackio"]


def trackers(name: Name, folder: Path | None) -> list[Callback]:
    """The callbacks of `train.tracker`: none or one.

    Args:
        name: which tracker.
        folder: the folder of the run.

    Raises:
        UsageError: there is no run folder to write to.
        ZooError: a package that the tracker needs is not installed.
    """
    if name == "none":
        return []
    if folder is None:
        hint = "train with `zoo train -o RUN`, or pass a callback, such as callbacks=[CsvTracker(FOLDER)]"
        raise UsageError(Problem("a tracker needs a run folder to write to", "train.tracker", hint))
    return [{"tensorboard": TensorBoardTracker, "csv": CsvTracker, "trackio": TrackioTracker}[name](folder)]


class Tracker(Callback):
    """Writes each event as values with names: `loss/core`, `nats/core`, `nats/total`."""

    def write(self, values: Mapping[str, float], step: int, seconds: float) -> None:
        """Write the values of one event."""
        raise NotImplementedError

    def on_step_end(self, learner: Learner, event: Stepped) -> None:
        """Write the losses of a step."""
        self.write(_named(event.losses, {}), event.step, event.seconds)

    def on_validation(self, learner: Learner, event: Validated) -> None:
        """Write the scores of a validation, and their sum."""
        if event.nats:
            self.write(_named({}, event.nats), event.step, event.seconds)


class TensorBoardTracker(Tracker):
    """Writes event files to `tensorboard/` in the run folder; `tensorboard --logdir RUNS` shows them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise _missing("tensorboard") from error
        self._open = SummaryWriter
        self._writer: Any = None

    def on_start(self, learner: Learner, event: Started) -> None:
        """Open an event file that hides values of steps that are taken again."""
        with writing(self._folder):
            self._writer = self._open(str(self._folder), purge_step=event.step + 1)

    def write(self, values: Mapping[str, float], step: int, seconds: float) -> None:
        """Add scalars."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def on_error(self, learner: Learner, error: NonFiniteError) -> None:
        """Close the event file."""
        self._writer.close()

    def on_end(self, learner: Learner, result: FitResult) -> None:
        """Close the event file."""
        self._writer.close()


class CsvTracker(Tracker):
    """Writes `tracker.csv` to the run folder, a row for each value: step, seconds, name, value.

    Starting a new training in the same folder overwrites the table.
    """

    HEAD = ("step", "seconds", "name", "value")

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tracker.csv"

    def on_start(self, learner: Learner, event: Started) -> None:
        """Write the heading, and keep the rows of steps that are not taken again."""
        if is_special(self._path):  # a run received from someone else may have one
            self._path.unlink()
        rows = [self.HEAD, *self._kept(event.step, learner.validated)]
        write_file(self._path, "".join(f"{','.join(row)}\n" for row in rows))

    def write(self, values: Mapping[str, float], step: int, seconds: float) -> None:
        """Append rows."""
        with writing(self._path), self._path.open("a", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerows((step, seconds, name, value) for name, value in values.items())

    def _kept(self, step: int, validated: int) -> Iterator[tuple[str, ...]]:
        if not self._path.is_file():
            return
        with self._path.open(encoding="utf-8", errors="replace", newline="") as file:
            for row in (tuple(line.rstrip("\n").split(",")) for line in file):
                is_whole = len(row) == len(self.HEAD) and row[0].isdecimal() and len(row[0]) < LONGEST
                if is_whole and int(row[0]) <= (validated if row[2].startswith("nats/") else step):
                    yield row


class TrackioTracker(Tracker):
    """Logs to the local store of trackio, in the project `polyzoo`; `trackio show` opens it in a browser.

    The name of the run in the store is that of its folder and a digest of the folder's path and of a random
    number in the file `trackio`, since runs in different folders may have the same name, and so may runs that
    were in the same folder one after another.
    """

    PROJECT, KEY = "polyzoo", "trackio"

    def __init__(self, folder: Path) -> None:
        try:
            import trackio
        except ImportError as error:
            raise _missing("trackio") from error
        path = folder.resolve()
        self._trackio: Any = trackio  # some versions have types, and some calls in them have none
        self._metrics = MetricsFile(folder)
        key = os.fsencode(path) + self._key(path / self.KEY)
        self._name = f"{encodable(path.name)}-{sha256(key).hexdigest()[:16]}"

    def on_start(self, learner: Learner, event: Started) -> None:
        """Start the run in the store, with all metrics so far.

        The store may have values of steps that are taken again, and lacks those that it had not written when
        the run was killed.
        """
        config = {"recipe": str(learner.model.recipe), "device": event.device}
        self._delete()
        self._trackio.init(
            project=self.PROJECT, name=self._name, config=config, auto_log_gpu=False, embed=False
        )
        for past in self._metrics.events():
            values = _named(past.get("losses", {}), past.get("nats", {}))
            self.write(values, past["step"], past.get("seconds", 0.0))

    def write(self, values: Mapping[str, float], step: int, seconds: float) -> None:
        """Log values."""
        self._trackio.log({**values, "seconds": seconds}, step=step)

    def on_error(self, learner: Learner, error: NonFiniteError) -> None:
        """Finish the run in the store."""
        self._trackio.finish()

    def on_end(self, learner: Learner, result: FitResult) -> None:
        """Finish the run in the store."""
        self._trackio.finish()

    @staticmethod
    def _key(file: Path) -> bytes:
        """The random number of the run, which is drawn when it begins."""
        if not file.exists():
            write_file(file, secrets.token_hex(8))
        return file.read_bytes()

    def _delete(self) -> None:
        with suppress(RuntimeError):  # no run was interrupted in this process
            self._trackio.finish()
        with suppress(ValueError):  # the store has no such project yet
            for run in self._trackio.Api().runs(self.PROJECT):
                if run.name == self._name:
                    run.delete()


def _named(losses: Mapping[Term, float], nats: Mapping[Term, float]) -> dict[str, float]:
    """The values of a step or a validation, and the sum of the scores."""
    named = {f"loss/{term}": loss for term, loss in losses.items()}
    named |= {f"nats/{term}": value for term, value in nats.items()}
    return {**named, "nats/total": sum(nats.values())} if nats else named


def _missing(name: str) -> ZooError:
    what = f"this tracker needs {name}, which is not installed"
    return ZooError(Problem(what, f"train.tracker={name}", f"pip install 'polyzoo[{name}]'"))
