"""Promises of a decoder: keys fold to exactly the codes, are scored as probabilities and drawn like that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from zoo.parts.interfaces import Decoder, LogProb
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
from zoo.testing.music import fold, random_music, real_sizes
from zoo.testing.play import chance
from zoo.testing.sampling import require_honest_kind
from zoo.testing.subject import Subject


@dataclass(frozen=True)
class Passage:
    """Some frames of codes (1, T, C) and the keys before the first of them (1, 1, K)."""

    codes: Tensor
    before: Tensor

    def previous(self, keys: Tensor) -> Tensor:
        """The frames before some keys (N, T, K)."""
        return torch.cat([self.before.expand(len(keys), -1, -1), keys[:, :-1]], 1)


def passages(part: Decoder, frames: int) -> Iterator[Passage]:
    """Passages of three kinds: some codes, all codes, silence first; whatever sounded before."""
    every = everything(part.sizes.codes)[:, 0]
    before = everything(part.sizes.keys)[[0, 5, -1]]
    for kind, rows in enumerate(([6, 10], [-1, 3], [0, 12])):
        yield Passage(every[rows[:frames]].unsqueeze(0), before[kind : kind + 1])


def _score(part: Decoder, passage: Passage, outcomes: Tensor) -> Scored:
    """Probabilities of key sets (N, T, K) of a passage."""

    def ask(keys: Tensor, seed: int) -> LogProb:
        codes = passage.codes.expand(len(keys), -1, -1)
        return part.log_prob(codes, keys, passage.previous(keys), chance(seed))

    with torch.no_grad():
        return scored(ask, outcomes)


def _draw(
    part: Decoder,
    passage: Passage,
    temperature: float = 1.0,
    known: Tensor | None = None,
    draws: int = FEW_DRAWS,
) -> Tensor:
    """Draws (draws, T, K) of a passage; of the frames after the known keys (1, T', K), where given."""
    generator, drawn = chance(11), [passage.before.expand(draws, -1, -1)]
    codes, state, first = passage.codes.expand(draws, -1, -1), part.start(draws), 0
    with torch.no_grad():
        if known is not None:
            keys, first = known.expand(draws, -1, -1), known.shape[1]
            state = part.follow(codes[:, :first], passage.previous(keys), state)
            drawn = [keys[:, -1:]]
        for frame in range(first, codes.shape[1]):
            keys, state = part.sample(codes[:, frame : frame + 1], drawn[-1], state, generator, temperature)
            drawn.append(keys)
    return torch.cat(drawn[1:], 1)


def _folding(part: Decoder, codes: Tensor) -> Tensor:
    """Every way to play one frame of codes (C,), (N, 1, K)."""
    outcomes = everything(part.sizes.keys)
    return outcomes[(fold(outcomes, part.sizes) == codes).all(-1).squeeze(-1)]


def _tally(drawn: Tensor, outcomes: Tensor) -> Tensor:
    """How often each outcome (N, T, K) was drawn; all that is drawn must be among them."""
    numbers, sought = number_of(outcomes).sort()
    places = torch.searchsorted(numbers, number_of(drawn)).clamp(max=len(numbers) - 1)
    strange = int((numbers[places] != number_of(drawn)).sum())
    require(strange == 0, f"{strange} of {len(drawn)} draws do not fold to their codes")
    counts = torch.bincount(places, minlength=len(numbers))
    return torch.zeros_like(counts).index_put_((sought,), counts)


@check(
    "decoder",
    cure="condition on at least one key of every active code (zoo.parts.masks.keys_log_prob does it)",
)
def key_probabilities_sum_to_one(subject: Subject) -> None:
    """exp(log_prob) sums to 1 over the key sets that fold to the codes, in a first and in a later frame."""
    part = cast(Decoder, subject.build_lively())
    for passage in passages(part, 1):
        keys = _folding(part, passage.codes[0, 0])
        require_total_one(_score(part, passage, keys), f"codes {passage.codes.int().tolist()[0][0]}")
    for passage in passages(part, 2):
        first = _folding(part, passage.codes[0, 0])[-1:]
        once = _score(part, replace(passage, codes=passage.codes[:, :1]), first)
        second = _folding(part, passage.codes[0, 1])
        both = _score(part, passage, torch.cat([first.expand(len(second), -1, -1), second], 1))
        require_total_one(both.given(once.total, once.total_error), "the second frame, given the first,")


@check("decoder", cure="give -inf to keys that lie under no active code, and to codes without a key")
def other_keys_have_no_probability(subject: Subject) -> None:
    """Keys that do not fold to exactly the codes have probability 0."""
    part = cast(Decoder, subject.build_lively())
    outcomes = everything(part.sizes.keys)
    for passage in passages(part, 1):
        folds = (fold(outcomes, part.sizes) == passage.codes).all(-1).squeeze(-1)
        codes = passage.codes.expand(len(outcomes), -1, -1)
        with torch.no_grad():
            found = part.log_prob(codes, outcomes, passage.previous(outcomes), chance()).value
        require(not found.isnan().any(), "log_prob is NaN")
        require((found[~folds].exp() == 0).all(), f"keys beside codes {passage.codes.int().tolist()[0][0]}")


@check(
    "decoder",
    cure="draw given that every active code has at least one key (zoo.parts.masks.draw_keys does it), "
    "and no key of a silent code",
)
def drawn_keys_fold_to_their_codes(subject: Subject) -> None:
    """Every active code gets a key, no other key sounds, and keys hold 0 or 1, at any temperature."""
    small, real = subject.build_lively(), subject.build_lively(sizes=real_sizes())
    for part in (cast(Decoder, small), cast(Decoder, real)):
        music = random_music(part.sizes, batch=100, frames=1)
        for temperature in (1.0, 0.01, 100.0):
            keys, _ = part.sample(music.codes, music.previous, part.start(100), chance(), temperature)
            require(((keys == 0) | (keys == 1)).all(), "keys that are not 0 or 1")
            lost = fold(keys, part.sizes) < music.codes
            extra = fold(keys, part.sizes) > music.codes
            require(not lost.any(), f"{int(lost.sum())} active codes were lost, temperature {temperature}")
            require(not extra.any(), f"{int(extra.sum())} silent codes sound, temperature {temperature}")


@check(
    "decoder",
    cure="score what `sample` draws: the same logits, condition and memory; let Gibbs chains run long enough",
)
def drawn_keys_match_their_scores(subject: Subject) -> None:
    """Keys are drawn as often as log_prob says, in a first frame and in the one after it.

    With 8000 draws a chi-square test finds any difference of more than about 5 % of the probability.
    """
    part = cast(Decoder, subject.build_lively())
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


@check("decoder", cure="let `follow` take the state to where drawing these keys would have taken it")
def following_keys_is_like_having_drawn(subject: Subject) -> None:
    """After following known frames, keys are drawn as log_prob says they come after them."""
    part = cast(Decoder, subject.build_lively())
    for passage in passages(part, 2):
        known = _folding(part, passage.codes[0, 0])[-1:]
        second = _folding(part, passage.codes[0, 1])
        joint = _score(part, passage, torch.cat([known.expand(len(second), -1, -1), second], 1))
        after = joint.given(joint.total)
        drawn = _draw(part, passage, known=known, draws=after.draws)
        require_draws(_tally(drawn, second), after, "after a known frame")


@check("decoder", cure="return LogProb with the kind that is true: exact only where no chance enters")
def kind_of_the_key_number_is_honest(subject: Subject) -> None:
    """An exact number does not change with the generator; an estimate says how much it varies, truly."""
    part, music = cast(Decoder, subject.build_lively()), subject.music(2, 4)
    with torch.no_grad():
        numbers = [part.log_prob(music.codes, music.keys, music.previous, chance(n)) for n in range(32)]
    require_honest_kind(numbers)


@check("decoder", cure="divide the logits by the temperature before drawing, or leave it alone")
def low_temperature_sharpens_keys(subject: Subject) -> None:
    """A low temperature never makes the draws of keys more even."""
    part = cast(Decoder, subject.build_lively())
    passage = next(passages(part, 1))
    outcomes = _folding(part, passage.codes[0, 0])
    plain = entropy(_tally(_draw(part, passage), outcomes))
    cool = entropy(_tally(_draw(part, passage, temperature=0.25), outcomes))
    require(cool <= plain + 0.05, f"entropy {plain:.3f} at temperature 1, {cool:.3f} at 0.25")
