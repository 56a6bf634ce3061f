"""Checks of samplers: scores are probabilities, and draws follow them."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor

from zoo.parts.clock import Clock
from zoo.parts.interfaces import Decoder, LogProb, Sampler
from zoo.parts.optional import accepted
from zoo.testing.calls import chance, context, leaves, log_prob, start, step
from zoo.testing.check import NotApplicableError, check, require
from zoo.testing.probability import (
    FEW_DRAWS,
    IMPOSSIBLE,
    Scored,
    entropy,
    everything,
    number_of,
    require_draws,
    require_total_one,
    scored,
)
from zoo.testing.under_test import PartUnderTest


def _context(part: Sampler, method: str, rows: Tensor, first: int = 0) -> dict[str, Any]:
    """Past and clock for frames `first` and later of rows (N, T, ...): after a frame with all codes."""
    past = torch.ones(len(rows), 1, part.sizes.codes)
    frames = torch.arange(first, first + rows.shape[1]).expand(len(rows), -1)
    return accepted(part, method, past=past, clock=Clock.common_time(frames, part.sizes.grid))


def _score(part: Sampler, features: Tensor, outcomes: Tensor) -> Scored:
    """Probabilities of codes (N, T, C), all given the same features (1, T, F)."""

    def ask(rows: Tensor, seed: int) -> LogProb:
        known = _context(part, "log_prob", rows)
        return part.log_prob(features.expand(len(rows), -1, -1), rows, chance(seed), **known)

    with torch.no_grad():
        return scored(ask, outcomes)


def _draw(
    part: Sampler,
    features: Tensor,
    temperature: float = 1.0,
    top_p: float = 1.0,
    known: Tensor | None = None,
    draws: int = FEW_DRAWS,
) -> Tensor:
    """Draws of codes (draws, T, C) given features (1, T, F); with known codes, of the frames after them."""
    generator, drawn = chance(11), []
    nucleus = {"top_p": top_p} if top_p < 1 else {}
    rows = features.expand(draws, -1, -1)
    state, first = part.start(draws, **_context(part, "start", rows)), 0
    with torch.no_grad():
        if known is not None:
            first = known.shape[1]
            earlier, codes = rows[:, :first], known.expand(draws, -1, -1)
            state = part.follow(earlier, codes, state, generator, **_context(part, "follow", earlier))
        for frame in range(first, rows.shape[1]):
            now = rows[:, frame : frame + 1]
            known_now = _context(part, "sample", now, frame)
            codes, state = part.sample(now, state, generator, temperature, **nucleus, **known_now)
            drawn.append(codes)
    return torch.cat(drawn, 1)


def _tally(drawn: Tensor, outcomes: int) -> Tensor:
    return torch.bincount(number_of(drawn), minlength=outcomes)


@check(
    "sampler",
    hint="normalise: log_softmax over exclusive outcomes, logsigmoid for independent ones; sum over all "
    "ways to draw the same frame",
)
def code_probabilities_sum_to_one(tested: PartUnderTest) -> None:
    """exp(log_prob) sums to 1 over all codes of one frame, and of two frames."""
    part = cast(Sampler, tested.build_randomised())
    width = part.sizes.codes
    for frames in (1, 2):
        features = tested.music(1, frames, seed=frames).features
        probabilities = _score(part, features, everything(width, frames))
        require_total_one(probabilities, f"{frames} frames")


@check(
    "sampler", hint="score what `sample` draws: the same logits, masks and state, and every step of the draw"
)
def drawn_codes_match_their_scores(tested: PartUnderTest) -> None:
    """The frequencies of drawn codes match exp(log_prob), over two frames.

    With 8000 draws, the chi-square test detects differences of more than about 5 % of the probability.
    """
    part = cast(Sampler, tested.build_randomised())
    features = tested.music(1, 2, seed=3).features
    outcomes = everything(part.sizes.codes, 2)
    expected = _score(part, features, outcomes)
    counts = _tally(_draw(part, features, draws=expected.draws), len(outcomes))
    require_draws(counts, expected, "two frames")


@check("sampler", hint="let `follow` return the state that drawing these codes would have given")
def following_codes_matches_drawing(tested: PartUnderTest) -> None:
    """After following known codes, the frequencies of drawn codes match exp(log_prob) given those codes."""
    part = cast(Sampler, tested.build_randomised())
    features = tested.music(1, 3, seed=4).features
    second = everything(part.sizes.codes)
    # A part that is nearly certain may give the fixed codes no probability; codes that it draws have some.
    drawn = _draw(part, features[:, :2], draws=1)
    for known in (*(torch.cat([second[first : first + 1], second[9:10]], 1) for first in (6, 0)), drawn):
        outcomes = torch.cat([known.expand(len(second), -1, -1), second], 1)
        joint = _score(part, features, outcomes)
        if joint.total < IMPOSSIBLE:
            continue
        after = joint.given(joint.total)
        counts = _tally(_draw(part, features, known=known, draws=after.draws), len(second))
        require_draws(counts, after, f"after codes {known.int().tolist()[0]}")
        if joint.kind != "exact":
            return


@check("sampler", hint="set the kind of LogProb correctly: exact only if no random number is involved")
def kind_of_code_score_is_correct(tested: PartUnderTest) -> None:
    """An exact score does not depend on the generator; an estimate states its variance correctly."""
    part, music = cast(Sampler, tested.build_randomised()), tested.music(2, 4)
    with torch.no_grad():
        scores = [log_prob(part, "sampler", music, seed) for seed in range(32)]
    require_correct_kind(scores)


def require_correct_kind(scores: list[LogProb]) -> None:
    """Require that scores of the same music with different seeds vary as their kind allows."""
    first, values = scores[0], torch.stack([score.value for score in scores]).double().detach()
    require(first.kind in ("exact", "bound", "estimate"), f"invalid kind {first.kind!r}")
    require(all(note.shape == first.value.shape for note in first.notes.values()), "notes are not (B, T)")
    if first.kind != "estimate":
        require(first.variance is None, f"a score of kind {first.kind} has a variance")
    if first.kind == "exact":
        require(bool((values == values[0]).all()), "an exact score depends on the generator")
    if first.kind == "estimate":
        variance = first.variance
        require(variance is not None and variance.shape == first.value.shape, "no variance (B, T)")
        stated = torch.stack([cast(Tensor, score.variance) for score in scores]).double().mean()
        actual = values.var(0).mean()
        plausible = stated / 4 - 1e-6 <= actual <= stated * 4 + 1e-6
        require(plausible, f"the variance is {actual:.3g}, the stated variance {stated:.3g}")


@check("sampler", hint="divide the logits by the temperature before drawing, or ignore the temperature")
def low_temperature_sharpens(tested: PartUnderTest) -> None:
    """A low temperature does not increase the entropy of draws, and extreme temperatures give valid codes."""
    part = cast(Sampler, tested.build_randomised())
    features = tested.music(1, 1, seed=5).features
    outcomes = 2**part.sizes.codes
    plain = entropy(_tally(_draw(part, features), outcomes))
    cool = entropy(_tally(_draw(part, features, 0.25), outcomes))
    require(cool <= plain + 0.05, f"entropy {plain:.3f} at temperature 1, {cool:.3f} at 0.25")
    for temperature in (1e-3, 1e3):
        drawn = _draw(part, features, temperature)
        require(((drawn == 0) | (drawn == 1)).all(), f"temperature {temperature}: codes that are not 0 or 1")


@check(
    "sampler",
    hint="draw each decision from `zoo.parts.masks.nucleus` or with `likely`, or omit the argument",
    optional=True,
)
def low_top_p_keeps_the_likeliest(tested: PartUnderTest) -> None:
    """A low `top_p` does not increase the entropy of draws; in the limit it leaves one set of each size."""
    part = cast(Sampler, tested.build_randomised())
    require_top_p(part)
    features = tested.music(1, 1, seed=5).features
    outcomes = 2**part.sizes.codes
    plain = entropy(_tally(_draw(part, features), outcomes))
    nucleus = entropy(_tally(_draw(part, features, top_p=0.6), outcomes))
    require(nucleus <= plain + 0.05, f"entropy {plain:.3f} with top_p=1, {nucleus:.3f} with top_p=0.6")
    drawn = _draw(part, features, top_p=1e-6)
    require(((drawn == 0) | (drawn == 1)).all(), "codes that are not 0 or 1")
    by_size = {int(codes.sum()): codes for codes in drawn}
    same = all(torch.equal(codes, by_size[int(codes.sum())]) for codes in drawn)
    require(same, "several sets of the same number of codes are drawn with top_p=1e-6")


def require_top_p(part: Sampler | Decoder) -> None:
    """Skip the check if a part was written without nucleus sampling."""
    if "top_p" not in signature(part.sample).parameters:
        raise NotApplicableError("`sample` has no argument `top_p`")


@check("sampler", hint="return codes of 0.0 and 1.0, not probabilities")
def drawn_codes_are_binary(tested: PartUnderTest) -> None:
    """Drawn codes are 0 or 1, and the state after a step has as many rows as the batch."""
    part = cast(Sampler, tested.build_randomised())
    music = tested.music(5, 1)
    drawn, state = step(part, "sampler", music, start(part, "sampler", music))
    require(((drawn == 0) | (drawn == 1)).all(), "codes that are not 0 or 1")
    require(all(leaf.shape[0] == 5 for leaf in leaves(state)), "the state has another number of rows")


@check("sampler", hint="keep the features in the graph: no detach or no_grad on the way to the loss")
def gradient_reaches_the_features(tested: PartUnderTest) -> None:
    """If the score depends on the features, the loss has a gradient with respect to them."""
    part, music = cast(Sampler, tested.build_randomised()), tested.music(2, 4)
    features = music.features.clone().requires_grad_()
    with torch.no_grad():
        plain = log_prob(part, "sampler", music).value
        changed = log_prob(part, "sampler", replace(music, features=-music.features)).value
    if torch.equal(plain, changed):
        return
    loss = part.loss(features, music.codes, chance(), **context(part, "loss", music))
    require(loss.requires_grad, "the loss has no gradient")
    (gradient,) = torch.autograd.grad(loss.sum(), features, allow_unused=True)
    require(gradient is not None and bool((gradient != 0).any()), "no gradient reaches the features")
