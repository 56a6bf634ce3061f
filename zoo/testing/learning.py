"""Checks of training and state: weights, buffers, gradients, counts and calibration."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.model.probe import leaves_of
from zoo.parts.interfaces import Encoder, Part
from zoo.testing.calls import features_of, log_prob, loss, outputs, training_mode
from zoo.testing.check import NotApplicableError, check, require, require_same
from zoo.testing.music import LONG, Music, random_music
from zoo.testing.under_test import PartUnderTest, calibrated, counted


@check(hint="register every tensor that the outputs depend on as a parameter, submodule or persistent buffer")
def state_dict_restores(tested: PartUnderTest) -> None:
    """A part with the same settings that loads the state_dict gives the same outputs."""
    part, copied, music = tested.build_randomised(seed=1), tested.build(seed=2), tested.music()
    copied.load_state_dict({name: weights.clone() for name, weights in part.state_dict().items()})
    restored = outputs(copied, tested.slot, music)
    for name, output in outputs(part, tested.slot, music).items():
        require_same(restored[name], output, name, tolerance=1e-6)


@check(
    "attention",
    "sampler",
    "decoder",
    "velocity",
    hint="make the layer an attribute of the module; use nn.ModuleList, nn.ModuleDict or nn.ParameterList "
    "for lists and dicts",
)
def layers_are_registered(tested: PartUnderTest) -> None:
    """Every trainable tensor is in the state_dict; none is hidden in a list, a closure or a global."""
    part = tested.build()
    registered = {id(weights) for weights in part.parameters()}
    saved = {id(tensor) for tensor in part.state_dict(keep_vars=True).values()}
    music = tested.music()
    everything = {"loss": loss(part, tested.slot, music), **outputs(part, tested.slot, music)}
    for name, output in everything.items():
        hidden = [tuple(leaf.shape) for leaf in leaves_of(output) if id(leaf) not in registered]
        require(not hidden, f"{name} depends on unregistered trainable tensors of shapes {hidden}")
    unsaved = [name for name, weights in part.named_parameters() if id(weights) not in saved]
    require(not unsaved, f"not in the state_dict: {', '.join(unsaved)}")


@check(hint="use the parameter in the loss, without detach or no_grad in between, or remove it")
def every_parameter_learns(tested: PartUnderTest) -> None:
    """The loss has a non-zero gradient with respect to every parameter, if there are any."""
    part = tested.build_randomised()
    names = dict(part.named_parameters())
    if not names:
        return
    require(not isinstance(part, Encoder), "an encoder has no loss, so its parameters are never trained")
    unused = set(names)
    for seed in range(3):
        value = loss(part, tested.slot, random_music(part.sizes, batch=2, frames=LONG, seed=seed), seed)
        require(value.requires_grad, "the loss has no gradient")
        gradients = torch.autograd.grad(value, list(names.values()), allow_unused=True)
        pairs = zip(names, gradients, strict=True)
        unused -= {name for name, gradient in pairs if gradient is not None and gradient.any()}
        if not unused:
            return
    require(False, f"no gradient reaches {', '.join(sorted(unused))}")


def counts(part: Part) -> bool:
    """Whether the part counts training music."""
    return isinstance(part, Encoder) or type(part).count is not Part.count


@check(
    hint="exclude frames where the mask is false, accumulate counts over batches, and reset every count in "
    "forget_counts",
    optional=True,
)
def padding_is_not_counted(tested: PartUnderTest) -> None:
    """Counting ignores masked frames, accumulates over batches, and is reset by forget_counts."""
    if not counts(tested.build()):
        raise NotApplicableError("the part counts nothing")
    music, noise, mask = _padded(tested)
    whole = counted(tested.build(), tested.slot, music, mask).state_dict()
    padded = counted(tested.build(), tested.slot, noise, mask).state_dict()
    by_row = counted(tested.build(), tested.slot, noise)
    by_row.forget_counts()
    for row in (2, 0, 1):
        counted(by_row, tested.slot, music.rows(row, row + 1), mask[row : row + 1])
    for name, value in whole.items():
        require_same(padded[name], value, f"{name} with other padding", tolerance=0)
        recounted = by_row.state_dict()[name]
        require_same(recounted, value, f"{name} reset and counted row by row", tolerance=1e-5)


@check(
    hint="exclude frames where the mask is false, accumulate over batches, and reset when `first` is true",
    optional=True,
)
def calibration_starts_afresh(tested: PartUnderTest) -> None:
    """Calibration ignores masked frames, accumulates over batches, and starts afresh at the first one."""
    if type(tested.build()).calibrate is Part.calibrate:
        raise NotApplicableError("the part is not calibrated")
    music, noise, mask = _padded(tested)
    whole = calibrated(tested.build_randomised(), tested.slot, music, mask).state_dict()
    padded = calibrated(tested.build_randomised(), tested.slot, noise, mask).state_dict()
    by_row = calibrated(tested.build_randomised(), tested.slot, tested.music(seed=9))
    for row in (2, 0, 1):
        music_of_row = music.rows(row, row + 1)
        calibrated(by_row, tested.slot, music_of_row, mask[row : row + 1], first=row == 2)
    for name, value in whole.items():
        require_same(padded[name], value, f"{name} with other padding", tolerance=1e-5)
        require_same(by_row.state_dict()[name], value, f"{name} calibrated a second time, row by row")


def _padded(tested: PartUnderTest) -> tuple[Music, Music, Tensor]:
    """Music, the same music with a different ending, and the mask (B, T) that excludes the ending."""
    sizes = tested.build().sizes
    music = random_music(sizes, batch=3, frames=8)
    noise = music.span(0, 6).then(random_music(sizes, batch=3, frames=8, seed=5).span(6, 8))
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[:, 6:] = False
    return music, noise, mask


STEPS = 30
RATE = 0.01


@check(
    "attention",
    "sampler",
    "decoder",
    "velocity",
    optional=True,
    hint="look for a loss with the wrong sign, a detached layer, or unused counts",
)
def toy_music_is_learned(tested: PartUnderTest) -> None:
    """Counting, 30 steps of Adam and calibration on a toy batch improve the score on it."""
    part = tested.build()
    music = repetitive_music(part)
    parameters = list(part.parameters())
    if not parameters and not counts(part):
        raise NotApplicableError("the part has no parameters and counts nothing")
    before = _nats(tested, part, music)
    counted(part, tested.slot, music)
    if parameters:
        optimiser = torch.optim.Adam(parameters, RATE)
        for seed in range(STEPS):
            optimiser.zero_grad()
            with training_mode(part, seed):
                loss_value = _training_loss(tested, part, music, seed)
            loss_value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    calibrated(part, tested.slot, music)
    after = _nats(tested, part, music)
    require(after < before - 0.02 * abs(before), f"{before:.4g} before training and {after:.4g} after")


def repetitive_music(part: Part) -> Music:
    """Four random frames, repeated three times, in every row."""
    phrase = random_music(part.sizes, batch=1, frames=4, seed=3)
    music = phrase.then(phrase).then(phrase)
    return music.beside(music)


def _training_loss(tested: PartUnderTest, part: Part, music: Music, seed: int) -> Tensor:
    """The slot's loss; for an attention, the cross-entropy of a fixed linear readout of the next codes."""
    if tested.slot != "attention":
        return loss(part, tested.slot, music, seed)
    features = features_of(part, music)[:, :-1]
    readout = torch.randn(features.shape[-1], part.sizes.codes, generator=torch.Generator().manual_seed(0))
    logits = features.float() @ readout / features.shape[-1] ** 0.5
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, music.codes[:, 1:])


def _nats(tested: PartUnderTest, part: Part, music: Music) -> float:
    """Nats per frame, or the loss for an attention and for a velocity with parameters."""
    by_loss = tested.slot == "attention" or (tested.slot == "velocity" and bool(list(part.parameters())))
    with torch.no_grad():
        if not by_loss:
            return -float(log_prob(part, tested.slot, music).value.mean())
        return float(_training_loss(tested, part, music, 0))
