"""A trained part as a `torch.export` program: one frame at a time, without the zoo."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from zoo.errors import Problem, UsageError, ZooError
from zoo.model.counting import evaluation_mode
from zoo.model.model import Model
from zoo.music.meter import Meter
from zoo.parts import Slot
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Encoder, State, Velocity
from zoo.parts.optional import accepted

LENGTHS = (8, 37)
"""Frames of the passages on which the exported program is compared with the part."""
TOLERANCE = 1e-4
LONG = 4096
"""Frames of silence before a piece after which the state of any part has its full size."""


@dataclass(frozen=True)
class ExportedPart:
    """A part as a program.

    Attributes:
        program: takes the inputs of one frame and the state, gives the outputs and the next state. Its
            `example_inputs` contain the state before the first frame.
        readme: its inputs and outputs with their shapes, in Markdown.
        error: the largest difference from the part, over passages of `LENGTHS` frames.
    """

    program: ExportedProgram
    readme: str
    error: float


class _EncoderStep(nn.Module):
    """Codes (1, 1, C) of keys (1, 1, K)."""

    names = ("keys", "state")

    def __init__(self, part: Encoder) -> None:
        super().__init__()
        self.part = part

    def forward(self, keys: Tensor, state: State) -> tuple[Tensor, State]:
        return self.part.fold(keys), state


class _AttentionStep(nn.Module):
    """Features (1, 1, F) of a frame at its position in the bar.

    The frame is given by its codes (1, 1, C), or by its keys (1, 1, K) if the attention hears something else.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.part, self.grid = model.attention, model.grid
        self.encoder = model.encoder if _hears_keys(model) else None
        self.names = ("keys" if self.encoder else "codes", "bar", "place", "length", "beat", "state")

    def forward(
        self, frame: Tensor, bar: Tensor, place: Tensor, length: Tensor, beat: Tensor, state: State
    ) -> tuple[Tensor, State]:
        heard = self.encoder.heard(frame, self.encoder.fold(frame)) if self.encoder else frame
        features, state = self.part(heard, Clock(bar, place, length, beat, self.grid), state)
        return features, state


class _VelocityStep(nn.Module):
    """Loudness (1, 1, K) of the struck keys of a frame; the position in the bar if the part takes a clock."""

    def __init__(self, part: Velocity, grid: int) -> None:
        super().__init__()
        self.part, self.grid = part, grid
        position = ("bar", "place", "length", "beat") if accepted(part, "predict", clock=None) else ()
        self.names = ("codes", "struck", "previous", *position, "state")

    def forward(
        self, codes: Tensor, struck: Tensor, previous: Tensor, *position_and_state: Any
    ) -> tuple[Tensor, State]:
        *position, state = position_and_state
        known = {"clock": Clock.of(position, self.grid)} if position else {}
        return self.part.predict(codes, struck, previous, state, **known)


def export_part(model: Model, slot: Slot) -> ExportedPart:
    """Export the encoder, attention or velocity of a model on the CPU, and compare it with the part.

    Args:
        model: a trained model.
        slot: the part.

    Raises:
        UsageError: the part draws at random, which a program cannot.
        ZooError: torch cannot export the part, its state grows, or the program computes something else.
    """
    if slot in ("sampler", "decoder"):
        hint = f"use the torch module instead: zoo.load(BUNDLE).model.{slot}"
        raise UsageError(Problem(f"a {slot} draws at random, which an exported program cannot", slot, hint))
    model = model.cpu()
    step = _step(model, slot)
    with evaluation_mode(model), torch.no_grad():
        state = _first_state(model, slot, step)
        example = (*_passage(model, slot, 1), state)
        program = _exported(step, example, slot)
        run = program.module()
        error = max(_difference(run, step, model, slot, state, frames) for frames in LENGTHS)
        outputs = step(*example)
    if not error <= TOLERANCE:
        what = f"the exported {slot} differs from the part by up to {error:.2g}"
        raise ZooError(Problem(what, slot, "use the torch module instead"))
    return ExportedPart(program, _readme(step, slot, model, example, outputs, error), error)


def _step(model: Model, slot: Slot) -> Any:
    if slot == "encoder":
        return _EncoderStep(model.encoder)
    if slot == "attention":
        return _AttentionStep(model)
    return _VelocityStep(model.velocity, model.grid)


def _passage(model: Model, slot: Slot, frames: int) -> tuple[Tensor, ...]:
    """The inputs of a part for some random frames, (1, frames, ...) each."""
    chance = torch.Generator().manual_seed(frames)
    keys = (torch.rand(1, frames, 88, generator=chance) < 0.05).float()
    codes = model.encoder.fold(keys)
    if slot == "encoder":
        return (keys,)
    numbers = np.arange(-1, frames - 1, dtype=np.int64)[None]
    position = Clock.in_meters([Meter(model.grid)], numbers, model.grid).tensors()
    if slot == "attention":
        return keys if _hears_keys(model) else codes, *position
    loud = torch.rand(keys.shape, generator=chance) * keys
    previous = torch.cat([torch.zeros_like(loud[:, :1]), loud[:, :-1]], 1)
    return codes, keys, previous, *(position if accepted(model.velocity, "predict", clock=None) else ())


def _first_state(model: Model, slot: Slot, step: Any) -> State:
    """The state before a piece, of the size that it keeps, with memory of its own for each tensor."""
    if slot == "encoder":
        return ()
    if slot == "velocity":
        past = torch.zeros(1, 0, model.encoder.sizes.keys)
        return _copied(model.velocity.start(1, **accepted(model.velocity, "start", past=past)))

    def start(frames: int) -> State:
        return _copied(model.attention.start(torch.zeros(1, frames, model.encoder.inputs)))

    now = _passage(model, slot, 1)
    _, full = step(*now, start(LONG))
    lengths = {leaf.shape[1] for leaf in pytree.tree_leaves(full) if leaf.dim() > 1}
    for frames in (0, *sorted(lengths)):  # silence before a piece makes no difference
        state = start(frames)
        if _shapes(step(*now, state)[1]) == _shapes(state):
            return state
    raise ZooError(Problem("its state grows from frame to frame", slot, "use the torch module instead"))


def _hears_keys(model: Model) -> bool:
    """Whether the attention hears something else than codes, of the same width or not."""
    return type(model.encoder).heard is not Encoder.heard


def _copied(state: State) -> State:
    """The state without tensors that occur twice, which torch.export would take for one."""
    return pytree.tree_map(lambda leaf: leaf.clone(), state)


def _shapes(state: State) -> list[tuple[int, ...]]:
    return [tuple(leaf.shape) for leaf in pytree.tree_leaves(state)]


def _exported(step: Any, example: tuple[Any, ...], slot: Slot) -> ExportedProgram:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return torch.export.export(step, example, strict=False)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            hint = "use the torch module instead"
            raise ZooError(Problem(f"torch cannot export this {slot}: {reason}", slot, hint)) from error


def _difference(
    run: Callable[..., Any], step: Any, model: Model, slot: Slot, state: State, frames: int
) -> float:
    """The largest difference between a program, frame by frame, and the part, given the whole passage."""
    passage = _passage(model, slot, frames)
    whole, _ = step(*passage, _copied(state))
    outputs = []
    for frame in range(frames):
        output, state = run(*(plane[:, frame : frame + 1] for plane in passage), state)
        outputs.append(output)
    return float((torch.cat(outputs, 1) - whole).abs().max())


def _readme(
    step: Any, slot: Slot, model: Model, example: tuple[Any, ...], outputs: tuple[Any, ...], error: float
) -> str:
    def lines(name: str, value: Any) -> list[str]:
        leaves = pytree.tree_leaves(value)
        names = [name] if isinstance(value, Tensor) else [f"{name}[{place}]" for place in range(len(leaves))]
        return [
            f"- `{label}`: {tuple(leaf.shape)} {str(leaf.dtype).removeprefix('torch.')}"
            for label, leaf in zip(names, leaves, strict=True)
        ]

    result = {"encoder": "codes", "attention": "features", "velocity": "loudness"}[slot]
    inputs = [line for name, value in zip(step.names, example, strict=True) for line in lines(name, value)]
    after = [
        line for name, value in zip((result, "state"), outputs, strict=True) for line in lines(name, value)
    ]
    text = [
        f"# {slot}={model.recipe.parts[slot].entry.name}",
        f"One frame at a time, {model.grid} frames per quarter note. Call `program.module()(*inputs)`; the "
        "state before the first frame is the last of `program.example_inputs[0]`. Keys are those of a piano, "
        "A0 first; `bar`, `place`, `length` and `beat` are the number of the bar, the frames since its bar "
        "line, its length and that of a beat in frames.",
        "## Inputs",
        "\n".join(inputs),
        "## Outputs",
        "\n".join(after),
        f"Frame by frame it differs from the part by at most {error:.1e}, over passages of "
        f"{' and '.join(map(str, LENGTHS))} frames.",
    ]
    return "\n\n".join(text) + "\n"
