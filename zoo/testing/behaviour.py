"""Checks of every part's outputs: shapes, finite values, independent rows, seeds, and no side effects."""

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
from zoo.testing.calls import BOOLEAN_OUTPUTS, SHAPES, chance, leaves, loss, outputs, start, step
from zoo.testing.check import ContractViolationError, check, require, require_same
from zoo.testing.music import Music, random_music, uniform_music
from zoo.testing.under_test import PartUnderTest


def require_shapes(tested: PartUnderTest, part: Part, music: Music) -> None:
    """Require that every output has the right shape and is finite."""
    sizes = {"B": music.batch, "T": music.frames, "C": part.sizes.codes, "K": part.sizes.keys}
    sizes["H"] = part.sizes.inputs
    if isinstance(part, Attention):
        sizes["F"] = part.features
    for name, output in outputs(part, tested.slot, music).items():
        shape = tuple(sizes[letter] for letter in SHAPES[name])
        require(tuple(output.shape) == shape, f"{name}: shape {tuple(output.shape)}, not {shape}")
        require(output.isfinite().all(), f"{name}: values that are not finite")


@check(hint="return (B, T, ...) float32 as documented; look for a squeezed dimension or a division by 0")
def outputs_have_the_right_shape(tested: PartUnderTest) -> None:
    """Every output has the shape and dtype that the interface documents, and is finite."""
    for part in (tested.build(), tested.build_randomised()):
        require_shapes(tested, part, tested.music())
        for name, output in outputs(part, tested.slot, tested.music()).items():
            dtype = torch.bool if name in BOOLEAN_OUTPUTS else torch.float32
            require(output.dtype == dtype, f"{name}: {output.dtype}, not {dtype}")


@check(hint="do not assume more than one row, one frame or a non-empty past; do not squeeze without a dim")
def any_length_works(tested: PartUnderTest) -> None:
    """Batches of one row, one frame or no past work like any other."""
    part = tested.build_randomised()
    for batch, frames, past in ((1, 1, 0), (1, 4, 2), (4, 1, 1), (2, 7, 0)):
        require_shapes(tested, part, tested.music(batch, frames, past=past))


@check(
    hint="stay in log space (zoo.parts.masks); do not divide by, or take the mean of, what may be empty or 0"
)
def silence_and_all_keys_are_finite(tested: PartUnderTest) -> None:
    """Silence and all keys at once give finite outputs, even if the part has counted nothing."""
    for part in (tested.build(), tested.build_randomised()):
        for on in (False, True):
            require_shapes(tested, part, uniform_music(part.sizes, on))


@check(
    hint="do not mix rows: no mean over the batch, no batch normalisation, no reshape across dimension 0; "
    "draw the same number of random numbers for every row, however many steps it takes"
)
def rows_are_independent(tested: PartUnderTest) -> None:
    """The outputs of a row do not depend on the other rows of the batch."""
    music = tested.music(batch=3)
    mixed = music.rows(0, 1).beside(tested.music(batch=2, seed=9))
    expected, actual = (outputs(tested.build_randomised(), tested.slot, batch) for batch in (music, mixed))
    try:
        for name, output in expected.items():
            require_same(actual[name][:1], output[:1], name)
    except ContractViolationError as violation:
        if tested.slot in ("sampler", "decoder") and _shares_chance(tested, music, mixed):
            cause = "other rows change how many random numbers `sample` draws"
            raise ContractViolationError(f"{violation}; {cause}") from None
        raise


def _shares_chance(tested: PartUnderTest, music: Music, mixed: Music) -> bool:
    """Whether drawing a frame takes another number of random numbers if other rows differ."""
    states = []
    for batch in (music.span(0, 1), mixed.span(0, 1)):
        part, generator = tested.build_randomised(), chance()
        step(part, tested.slot, batch, start(part, tested.slot, batch), generator)
        states.append(generator.get_state())
    return not torch.equal(*states)


@check(
    hint="draw random numbers only from the generator that is passed in, and initialise weights with torch's "
    "global generator only"
)
def same_seed_same_result(tested: PartUnderTest) -> None:
    """The same seed gives the same weights and outputs, and so does a second call (except for a loss)."""
    first, second = tested.build(seed=1), tested.build(seed=1)
    for name, weights in first.state_dict().items():
        require_same(second.state_dict()[name], weights, f"weights {name}", tolerance=0)
    music = tested.music()
    expected = outputs(first, tested.slot, music)
    for name, output in outputs(second, tested.slot, music).items():
        require_same(output, expected[name], name, tolerance=0)
    for name, output in outputs(first, tested.slot, music).items():
        if name != "loss":
            require_same(output, expected[name], f"{name} in a second call", tolerance=0)


@contextmanager
def global_state_unchanged() -> Iterator[None]:
    """Require that the block leaves global state unchanged."""
    before = _global_states()
    try:
        yield
        after = _global_states()
    finally:
        torch.set_default_dtype(before["torch's default dtype"])  # type: ignore[arg-type]
    for name, state in after.items():
        require(repr(state) == repr(before[name]), f"{name} changed")


def _global_states() -> dict[str, object]:
    return {
        "torch's global generator": torch.default_generator.get_state().tolist(),
        "numpy's global generator": [
            field.tolist() if isinstance(field, np.ndarray) else field for field in np.random.get_state()
        ],
        "Python's global generator": random.getstate(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's number of threads": torch.get_num_threads(),
    }


@check(hint="draw from the generator that is passed in, and pass dtypes instead of setting the default")
def global_state_is_unchanged(tested: PartUnderTest) -> None:
    """No global random generator (torch, numpy, random) is used, and no global default is changed."""
    with global_state_unchanged():
        part = tested.build()
    with global_state_unchanged():
        outputs(part, tested.slot, tested.music())
        tested.build_randomised()


def _tensors(plane: Tensor | Clock) -> tuple[Tensor, ...]:
    return plane.tensors() if isinstance(plane, Clock) else (plane,)


@check(hint="work on a copy: no in-place method (ending in _) and no indexed assignment on arguments")
def inputs_are_unchanged(tested: PartUnderTest) -> None:
    """Neither the music nor a state that is passed in is modified in place."""
    part, music = tested.build_randomised(), tested.music()
    original = music.map(Tensor.clone)
    outputs(part, tested.slot, music)
    for (name, plane), (_, before) in zip(music.tensors(), original.tensors(), strict=True):
        pairs = zip(_tensors(plane), _tensors(before), strict=True)
        require(all(torch.equal(*pair) for pair in pairs), f"{name} was modified in place")
    if tested.slot == "encoder":
        return
    now = music.span(0, 1)
    _, state = step(part, tested.slot, now, start(part, tested.slot, now))
    before_step = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves(state)]
    step(part, tested.slot, music.span(1, 2), state)
    for leaf, before in zip(leaves(state), before_step, strict=True):
        require(not isinstance(leaf, Tensor) or torch.equal(leaf, before), "a state was modified in place")


@check(
    "attention",
    "sampler",
    "decoder",
    "velocity",
    hint="keep only batch-first tensors in the state, in tuples, lists and dicts",
)
def state_is_batch_first(tested: PartUnderTest) -> None:
    """A state holds only batch-first tensors, before and after the first frame."""
    part, music = tested.build(), tested.music(batch=3).span(0, 1)
    state = start(part, tested.slot, music)
    for when in ("before the first frame", "after a frame"):
        for leaf in leaves(state):
            require(isinstance(leaf, Tensor), f"{when}: a {type(leaf).__name__} in the state")
            require(leaf.dim() > 0 and leaf.shape[0] == 3, f"{when}: {tuple(leaf.shape)} for a batch of 3")
        _, state = step(part, tested.slot, music, state)


@check(hint="create new tensors with device=self.device, zeros_like or new_zeros")
def device_is_respected(tested: PartUnderTest) -> None:
    """New tensors are created on the device of the part, not on torch's default device."""
    part, music = tested.build(), tested.music()
    copied = copy.deepcopy(part)
    expected = outputs(part, tested.slot, music)
    with torch.device("meta"):
        actual = outputs(copied, tested.slot, music)
    for name, output in actual.items():
        require(output.device.type == "cpu", f"{name} was created on the default device")
        require_same(output, expected[name], name)


@check(
    "attention",
    "sampler",
    "decoder",
    "velocity",
    hint="stay in log space: logsigmoid, log_softmax, logsumexp and the masks of zoo.parts.masks",
)
def huge_weights_give_finite_numbers(tested: PartUnderTest) -> None:
    """Weights a hundred times too large and huge features still give finite outputs and gradients."""
    part = tested.build_randomised()
    with torch.no_grad():
        for weights in part.parameters():
            weights.mul_(100)
    sizes = part.sizes
    for music in (
        random_music(sizes),
        uniform_music(sizes, False, frames=5),
        uniform_music(sizes, True, frames=5),
    ):
        huge = Music(**{**dict(music.tensors()), "features": music.features * 1000})
        for name, output in outputs(part, tested.slot, huge).items():
            require(output.isfinite().all(), f"{name}: values that are not finite")
        _require_finite_gradients(tested, part, huge)


def _require_finite_gradients(tested: PartUnderTest, part: Part, music: Music) -> None:
    parameters = list(part.parameters())
    value = loss(part, tested.slot, music)
    if not parameters or not value.requires_grad:
        return
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    finite = all(gradient is None or bool(gradient.isfinite().all()) for gradient in gradients)
    require(finite, "a gradient is not finite")
