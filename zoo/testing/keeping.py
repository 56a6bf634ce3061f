"""Promises about what a part learns and keeps: weights, buffers, gradients and counts."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.model.probe import leaves_of
from zoo.parts.interfaces import Encoder, Part
from zoo.testing.check import DoesNotApplyError, check, require, require_same
from zoo.testing.music import LONG, Music, random_music
from zoo.testing.play import answers, features_of, learning, log_prob, loss
from zoo.testing.subject import Subject, calibrated, counted


@check(cure="register every tensor the answers depend on: nn.Module, nn.Parameter, or a persistent buffer")
def state_dict_restores(subject: Subject) -> None:
    """Another part of the same settings that loads the state_dict gives the same answers."""
    part, other, music = subject.build_lively(seed=1), subject.build(seed=2), subject.music()
    other.load_state_dict({name: weights.clone() for name, weights in part.state_dict().items()})
    restored = answers(other, subject.slot, music)
    for what, answer in answers(part, subject.slot, music).items():
        require_same(restored[what], answer, what, tolerance=1e-6)


@check(
    "attention",
    "sampler",
    "decoder",
    "velocity",
    cure="make the layer an attribute of the module; lists and dicts of layers need nn.ModuleList, "
    "nn.ModuleDict or nn.ParameterList",
)
def layers_are_registered(subject: Subject) -> None:
    """Every tensor that learns is in the state_dict; none hides in a list, a closure or a global."""
    part = subject.build()
    kept = {id(weights) for weights in part.parameters()}
    stored = {id(tensor) for tensor in part.state_dict(keep_vars=True).values()}
    music = subject.music()
    everything = {"loss": loss(part, subject.slot, music), **answers(part, subject.slot, music)}
    for what, answer in everything.items():
        hidden = [tuple(leaf.shape) for leaf in leaves_of(answer) if id(leaf) not in kept]
        require(not hidden, f"{what} depends on hidden tensors that learn, of shapes {hidden}")
    unsaved = [name for name, weights in part.named_parameters() if id(weights) not in stored]
    require(not unsaved, f"not in the state_dict: {', '.join(unsaved)}")


@check(cure="use the parameter in the loss, without detach or no_grad on the way, or remove it")
def every_parameter_learns(subject: Subject) -> None:
    """A gradient of the slot's own loss reaches every parameter; trivially so where there are none."""
    part = subject.build_lively()
    names = dict(part.named_parameters())
    if not names:
        return
    require(not isinstance(part, Encoder), "an encoder has no loss that could reach its parameters")
    idle = set(names)
    for seed in range(3):
        value = loss(part, subject.slot, random_music(part.sizes, batch=2, frames=LONG, seed=seed), seed)
        require(value.requires_grad, "the loss has no gradient")
        found = torch.autograd.grad(value, list(names.values()), allow_unused=True)
        idle -= {name for name, one in zip(names, found, strict=True) if one is not None and one.any()}
        if not idle:
            return
    require(False, f"no gradient reaches {', '.join(sorted(idle))}")


def counts(part: Part) -> bool:
    """Whether the part learns something by counting."""
    return isinstance(part, Encoder) or type(part).count is not Part.count


@check(
    cure="leave out of every count where the mask is false, and add: one batch or many, in any order; "
    "bring every count back to where it began in forget_counts",
    optional=True,
)
def padding_never_counts(subject: Subject) -> None:
    """Counting ignores what the mask leaves out, many batches count like one, and all can be forgotten."""
    if not counts(subject.build()):
        raise DoesNotApplyError("the part does not count")
    music, noise, mask = _padded(subject)
    whole = counted(subject.build(), subject.slot, music, mask).state_dict()
    padded = counted(subject.build(), subject.slot, noise, mask).state_dict()
    by_row = counted(subject.build(), subject.slot, noise)
    by_row.forget_counts()
    for row in (2, 0, 1):
        counted(by_row, subject.slot, music.rows(row, row + 1), mask[row : row + 1])
    for name, value in whole.items():
        require_same(padded[name], value, f"{name} with other padding", tolerance=0)
        again = by_row.state_dict()[name]
        require_same(again, value, f"{name} forgotten and counted row by row", tolerance=1e-5)


@check(
    cure="leave out what the mask leaves out, add batches up, and at `first=True` forget what was before",
    optional=True,
)
def calibration_begins_anew(subject: Subject) -> None:
    """Calibration ignores what the mask leaves out, adds batches up, and forgets what it found before."""
    if type(subject.build()).calibrate is Part.calibrate:
        raise DoesNotApplyError("the part is not calibrated")
    music, noise, mask = _padded(subject)
    whole = calibrated(subject.build_lively(), subject.slot, music, mask).state_dict()
    padded = calibrated(subject.build_lively(), subject.slot, noise, mask).state_dict()
    by_row = calibrated(subject.build_lively(), subject.slot, subject.music(seed=9))
    for row in (2, 0, 1):
        one = music.rows(row, row + 1)
        calibrated(by_row, subject.slot, one, mask[row : row + 1], first=row == 2)
    for name, value in whole.items():
        require_same(padded[name], value, f"{name} with other padding", tolerance=1e-5)
        require_same(by_row.state_dict()[name], value, f"{name} calibrated again, row by row")


def _padded(subject: Subject) -> tuple[Music, Music, Tensor]:
    """Music, the same with other music at its end, and the mask (B, T) that leaves this end out."""
    sizes = subject.build().sizes
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
    cure="look for a loss with the wrong sign, a detached layer, or a count that nothing reads",
)
def toy_music_is_learned(subject: Subject) -> None:
    """Counting a toy batch, thirty steps of Adam and calibration on it teach the part something."""
    part = subject.build()
    music = repetitive_music(part)
    parameters = list(part.parameters())
    if not parameters and not counts(part):
        raise DoesNotApplyError("the part has nothing to learn")
    before = _judged(subject, part, music)
    counted(part, subject.slot, music)
    if parameters:
        optimiser = torch.optim.Adam(parameters, RATE)
        for seed in range(STEPS):
            optimiser.zero_grad()
            with learning(part, seed):
                lesson = _lesson(subject, part, music, seed)
            lesson.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    calibrated(part, subject.slot, music)
    after = _judged(subject, part, music)
    require(after < before - 0.02 * abs(before), f"{before:.4g} before and {after:.4g} after")


def repetitive_music(part: Part) -> Music:
    """Four random frames, again and again, in every row."""
    phrase = random_music(part.sizes, batch=1, frames=4, seed=3)
    music = phrase.then(phrase).then(phrase)
    return music.beside(music)


def _lesson(subject: Subject, part: Part, music: Music, seed: int) -> Tensor:
    """The slot's loss; for an attention, how far a fixed readout of it is from the next codes."""
    if subject.slot != "attention":
        return loss(part, subject.slot, music, seed)
    features = features_of(part, music)[:, :-1]
    readout = torch.randn(features.shape[-1], part.sizes.codes, generator=torch.Generator().manual_seed(0))
    logits = features.float() @ readout / features.shape[-1] ** 0.5
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, music.codes[:, 1:])


def _judged(subject: Subject, part: Part, music: Music) -> float:
    """Nats per frame; the loss of an attention, and of a velocity that learns by gradient."""
    by_loss = subject.slot == "attention" or (subject.slot == "velocity" and bool(list(part.parameters())))
    with torch.no_grad():
        if not by_loss:
            return -float(log_prob(part, subject.slot, music).value.mean())
        return float(_lesson(subject, part, music, 0))
