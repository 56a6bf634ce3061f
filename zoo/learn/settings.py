"""What a user may set of training, as `train.lr=0.003`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from zoo.music.grid import GRID
from zoo.parts import Settings, setting

BUDGETS = frozenset({"train.minutes", "train.epochs", "train.steps"})
"""How long to train: one of these at most."""
STEPS = 3000
"""Batches when the user names no budget: about ten minutes for the baseline on two cores."""


class TrainSettings(Settings):
    """How long, on what, and how fast a model learns."""

    minutes: float | None = setting(None, "train for so many minutes", live=True, gt=0)
    epochs: int | None = setting(None, "hear all fragments so often", live=True, ge=1)
    steps: int | None = setting(
        None, f"train for so many batches ({STEPS} unless minutes or epochs are set)", live=True, ge=1
    )
    batch: int = setting(8, "fragments heard at once", ge=1, le=65536)
    frames: int = setting(256, "length of a fragment, in sixteenths", ge=1, le=65536)
    stride: int = setting(32, "distance between the starts of two fragments, in sixteenths", ge=1, le=65536)
    past: int = setting(128, "history before a fragment, in sixteenths", ge=0, le=65536)
    transpose: bool = setting(True, "shift each fragment by -6 to 5 semitones, another shift each time")
    lr: float = setting(0.01, "learning rate of Adam", gt=0, le=1)
    clip: float = setting(1.0, "largest norm of a term's gradient", gt=0)
    validate_every: int = setting(100, "steps between two validations", ge=1)
    validate_frames: int = setting(
        2048, "how much of the validation pieces to score, in sixteenths; at least eight pieces", ge=1
    )
    patience: int = setting(0, "stop after so many validations without progress; 0 never stops", ge=0)
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps", live=True)
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = setting(
        "auto", "threads to compute with; auto is one for small models on the CPU", live=True
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in ("minutes", "epochs", "steps") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are budgets, of which one is enough")
        if self.stride > self.frames:
            raise ValueError(f"a stride of {self.stride} leaves gaps between fragments of {self.frames}")
        return self

    def on_grid(self, grid: int) -> Self:
        """The same training with lengths in frames of a grid instead of sixteenths.

        A grid coarser than sixteenths keeps the numbers, so that a published file of quarter notes is learned
        in fragments of as many frames as any other music.

        Args:
            grid: frames to a quarter note.
        """
        scale = max(grid, GRID)
        lengths = ("frames", "stride", "past", "validate_frames")
        return self.model_copy(update={name: getattr(self, name) * scale // GRID for name in lengths})

    def target(self, epoch: int) -> int | None:
        """The step at which training is over, or None where a clock decides.

        Args:
            epoch: how many steps an epoch has.
        """
        if self.minutes is not None:
            return None
        return self.epochs * epoch if self.epochs is not None else self.steps or STEPS
