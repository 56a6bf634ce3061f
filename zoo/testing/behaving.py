"""Promises of every part's answers: shapes, numbers, rows, seeds, and hands off what is not its own."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Part
from zoo.testing.check import check, require, require_same
from zoo.testing.music import Music, even_music, random_music
from zoo.testing.play import SHAPES, TRUTHS, answers, leaves, loss, start, step
from zoo.testing.subject import Subject


def require_shapes(subject: Subject, part: Part, music: Music) -> None:
    """Every answer has its shape and is finite."""
    sizes = {"B": music.batch, "T": music.frames, "C": part.sizes.codes, "K": part.sizes.keys}
    if isinstance(part, Attention):
        sizes["F"] = part.features
    for what, answer in answers(part, subject.slot, music).items():
        shape = tuple(sizes[letter] for letter in SHAPES[what])
        require(tuple(answer.shape) == shape, f"{what}: shape {tuple(answer.shape)}, not {shape}")
        require(answer.isfinite().all(), f"{what}: values that are not finite")


@check(cure="return (B, T, ...) float32 as the interface says; look for a lost dimension or a division by 0")
def answers_have_their_shape(subject: Subject) -> None:
    """Every answer has the shape and type that the interface says, and is finite."""
    for part in (subject.build(), subject.build_lively()):
        require_shapes(subject, part, subject.music())
        for what, answer in answers(part, subject.slot, subject.music()).items():
            dtype = torch.bool if what in TRUTHS else torch.float32
            require(answer.dtype == dtype, f"{what}: {answer.dtype}, not {dtype}")


@check(cure="let no shape depend on more than one row, one frame or a past; do not squeeze without a dim")
def any_length_will_do(subject: Subject) -> None:
    """One row, one frame, no past at all: every size from 1 up is music."""
    part = subject.build_lively()
    for batch, frames, past in ((1, 1, 0), (1, 4, 2), (4, 1, 1), (2, 7, 0)):
        require_shapes(subject, part, subject.music(batch, frames, past=past))


@check(
    cure="stay in log space (zoo.parts.masks) and keep mean, variance and division away from what may be 0"
)
def silence_and_all_keys_survive(subject: Subject) -> None:
    """Silence, and every key at once, get finite answers, also from a part that has counted nothing."""
    for part in (subject.build(), subject.build_lively()):
        for on in (False, True):
            require_shapes(subject, part, even_music(part.sizes, on))


@check(
    cure="never mix rows: no mean over the batch, no batch normalisation, no reshape across dimension 0; "
    "draw equally many random numbers for every row, however many steps it takes"
)
def rows_are_independent(subject: Subject) -> None:
    """What else is in the batch changes nothing for a row."""
    music = subject.music(batch=3)
    among_others = music.rows(0, 1).beside(subject.music(batch=2, seed=9))
    one, other = (answers(subject.build_lively(), subject.slot, batch) for batch in (music, among_others))
    for what, answer in one.items():
        require_same(other[what][:1], answer[:1], what)


@check(
    cure="take every number of chance from the generator that is passed in, and set weights from torch's "
    "generator alone"
)
def same_seed_same_result(subject: Subject) -> None:
    """The same seed gives the same weights and answers; but for a loss, however often one asks."""
    one, other = subject.build(seed=1), subject.build(seed=1)
    for name, weights in one.state_dict().items():
        require_same(other.state_dict()[name], weights, f"weights {name}", tolerance=0)
    music = subject.music()
    expected = answers(one, subject.slot, music)
    for what, answer in answers(other, subject.slot, music).items():
        require_same(answer, expected[what], what, tolerance=0)
    for what, answer in answers(one, subject.slot, music).items():
        if what != "loss":
            require_same(answer, expected[what], f"{what}, asked again,", tolerance=0)


@contextmanager
def untouched() -> Iterator[None]:
    """Nothing that all of Python shares changes in here."""
    before = _shared_states()
    try:
        yield
        after = _shared_states()
    finally:
        torch.set_default_dtype(before["torch's default dtype"])  # type: ignore[arg-type]
    for what, state in after.items():
        require(repr(state) == repr(before[what]), f"{what} changed")


def _shared_states() -> dict[str, object]:
    return {
        "torch's global generator": torch.default_generator.get_state().tolist(),
        "numpy's global generator": [
            part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()
        ],
        "Python's global generator": random.getstate(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's number of threads": torch.get_num_threads(),
    }


@check(cure="draw from the generator that is passed in, and pass dtypes instead of setting the default")
def global_state_is_left_alone(subject: Subject) -> None:
    """No use of global chance (torch, numpy, random), no change of defaults that others share."""
    with untouched():
        part = subject.build()
    with untouched():
        answers(part, subject.slot, subject.music())
        subject.build_lively()


def _tensors(plane: Tensor | Clock) -> tuple[Tensor, ...]:
    return plane.tensors() if isinstance(plane, Clock) else (plane,)


@check(cure="work on a copy: no method that ends in _ and no indexed assignment on what was passed in")
def inputs_are_left_alone(subject: Subject) -> None:
    """Neither the music nor a state that is passed in is changed in place."""
    part, music = subject.build_lively(), subject.music()
    untouched_music = music.map(Tensor.clone)
    answers(part, subject.slot, music)
    for (name, plane), (_, before) in zip(music.tensors(), untouched_music.tensors(), strict=True):
        pairs = zip(_tensors(plane), _tensors(before), strict=True)
        require(all(torch.equal(*pair) for pair in pairs), f"{name} was changed in place")
    if subject.slot == "encoder":
        return
    now = music.span(0, 1)
    _, state = step(part, subject.slot, now, start(part, subject.slot, now))
    before_step = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves(state)]
    step(part, subject.slot, music.span(1, 2), state)
    for leaf, before in zip(leaves(state), before_step, strict=True):
        require(not isinstance(leaf, Tensor) or torch.equal(leaf, before), "a state was changed in place")


@check(
    "attention",
    "sampler",
    "decoder",
    "velocity",
    cure="keep in the state only tensors with the batch in front, in tuples, lists and dicts",
)
def state_is_a_nest_of_rows(subject: Subject) -> None:
    """A state is a nest of tensors with the batch in front, before the first frame and after it."""
    part, music = subject.build(), subject.music(batch=3).span(0, 1)
    state = start(part, subject.slot, music)
    for when in ("before the first frame", "after a frame"):
        for leaf in leaves(state):
            require(isinstance(leaf, Tensor), f"{when}: a {type(leaf).__name__} in the state")
            require(leaf.dim() > 0 and leaf.shape[0] == 3, f"{when}: {tuple(leaf.shape)} with a batch of 3")
        _, state = step(part, subject.slot, music, state)


@check(cure="say where new tensors live: device=self.device, zeros_like, new_zeros")
def device_is_followed(subject: Subject) -> None:
    """New tensors are made where the part lives, not on whatever device is torch's default."""
    part, music = subject.build(), subject.music()
    again = copy.deepcopy(part)
    expected = answers(part, subject.slot, music)
    with torch.device("meta"):
        elsewhere = answers(again, subject.slot, music)
    for what, answer in elsewhere.items():
        require(answer.device.type == "cpu", f"{what} was made on the default device")
        require_same(answer, expected[what], what)


@check(
    "attention",
    "sampler",
    "decoder",
    "velocity",
    cure="stay in log space: logsigmoid, log_softmax, logsumexp and the masks of zoo.parts.masks",
)
def huge_weights_give_finite_numbers(subject: Subject) -> None:
    """Weights and features a hundred times too large still give finite answers and gradients."""
    part = subject.build_lively()
    with torch.no_grad():
        for weights in part.parameters():
            weights.mul_(100)
    sizes = part.sizes
    for music in (random_music(sizes), even_music(sizes, False, frames=5), even_music(sizes, True, frames=5)):
        loud = Music(**{**dict(music.tensors()), "features": music.features * 1000})
        for what, answer in answers(part, subject.slot, loud).items():
            require(answer.isfinite().all(), f"{what}: values that are not finite")
        _require_finite_gradients(subject, part, loud)


def _require_finite_gradients(subject: Subject, part: Part, music: Music) -> None:
    wanted = list(part.parameters())
    value = loss(part, subject.slot, music)
    if not wanted or not value.requires_grad:
        return
    found = torch.autograd.grad(value, wanted, allow_unused=True)
    require(all(one is None or bool(one.isfinite().all()) for one in found), "a gradient is not finite")
