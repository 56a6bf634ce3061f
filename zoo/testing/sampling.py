"""Promises of a sampler: what it scores are probabilities, and what it draws follows them."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from zoo.parts.interfaces import LogProb, Sampler
from zoo.testing.chances import (
    FEW_DRAWS,
    Scored,
    entropy,
    everything,
    number_of,
    require_draws,
    require_total_one,
    scored,
)
from zoo.testing.check import check, require
from zoo.testing.play import chance, leaves
from zoo.testing.subject import Subject


def _score(part: Sampler, features: Tensor, outcomes: Tensor) -> Scored:
    """Probabilities of frames of codes (N, T, C), all after the same features (1, T, F)."""

    def ask(rows: Tensor, seed: int) -> LogProb:
        return part.log_prob(features.expand(len(rows), -1, -1), rows, chance(seed))

    with torch.no_grad():
        return scored(ask, outcomes)


def _draw(
    part: Sampler,
    features: Tensor,
    temperature: float = 1.0,
    known: Tensor | None = None,
    draws: int = FEW_DRAWS,
) -> Tensor:
    """Draws (draws, T, C) of the frames of codes that follow the features (1, T, F), after known ones."""
    generator, drawn = chance(11), []
    many = features.expand(draws, -1, -1)
    state = part.start(draws)
    with torch.no_grad():
        if known is not None:
            length = known.shape[1]
            state = part.follow(many[:, :length], known.expand(draws, -1, -1), state, generator)
            many = many[:, length:]
        for frame in range(many.shape[1]):
            codes, state = part.sample(many[:, frame : frame + 1], state, generator, temperature)
            drawn.append(codes)
    return torch.cat(drawn, 1)


def _tally(drawn: Tensor, outcomes: int) -> Tensor:
    return torch.bincount(number_of(drawn), minlength=outcomes)


@check(
    "sampler",
    cure="normalise: log_softmax over exclusive outcomes, logsigmoid for each independent one; count "
    "every way in which a frame can come about",
)
def code_probabilities_sum_to_one(subject: Subject) -> None:
    """exp(log_prob) sums to 1 over all codes of one frame, and over all codes of two frames."""
    part = cast(Sampler, subject.build_lively())
    width = part.sizes.codes
    for frames in (1, 2):
        features = subject.music(1, frames, seed=frames).features
        probabilities = _score(part, features, everything(width, frames))
        require_total_one(probabilities, f"{frames} frames")


@check(
    "sampler", cure="score what `sample` draws: the same logits, masks and memory, and every step of the draw"
)
def drawn_codes_match_their_scores(subject: Subject) -> None:
    """Codes are drawn as often as log_prob says, in the first frame and, after it, in the second.

    With 8000 draws of two frames a chi-square test finds any difference of more than about 5 % of the
    probability.
    """
    part = cast(Sampler, subject.build_lively())
    features = subject.music(1, 2, seed=3).features
    outcomes = everything(part.sizes.codes, 2)
    expected = _score(part, features, outcomes)
    counts = _tally(_draw(part, features, draws=expected.draws), len(outcomes))
    require_draws(counts, expected, "two frames")


@check("sampler", cure="let `follow` take the state to where drawing these codes would have taken it")
def following_is_like_having_drawn(subject: Subject) -> None:
    """After following known codes, the next frame is drawn as log_prob says it comes after them."""
    part = cast(Sampler, subject.build_lively())
    features = subject.music(1, 3, seed=4).features
    second = everything(part.sizes.codes)
    for first in (6, 0):
        known = torch.cat([second[first : first + 1], second[9:10]], 1)
        outcomes = torch.cat([known.expand(len(second), -1, -1), second], 1)
        joint = _score(part, features, outcomes)
        after = joint.given(joint.total)
        counts = _tally(_draw(part, features, known=known, draws=after.draws), len(second))
        require_draws(counts, after, f"after codes {known.int().tolist()[0]}")
        if joint.kind != "exact":
            return


@check("sampler", cure="return LogProb with the kind that is true: exact only where no chance enters")
def kind_of_the_number_is_honest(subject: Subject) -> None:
    """An exact number does not change with the generator; an estimate says how much it varies, truly."""
    part, music = cast(Sampler, subject.build_lively()), subject.music(2, 4)
    with torch.no_grad():
        numbers = [part.log_prob(music.features, music.codes, chance(seed)) for seed in range(32)]
    require_honest_kind(numbers)


def require_honest_kind(numbers: list[LogProb]) -> None:
    """Numbers of the same music with other chances vary as their kind allows."""
    first, values = numbers[0], torch.stack([number.value for number in numbers]).double().detach()
    require(first.kind in ("exact", "bound", "estimate"), f"kind {first.kind!r}")
    require(all(note.shape == first.value.shape for note in first.notes.values()), "notes are not (B, T)")
    if first.kind != "estimate":
        require(first.variance is None, f"a number of kind {first.kind} has a variance")
    if first.kind == "exact":
        require(bool((values == values[0]).all()), "an exact number changes with the generator")
    if first.kind == "estimate":
        variance = first.variance
        require(variance is not None and variance.shape == first.value.shape, "no variance (B, T)")
        stated = torch.stack([cast(Tensor, number.variance) for number in numbers]).double().mean()
        seen = values.var(0).mean()
        require(stated / 4 - 1e-6 <= seen <= stated * 4 + 1e-6, f"varies by {seen:.3g}, states {stated:.3g}")


@check("sampler", cure="divide the logits by the temperature before drawing, or leave it alone")
def low_temperature_sharpens(subject: Subject) -> None:
    """A low temperature never makes the draws more even, and the lowest and highest do not break them."""
    part = cast(Sampler, subject.build_lively())
    features = subject.music(1, 1, seed=5).features
    many = 2**part.sizes.codes
    plain = entropy(_tally(_draw(part, features), many))
    cool = entropy(_tally(_draw(part, features, 0.25), many))
    require(cool <= plain + 0.05, f"entropy {plain:.3f} at temperature 1, {cool:.3f} at 0.25")
    for temperature in (1e-3, 1e3):
        drawn = _draw(part, features, temperature)
        require(((drawn == 0) | (drawn == 1)).all(), f"temperature {temperature}: codes that are not 0 or 1")


@check("sampler", cure="draw codes of 0.0 and 1.0, never probabilities")
def drawn_codes_are_on_or_off(subject: Subject) -> None:
    """Drawn codes hold 0 or 1, and a step leaves a state for exactly the rows it was given."""
    part = cast(Sampler, subject.build_lively())
    drawn, state = part.sample(subject.music(5, 1).features, part.start(5), chance())
    require(((drawn == 0) | (drawn == 1)).all(), "codes that are not 0 or 1")
    require(all(leaf.shape[0] == 5 for leaf in leaves(state)), "a state of other rows")


@check("sampler", cure="keep features in the graph: no detach, no no_grad, on the way to the loss")
def attention_learns_through_the_loss(subject: Subject) -> None:
    """Where features change what is scored, the loss has a gradient with respect to them."""
    part, music = cast(Sampler, subject.build_lively()), subject.music(2, 4)
    features = music.features.clone().requires_grad_()
    with torch.no_grad():
        plain = part.log_prob(music.features, music.codes, chance()).value
        changed = part.log_prob(-music.features, music.codes, chance()).value
    if torch.equal(plain, changed):
        return
    loss = part.loss(features, music.codes, chance())
    require(loss.requires_grad, "the loss has no gradient")
    (gradient,) = torch.autograd.grad(loss.sum(), features, allow_unused=True)
    require(gradient is not None and bool((gradient != 0).any()), "no gradient reaches the features")
