"""Checks of causality: no part sees the future, and a sequence in chunks gives the same outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch

from zoo.parts.clock import Clock, joined
from zoo.parts.interfaces import Attention, LogProb, Velocity
from zoo.parts.optional import accepted
from zoo.testing.calls import log_prob, loss_of_frames, outputs, predict, start
from zoo.testing.check import NotApplicableError, check, require, require_same
from zoo.testing.music import LONG, Music, even_sizes, random_music
from zoo.testing.under_test import PartUnderTest, facts

WIDE = 11
"""Number of inputs that is neither the number of codes nor that of keys."""


@check(
    "attention",
    hint="let frame t see frames 0..t only: pad convolutions on the left, mask attention above "
    "the diagonal, run recurrences forwards",
)
def features_are_causal(tested: PartUnderTest) -> None:
    """Features at t depend on codes up to t only: later codes have no gradient and no effect."""
    part = cast(Attention, tested.build_randomised())
    music, other = tested.music(2, LONG, past=LONG), tested.music(2, LONG, seed=7, past=LONG)
    codes = music.codes.clone().requires_grad_()
    features, _ = part(codes, music.clock, part.start(music.past))
    for frame in (0, 1, 20, LONG // 2, LONG - 2):
        later = slice(frame + 1, None)
        if features.requires_grad:
            readout = torch.randn(features.shape[::2], generator=torch.Generator().manual_seed(frame))
            value = (features[:, frame] * readout).sum()
            (gradient,) = torch.autograd.grad(value, codes, retain_graph=True, allow_unused=True)
            causal = gradient is None or not bool(gradient[:, later].any())
            require(causal, f"features of frame {frame} have a gradient with respect to later codes")
        changed = torch.cat([music.codes[:, : frame + 1], other.codes[:, later]], 1)
        after, _ = part(changed, music.clock, part.start(music.past))
        require_same(after[:, : frame + 1], features[:, : frame + 1], f"features up to {frame}", 1e-5)


@check(
    "attention",
    hint="keep in the state everything that later frames need: recurrent state and the most recent frames",
)
def chunks_equal_the_whole(tested: PartUnderTest) -> None:
    """A sequence in chunks, with the state passed on, gives the same features as in one piece."""
    part = cast(Attention, tested.build_randomised())
    for past in (0, 3, LONG):
        music = tested.music(2, LONG, past=past)
        whole, _ = part(music.codes, music.clock, part.start(music.past))
        for cuts in ((1,), (7,), (LONG // 2,), (16, 17, 80), (LONG - 1,), tuple(range(1, LONG))):
            state, pieces = part.start(music.past), []
            for first, last in zip((0, *cuts), (*cuts, LONG), strict=True):
                piece, state = part(music.codes[:, first:last], music.clock[:, first:last], state)
                pieces.append(piece)
            cut = "frame by frame" if len(cuts) > 3 else f"split at {', '.join(map(str, cuts))}"
            require_same(torch.cat(pieces, 1), whole, f"past of {past}, {cut}")


@check(
    "attention",
    hint="skip the frames before the first that is not silent: `zoo.parts.layers.begun` marks them",
)
def silence_before_a_piece_is_no_past(tested: PartUnderTest) -> None:
    """A past of silence makes no difference: training has one before a piece begins, generation has none."""
    part = cast(Attention, tested.build_randomised())
    music = tested.music(2, LONG, past=0)
    nothing = music.codes[:, :0]
    alone, _ = part(music.codes, music.clock, part.start(nothing))
    for silent in (1, LONG):
        past = torch.zeros(2, silent, music.codes.shape[-1])
        after, _ = part(music.codes, music.clock, part.start(past))
        require_same(after, alone, f"{silent} silent frames before the piece")


@check(
    "attention",
    hint="size layers by `sizes.inputs`, not `sizes.codes`; or let `fit` reject a fact `encoder.inputs` that "
    "differs from `encoder.codes`",
    optional=True,
)
def more_than_codes_can_be_heard(tested: PartUnderTest) -> None:
    """Encoders may give an attention more than the codes: another width than `sizes.codes` works as well."""
    sizes = replace(tested.sizes, inputs=WIDE)
    if list(tested.description.fit(tested.settings, facts(sizes))):
        raise NotApplicableError("the part is not compatible with such encoders")
    part = tested.build_randomised(sizes=sizes)
    for name, output in outputs(part, tested.slot, random_music(even_sizes(WIDE), 2, 12)).items():
        require(output.isfinite().all(), f"{name}: values that are not finite")


@check("attention", hint="read the position from the clock that is passed in, not from a counter")
def position_comes_from_the_clock(tested: PartUnderTest) -> None:
    """The position of a frame comes from its row of the clock alone, also for very large positions."""
    part = cast(Attention, tested.build_randomised())
    music = tested.music(2, 6)
    for first in (-1, 0, 10**6):
        clock = Clock.common_time(first + torch.arange(6).repeat(2, 1), music.clock.grid)
        features, _ = part(music.codes, clock, part.start(music.past))
        require(features.isfinite().all(), f"clock from {first}: values that are not finite")
        mixed = joined([music.clock[:1], clock[1:]], 0)
        other, _ = part(music.codes, mixed, part.start(music.past))
        require_same(other[1:], features[1:], f"clock from {first}, with another position in the other row")


def _scores(tested: PartUnderTest, music: Music) -> dict[str, LogProb]:
    part = tested.build_randomised()
    return {
        "loss": LogProb(loss_of_frames(part, tested.slot, music)),
        "log_prob": log_prob(part, tested.slot, music),
    }


@check(
    "sampler",
    "decoder",
    "velocity",
    hint="score frame t from frames up to t only; run recurrences forwards",
)
def scores_are_causal(tested: PartUnderTest) -> None:
    """Losses and log-probabilities up to t do not depend on later frames."""
    music, other = tested.music(2, 12), tested.music(2, 12, seed=7)
    whole = _scores(tested, music)
    for frame in (1, 6, 11):
        changed = music.span(0, frame).then(other.span(frame, 12))
        for name, score in _scores(tested, changed).items():
            require_same(score.value[:, :frame], whole[name].value[:, :frame], f"{name} before frame {frame}")


@check(
    "sampler",
    "decoder",
    "velocity",
    hint="skip the frames before the first that is not silent: `zoo.parts.layers.begun` marks them",
    optional=True,
)
def silence_before_a_piece_is_no_music(tested: PartUnderTest) -> None:
    """A past of silence makes no difference to scores: training has one before a piece begins."""
    part, music = tested.build_randomised(), tested.music(2, 12, past=0)
    if not accepted(part, "log_prob", past=None):
        raise NotApplicableError("`log_prob` has no parameter `past`")
    alone = log_prob(part, tested.slot, music).value
    for silent in (1, LONG):
        past = {
            name: plane.new_zeros(2, silent, plane.shape[-1])
            for name, plane in music.tensors()
            if name.startswith("past")
        }
        after = log_prob(part, tested.slot, replace(music, **past)).value
        require_same(after, alone, f"{silent} silent frames before the piece")


@check("velocity", hint="keep in the state everything that later frames need")
def loudness_in_chunks_equals_the_whole(tested: PartUnderTest) -> None:
    """Loudness predicted in chunks, with the state passed on, is the same as in one piece."""
    part, music = cast(Velocity, tested.build_randomised()), tested.music(2, 40)
    whole, _ = predict(part, music, start(part, "velocity", music))
    for cuts in ((1,), (7, 8, 30), tuple(range(1, 40))):
        state, pieces = start(part, "velocity", music), []
        for first, last in zip((0, *cuts), (*cuts, 40), strict=True):
            piece, state = predict(part, music.span(first, last), state)
            pieces.append(piece)
        require_same(torch.cat(pieces, 1), whole, f"split at {cuts[0]}...")
