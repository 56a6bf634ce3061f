"""Nothing hears the future, and a sequence in pieces is the same sequence."""

from __future__ import annotations

from typing import cast

import torch

from zoo.parts.clock import Clock, joined
from zoo.parts.interfaces import Attention, LogProb, Velocity
from zoo.testing.check import check, require, require_same
from zoo.testing.music import LONG, Music
from zoo.testing.play import log_prob, loss_of_frames
from zoo.testing.subject import Subject


@check(
    "attention",
    cure="let frame t see frames 0..t only: shift convolutions to the left, mask attention above "
    "the diagonal, run recurrences forwards",
)
def features_hear_no_future(subject: Subject) -> None:
    """Features at t depend on codes up to t only: later ones have no gradient and change nothing."""
    part = cast(Attention, subject.build_lively())
    music, other = subject.music(2, LONG, past=LONG), subject.music(2, LONG, seed=7, past=LONG)
    codes = music.codes.clone().requires_grad_()
    features, _ = part(codes, music.clock, part.start(music.past))
    for frame in (0, 1, 20, LONG // 2, LONG - 2):
        later = slice(frame + 1, None)
        if features.requires_grad:
            readout = torch.randn(features.shape[::2], generator=torch.Generator().manual_seed(frame))
            heard = (features[:, frame] * readout).sum()
            (gradient,) = torch.autograd.grad(heard, codes, retain_graph=True, allow_unused=True)
            silent = gradient is None or not bool(gradient[:, later].any())
            require(silent, f"features of frame {frame} have a gradient from later codes")
        changed = torch.cat([music.codes[:, : frame + 1], other.codes[:, later]], 1)
        after, _ = part(changed, music.clock, part.start(music.past))
        require_same(after[:, : frame + 1], features[:, : frame + 1], f"features up to {frame}", 1e-5)


@check(
    "attention",
    cure="hand on in the state all that later frames need: memories, and the last frames that are looked up",
)
def chunks_equal_the_whole(subject: Subject) -> None:
    """A sequence in chunks, the state handed on, gives the same features as in one piece."""
    part = cast(Attention, subject.build_lively())
    for past in (0, 3, LONG):
        music = subject.music(2, LONG, past=past)
        whole, _ = part(music.codes, music.clock, part.start(music.past))
        for cuts in ((1,), (7,), (LONG // 2,), (16, 17, 80), (LONG - 1,), tuple(range(1, LONG))):
            state, pieces = part.start(music.past), []
            for first, last in zip((0, *cuts), (*cuts, LONG), strict=True):
                piece, state = part(music.codes[:, first:last], music.clock[:, first:last], state)
                pieces.append(piece)
            cut = "frame by frame" if len(cuts) > 3 else f"cut at {', '.join(map(str, cuts))}"
            require_same(torch.cat(pieces, 1), whole, f"past of {past}, {cut}")


@check("attention", cure="take the position from the clock that is passed in, not from a counter")
def clock_is_an_argument(subject: Subject) -> None:
    """Only the clock says where in the piece a frame is, from the silence before it to far on."""
    part = cast(Attention, subject.build_lively())
    music = subject.music(2, 6)
    for first in (-1, 0, 10**6):
        clock = Clock.common_time(first + torch.arange(6).repeat(2, 1), music.clock.grid)
        features, _ = part(music.codes, clock, part.start(music.past))
        require(features.isfinite().all(), f"clock from {first}: values that are not finite")
        mixed = joined([music.clock[:1], clock[1:]], 0)
        among, _ = part(music.codes, mixed, part.start(music.past))
        require_same(among[1:], features[1:], f"clock from {first}, the other row at another place")


def _scores(subject: Subject, music: Music) -> dict[str, LogProb]:
    part = subject.build_lively()
    return {
        "loss": LogProb(loss_of_frames(part, subject.slot, music)),
        "log_prob": log_prob(part, subject.slot, music),
    }


@check(
    "sampler",
    "decoder",
    "velocity",
    cure="score frame t from what is known up to t; run recurrences forwards",
)
def scores_hear_no_future(subject: Subject) -> None:
    """Losses and log-probabilities up to t do not depend on what comes later."""
    music, other = subject.music(2, 12), subject.music(2, 12, seed=7)
    whole = _scores(subject, music)
    for frame in (1, 6, 11):
        changed = music.span(0, frame).then(other.span(frame, 12))
        for what, score in _scores(subject, changed).items():
            require_same(score.value[:, :frame], whole[what].value[:, :frame], f"{what} before frame {frame}")


@check("velocity", cure="hand on in the state all that later frames need")
def loudness_in_chunks_equals_the_whole(subject: Subject) -> None:
    """Loudness predicted in chunks, the state handed on, is the same as in one piece."""
    part, music = cast(Velocity, subject.build_lively()), subject.music(2, 40)
    whole, _ = part.predict(music.codes, music.keys, music.softness, part.start(2))
    for cuts in ((1,), (7, 8, 30), tuple(range(1, 40))):
        state, pieces = part.start(2), []
        for first, last in zip((0, *cuts), (*cuts, 40), strict=True):
            now = music.span(first, last)
            piece, state = part.predict(now.codes, now.keys, now.softness, state)
            pieces.append(piece)
        require_same(torch.cat(pieces, 1), whole, f"cut at {cuts[0]}...")
