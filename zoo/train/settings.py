"""Training settings, such as `train.lr=0.003`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from zoo.music.grid import GRID
from zoo.parts import Settings, setting
from zoo.parts.terms import Term
from zoo.parts.training import OptimizerSettings

BUDGETS = frozenset({"train.minutes", "train.epochs", "train.steps"})
"""The settings for the length of training, which exclude each other."""
STEPS = 3000
"""Default number of steps: about ten minutes for the baseline on two cores."""
PATIENCE = 20
"""Number of validations without improvement after which `train.patience=auto` ends training."""
LEAST = 1000
"""Number of training steps without improvement before which `train.patience=auto` never ends training."""


LEGACY: dict[str, Any] = {
    "accumulate": 1,
    "group_by_length": False,
    "openings": 0.0,
    "optimizer": "adam",
    "lr_core": None,
    "lr_decoder": None,
    "lr_velocity": None,
    "decay": 0.0,
    "warmup": 0,
    "schedule": "constant",
    "ema": 0.0,
    "precision": "float32",
    "tracker": "none",
}
"""Settings that were added in later versions, with the values that reproduce the behavior before.

Stored runs and results without these settings were trained with these values, whatever the defaults are now.
"""


class BatchSettings(Settings):
    """Length of training and batches."""

    minutes: float | None = setting(
        None,
        "training time in minutes; time for which the process is stopped (Ctrl-Z, a suspended job) counts",
        live=True,
        gt=0,
    )
    epochs: int | None = setting(None, "number of passes over the training fragments", live=True, ge=1)
    steps: int | None = setting(
        None,
        f"number of training steps, one or more batches each; {STEPS} if neither minutes nor epochs is set",
        live=True,
        ge=1,
    )
    batch: int = setting(8, "fragments per batch", ge=1, le=65536)
    accumulate: int = setting(1, "batches per training step, whose gradients are accumulated", ge=1, le=65536)
    frames: int = setting(256, "length of a fragment, in sixteenths", ge=1, le=65536)
    stride: int = setting(32, "distance between the starts of two fragments, in sixteenths", ge=1, le=65536)
    past: int = setting(
        128, "length of the context before a fragment, which is not scored, in sixteenths", ge=0, le=65536
    )
    group_by_length: bool = setting(
        False,
        "batch fragments of similar length together, so that batches of short pieces hold little padding",
    )
    openings: float = setting(
        0.0,
        "minimum share of fragments that begin a piece, which are repeated to reach it; from them a model "
        "learns how music begins",
        ge=0,
        le=0.9,
    )
    transpose: bool = setting(
        True, "transpose each fragment by -6 to 5 semitones, chosen at random each time"
    )


class TrainSettings(OptimizerSettings, BatchSettings):
    """Length of training, batches, optimizer, validation and device."""

    lr_core: float | None = setting(None, "learning rate of attention and sampler, instead of lr", gt=0, le=1)
    lr_decoder: float | None = setting(None, "learning rate of the decoder, instead of lr", gt=0, le=1)
    lr_velocity: float | None = setting(None, "learning rate of the velocity, instead of lr", gt=0, le=1)
    precision: Literal["float32", "bf16"] = setting(
        "float32",
        "float32, or bf16 for matrix products in bfloat16; weights and validation stay in float32",
    )
    validate_every: int = setting(100, "training steps between two validations", ge=1)
    validate_frames: int = setting(
        2048, "how much of the validation pieces to score, in sixteenths; at least eight pieces", ge=1
    )
    patience: Annotated[int, Field(ge=0)] | Literal["auto"] = setting(
        "auto",
        "number of validations without improvement of any term after which training stops; 0 to never stop "
        f"early; auto is {PATIENCE}, at least {LEAST} steps, for a constant schedule, and 0 for cosine",
        live=True,
    )
    device: str = setting("auto", "device to train on: auto, cpu, cuda, cuda:1 or mps", live=True)
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = setting(
        "auto", "number of threads to compute with; auto is one for small models on the CPU", live=True
    )

    tracker: Literal["none", "tensorboard", "csv", "trackio"] = setting(
        "none",
        "also write losses and scores to TensorBoard's event files, a table, or the store of trackio",
        live=True,
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in ("minutes", "epochs", "steps") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are mutually exclusive; set only one of them")
        if self.stride > self.frames:
            raise ValueError(f"a stride of {self.stride} leaves gaps between fragments of {self.frames}")
        return self

    def on_grid(self, grid: int) -> Self:
        """The same settings with lengths in frames of a grid instead of sixteenths.

        On grids coarser than sixteenths the numbers are kept, so that fragments of published datasets in
        quarter notes have as many frames as those of other music.

        Args:
            grid: frames per quarter note.
        """
        scale = max(grid, GRID)
        lengths = ("frames", "stride", "past", "validate_frames")
        return self.model_copy(update={name: getattr(self, name) * scale // GRID for name in lengths})

    def rate(self, term: Term) -> float:
        """The peak learning rate of a term."""
        rate: float | None = getattr(self, f"lr_{term}")
        return self.lr if rate is None else rate

    @property
    def wait(self) -> int:
        """The number of steps without improvement after which training stops; 0 to never stop early.

        The best weights are kept, so stopping early only loses what a term would still have gained later. A
        cosine schedule gains most at its end, so it is not cut short unless asked.
        """
        if self.patience != "auto":
            return self.patience * self.validate_every
        return max(PATIENCE * self.validate_every, LEAST) if self.schedule == "constant" else 0

    def target(self, epoch: int) -> int | None:
        """The number of steps at which training ends; None if it ends after some minutes.

        Args:
            epoch: steps per epoch.
        """
        if self.minutes is not None:
            return None
        return self.epochs * epoch if self.epochs is not None else self.steps or STEPS


SECTIONS: dict[str, type[Settings]] = {"train": TrainSettings}
"""The sections of a recipe besides its parts: the words `train.NAME=VALUE`."""
