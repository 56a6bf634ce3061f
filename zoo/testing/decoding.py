"""Checks of decoders: keys fold to exactly the codes, scores are probabilities, and draws follow them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from zoo.parts.clock import Clock
from zoo.parts.interfaces import Decoder, LogProb
from zoo.parts.optional import accepted
from zoo.testing.calls import chance, log_prob, played, start
from zoo.testing.calls import context as context_of
from zoo.testing.check import NotApplicableError, check, require
from zoo.testing.music import fold, random_music, real_sizes
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
from zoo.testing.sampling import require_correct_kind, require_top_p
from zoo.testing.under_test import PartUnderTest, facts


@dataclass(frozen=True)
class Passage:
    """Frames of codes (1, T, C), and the keys of the frame before the first of them (1, 1, K).

    Before that frame there is another one, in which all keys sound.
    """

    codes: Tensor
    before: Tensor

    def previous(self, part: Decoder, keys: Tensor) -> Tensor:
        """What the part takes as `previous`, for key sets (N, T, K) of this passage."""
        return played(part, torch.cat([self.before.expand(len(keys), -1, -1), keys[:, :-1]], 1))

    def context(self, part: Decoder, method: str, rows: int, first: int, last: int) -> dict[str, Any]:
        """Past and clock of a method for frames `first` to `last` (exclusive), once per row."""
        past = played(part, torch.ones_like(self.before)).expand(rows, -1, -1)
        frames = torch.arange(first, last).expand(rows, -1)
        return accepted(part, method, past=past, clock=Clock.common_time(frames, part.sizes.grid))

    def score(self, part: Decoder, keys: Tensor, seed: int = 0) -> LogProb:
        """The log-probabilities of key sets (N, T, K)."""
        codes = self.codes.expand(len(keys), -1, -1)
        known = self.context(part, "log_prob", len(keys), 0, keys.shape[1])
        return part.log_prob(codes, keys, self.previous(part, keys), chance(seed), **known)


def passages(part: Decoder, frames: int) -> Iterator[Passage]:
    """Three passages, which start with some codes, all codes and silence, each after different keys."""
    all_codes = everything(part.sizes.codes)[:, 0]
    before = everything(part.sizes.keys)[[0, 5, -1]]
    for kind, rows in enumerate(([6, 10], [-1, 3], [0, 12])):
        yield Passage(all_codes[rows[:frames]].unsqueeze(0), before[kind : kind + 1])


def _score(part: Decoder, passage: Passage, outcomes: Tensor) -> Scored:
    """Probabilities of key sets (N, T, K) for a passage."""
    with torch.no_grad():
        return scored(lambda keys, seed: passage.score(part, keys, seed), outcomes)


def _draw(
    part: Decoder,
    passage: Passage,
    temperature: float = 1.0,
    top_p: float = 1.0,
    known: Tensor | None = None,
    draws: int = FEW_DRAWS,
) -> Tensor:
    """Draws (draws, T, K) for a passage; with known keys (1, T', K), for the frames after them."""
    generator, drawn = chance(11), [passage.before.expand(draws, -1, -1)]
    nucleus = {"top_p": top_p} if top_p < 1 else {}
    codes, first = passage.codes.expand(draws, -1, -1), 0
    state = part.start(draws, **passage.context(part, "start", draws, 0, 0))
    with torch.no_grad():
        if known is not None:
            keys, first = known.expand(draws, -1, -1), known.shape[1]
            context = passage.context(part, "follow", draws, 0, first)
            state = part.follow(codes[:, :first], passage.previous(part, keys), state, **context)
            drawn = [keys[:, -1:]]
        for frame in range(first, codes.shape[1]):
            now, previous = codes[:, frame : frame + 1], played(part, drawn[-1])
            context = passage.context(part, "sample", draws, frame, frame + 1)
            keys, state = part.sample(now, previous, state, generator, temperature, **nucleus, **context)
            drawn.append(keys)
    return torch.cat(drawn[1:], 1)


def _folding(part: Decoder, codes: Tensor) -> Tensor:
    """All key sets (N, 1, K) that fold to one frame of codes (C,)."""
    outcomes = everything(part.sizes.keys)
    return outcomes[(fold(outcomes, part.sizes) == codes).all(-1).squeeze(-1)]


def _first_frame(part: Decoder, passage: Passage) -> tuple[Tensor, Scored]:
    """Keys (1, 1, K) of the first frame that the part can draw, and their probability.

    All keys that the codes allow, or a draw if a part that is nearly certain gives these no probability.
    """
    frame = replace(passage, codes=passage.codes[:, :1])
    keys = _folding(part, passage.codes[0, 0])[-1:]
    marginal = _score(part, frame, keys)
    if marginal.total < IMPOSSIBLE:
        keys = _draw(part, frame, draws=1)
        marginal = _score(part, frame, keys)
        require(marginal.total >= IMPOSSIBLE, "keys of probability 0 were drawn")
    return keys, marginal


def _tally(drawn: Tensor, outcomes: Tensor) -> Tensor:
    """The number of draws of each outcome (N, T, K); every draw must be one of them."""
    numbers, order = number_of(outcomes).sort()
    places = torch.searchsorted(numbers, number_of(drawn)).clamp(max=len(numbers) - 1)
    invalid = int((numbers[places] != number_of(drawn)).sum())
    require(invalid == 0, f"{invalid} of {len(drawn)} draws do not fold to their codes")
    counts = torch.bincount(places, minlength=len(numbers))
    return torch.zeros_like(counts).index_put_((order,), counts)


@check(
    "decoder",
    hint="condition on at least one key of every active code (see zoo.parts.masks.keys_log_prob)",
)
def key_probabilities_sum_to_one(tested: PartUnderTest) -> None:
    """exp(log_prob) sums to 1 over the key sets that fold to the codes, in the first frame and the second."""
    part = cast(Decoder, tested.build_randomised())
    for passage in passages(part, 1):
        keys = _folding(part, passage.codes[0, 0])
        require_total_one(_score(part, passage, keys), f"codes {passage.codes.int().tolist()[0][0]}")
    for passage in passages(part, 2):
        first, marginal = _first_frame(part, passage)
        second = _folding(part, passage.codes[0, 1])
        joint = _score(part, passage, torch.cat([first.expand(len(second), -1, -1), second], 1))
        require_total_one(
            joint.given(marginal.total, marginal.total_error), "the second frame, given the first"
        )


@check("decoder", hint="return -inf for keys of inactive codes, and for active codes without a key")
def other_keys_have_no_probability(tested: PartUnderTest) -> None:
    """Keys that do not fold to exactly the codes have probability 0."""
    part = cast(Decoder, tested.build_randomised())
    outcomes = everything(part.sizes.keys)
    for passage in passages(part, 1):
        folds = (fold(outcomes, part.sizes) == passage.codes).all(-1).squeeze(-1)
        with torch.no_grad():
            nats = passage.score(part, outcomes).value
        require(not nats.isnan().any(), "log_prob is NaN")
        possible = f"keys that do not fold to codes {passage.codes.int().tolist()[0][0]} have a probability"
        require((nats[~folds].exp() == 0).all(), possible)


@check(
    "decoder",
    hint="draw at least one key of every active code (see zoo.parts.masks.draw_keys) and no key of an "
    "inactive one",
)
def drawn_keys_fold_to_their_codes(tested: PartUnderTest) -> None:
    """Every active code gets a key, no other key sounds, and keys are 0 or 1, at any temperature."""
    small, real = tested.build_randomised(), tested.build_randomised(sizes=real_sizes())
    for part in (cast(Decoder, small), cast(Decoder, real)):
        music = random_music(part.sizes, batch=100, frames=1)
        for temperature in (1.0, 0.01, 100.0):
            state, context = start(part, "decoder", music), context_of(part, "sample", music)
            keys, _ = part.sample(music.codes, music.before(part), state, chance(), temperature, **context)
            require(((keys == 0) | (keys == 1)).all(), "keys that are not 0 or 1")
            lost = fold(keys, part.sizes) < music.codes
            extra = fold(keys, part.sizes) > music.codes
            require(not lost.any(), f"{int(lost.sum())} active codes got no key, temperature {temperature}")
            require(not extra.any(), f"{int(extra.sum())} inactive codes got keys, temperature {temperature}")


@check(
    "decoder",
    hint="score what `sample` draws: the same logits, condition and state; run Gibbs chains long enough",
)
def drawn_keys_match_their_scores(tested: PartUnderTest) -> None:
    """The frequencies of drawn keys match exp(log_prob), in the first frame and the second.

    With 8000 draws, the chi-square test detects differences of more than about 5 % of the probability.
    """
    part = cast(Decoder, tested.build_randomised())
    for passage in passages(part, 1):
        outcomes = _folding(part, passage.codes[0, 0])
        _require_draws_as_scored(part, passage, outcomes, f"codes {passage.codes.int().tolist()[0][0]}")
    two = Passage(everything(part.sizes.codes)[[3, 10]].view(1, 2, -1), everything(part.sizes.keys)[5:6])
    first, second = (_folding(part, codes) for codes in two.codes[0])
    outcomes = torch.cat([first.repeat_interleave(len(second), 0), second.repeat(len(first), 1, 1)], 1)
    _require_draws_as_scored(part, two, outcomes, "two frames")


def _require_draws_as_scored(part: Decoder, passage: Passage, outcomes: Tensor, what: str) -> None:
    expected = _score(part, passage, outcomes)
    require_draws(_tally(_draw(part, passage, draws=expected.draws), outcomes), expected, what)


@check("decoder", hint="let `follow` return the state that drawing these keys would have given")
def following_keys_matches_drawing(tested: PartUnderTest) -> None:
    """After following known frames, the frequencies of drawn keys match exp(log_prob) given those frames."""
    part = cast(Decoder, tested.build_randomised())
    for passage in passages(part, 2):
        known, _ = _first_frame(part, passage)
        second = _folding(part, passage.codes[0, 1])
        joint = _score(part, passage, torch.cat([known.expand(len(second), -1, -1), second], 1))
        after = joint.given(joint.total)
        drawn = _draw(part, passage, known=known, draws=after.draws)
        require_draws(_tally(drawn, second), after, "after a known frame")


@check("decoder", hint="set the kind of LogProb correctly: exact only if no random number is involved")
def kind_of_key_score_is_correct(tested: PartUnderTest) -> None:
    """An exact score does not depend on the generator; an estimate states its variance correctly."""
    part, music = cast(Decoder, tested.build_randomised()), tested.music(2, 4)
    with torch.no_grad():
        numbers = [log_prob(part, "decoder", music, seed) for seed in range(32)]
    require_correct_kind(numbers)


@check("decoder", hint="divide the logits by the temperature before drawing, or ignore the temperature")
def low_temperature_sharpens_keys(tested: PartUnderTest) -> None:
    """A low temperature does not increase the entropy of drawn keys."""
    part = cast(Decoder, tested.build_randomised())
    passage = next(passages(part, 1))
    outcomes = _folding(part, passage.codes[0, 0])
    plain = entropy(_tally(_draw(part, passage), outcomes))
    cool = entropy(_tally(_draw(part, passage, temperature=0.25), outcomes))
    require(cool <= plain + 0.05, f"entropy {plain:.3f} at temperature 1, {cool:.3f} at 0.25")


@check(
    "decoder",
    hint="draw with the `top_p` of `zoo.parts.masks.draw_keys`, or omit the argument",
    optional=True,
)
def low_top_p_keeps_the_likeliest_keys(tested: PartUnderTest) -> None:
    """A low `top_p` does not increase the entropy of drawn keys, which fold to their codes."""
    part = cast(Decoder, tested.build_randomised())
    require_top_p(part)
    for passage in passages(part, 1):
        outcomes = _folding(part, passage.codes[0, 0])
        plain = entropy(_tally(_draw(part, passage), outcomes))
        nucleus = entropy(_tally(_draw(part, passage, top_p=0.6), outcomes))
        require(nucleus <= plain + 0.05, f"entropy {plain:.3f} with top_p=1, {nucleus:.3f} with top_p=0.6")
        _tally(_draw(part, passage, top_p=1e-6), outcomes)


@check("decoder", hint='let `fit` report a problem if "encoder.plane" is "sounding"', optional=True)
def loudness_requires_pressed_keys(tested: PartUnderTest) -> None:
    """A part that uses loudness cannot be combined with an encoder of sounding keys."""
    part = cast(Decoder, tested.build())
    if not part.uses_loudness:
        raise NotApplicableError("the part does not use loudness")
    sounding = {**facts(part.sizes), "encoder.plane": "sounding"}
    problems = list(tested.description.fit(tested.settings, sounding))
    require(bool(problems), "held keys have no loudness, but `fit` allows encoders of sounding keys")
