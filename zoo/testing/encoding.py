"""Promises of an encoder: codes are its keys folded, and with its residual nothing of the score is lost."""

from __future__ import annotations

from itertools import product
from typing import cast

import torch
from torch import Tensor

from zoo.errors import DataError
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Encoder
from zoo.testing.chances import Scored, chi_square_p, require_total_one
from zoo.testing.check import check, require, require_same
from zoo.testing.play import chance
from zoo.testing.subject import Subject

DRAWS = 8000
FRAMES, KEYS = 3, (40, 41)
"""The tiny example: all scores of two neighbouring keys in three frames."""


@check("encoder", cure="give every key to exactly one code, every code at least one key")
def every_key_has_one_code(subject: Subject) -> None:
    """The membership gives every key to exactly one code, and no code is without keys."""
    part = cast(Encoder, subject.build())
    membership = part.membership
    require(membership.dtype == torch.bool, f"membership is {membership.dtype}, not bool")
    require(tuple(membership.shape) == (part.codes, part.sizes.keys), f"shape {tuple(membership.shape)}")
    require((membership.sum(0) == 1).all(), "a key belongs to no code, or to several")
    require((membership.sum(1) > 0).all(), "a code has no key")


@check("encoder", cure="inherit `fold`, or let a code be on exactly where one of its keys is")
def codes_are_folded_keys(subject: Subject) -> None:
    """A code is on exactly where at least one of its keys is."""
    part, music = cast(Encoder, subject.build()), subject.music(2, 20)
    expected = (music.keys.unsqueeze(-2) * part.membership).amax(-1)
    require_same(part.fold(music.keys), expected, "codes", tolerance=0)


@check("encoder", cure="inherit `keys`, and let `plane` say which plane of the score is modelled")
def keys_are_the_declared_plane(subject: Subject) -> None:
    """Keys are the plane that `plane` names; music that lacks it is refused with a cure."""
    part, music = cast(Encoder, subject.build()), subject.music(2, 20)
    plane = music.onset if part.plane == "onset" else music.sounding
    require_same(part.keys(music.onset, music.sounding), plane.float(), "keys", tolerance=0)
    if part.plane == "sounding":
        require_same(part.keys(None, music.sounding), plane.float(), "keys without onsets", tolerance=0)
        return
    try:
        part.keys(None, music.sounding)
    except DataError:
        return
    require(False, "music that does not say which keys are pressed was taken")


def tiny_scores(keys: int) -> tuple[Tensor, Tensor]:
    """All scores of two keys in three frames: onset and sounding planes (N, T, K) bool.

    Each key is off, held or struck in each frame; a key is held only where it sounded before.
    """
    states = [cell for cell in product((0, 1, 2), repeat=FRAMES * len(KEYS)) if _playable(cell)]
    cells = torch.tensor(states).view(-1, FRAMES, len(KEYS))
    planes = torch.zeros(2, len(cells), FRAMES, keys, dtype=torch.bool)
    planes[0][..., list(KEYS)] = cells == 2
    planes[1][..., list(KEYS)] = cells > 0
    return planes[0], planes[1]


def opening_clock() -> Clock:
    """The clock of the first frames of a piece in 4/4, (1, FRAMES)."""
    return Clock.common_time(torch.arange(FRAMES).unsqueeze(0))


def _groups(keys: Tensor) -> Tensor:
    """For each row of keys (N, width) the first row with the same keys."""
    return (keys.unsqueeze(1) == keys).all(-1).int().argmax(-1)


def _playable(cells: tuple[int, ...]) -> bool:
    width = len(KEYS)
    return all(
        state != 1 or (place >= width and cells[place - width] > 0) for place, state in enumerate(cells)
    )


@check(
    "encoder",
    cure="let each question have answers whose probabilities sum to 1, and ask only what the keys leave open",
)
def residual_probabilities_sum_to_one(subject: Subject) -> None:
    """Of all scores with the same keys, the residual's probabilities sum to 1."""
    part = cast(Encoder, subject.build_lively())
    onset, sounding = tiny_scores(part.sizes.keys)
    keys = part.keys(onset, sounding).flatten(1)
    chances = part.residual.log_prob(onset, sounding, opening_clock()).sum(1).double().exp()
    group = _groups(keys)
    totals = torch.zeros(len(keys), dtype=torch.float64).index_add_(0, group, chances)
    for total in totals[sorted(set(group.tolist()))]:
        require_total_one(Scored(total.view(1), torch.zeros(1)), "scores of some keys")


@check(
    "encoder",
    cure="restore planes whose modelled plane is exactly the keys, and strike every note that sounds",
)
def restored_planes_agree_with_keys(subject: Subject) -> None:
    """Restored planes give back the same keys, every struck key sounds, every held key was struck."""
    part, music = cast(Encoder, subject.build_lively()), subject.music(4, 30)
    keys = part.keys(music.onset, music.sounding)
    for seed in range(3):
        onset, sounding = part.residual.restore(keys, music.clock, chance(seed))
        require_same(part.keys(onset, sounding), keys, "keys", tolerance=0)
        require(not (onset & ~sounding).any(), "a struck key does not sound")
        before = torch.cat([torch.zeros_like(sounding[:, :1]), sounding[:, :-1]], 1)
        require(not (sounding & ~onset & ~before).any(), "a key is held that did not sound before")


@check("encoder", cure="draw in `restore` what `log_prob` scores, under the same conditions")
def restored_planes_match_their_scores(subject: Subject) -> None:
    """Planes are restored as often as the residual's log_prob says (chi-square, 8000 draws)."""
    part = cast(Encoder, subject.build_lively())
    onset, sounding = tiny_scores(part.sizes.keys)
    keys = part.keys(onset, sounding)
    group = _groups(keys.flatten(1))
    richest = group == group.bincount().argmax()
    given = keys[richest][:1]
    clock = opening_clock()
    drawn = torch.stack(part.residual.restore(given.expand(DRAWS, -1, -1), clock, chance(1)))
    counts = torch.tensor(
        [
            int(((drawn[0] == one) & (drawn[1] == two)).flatten(1).all(1).sum())
            for one, two in zip(onset[richest], sounding[richest], strict=True)
        ]
    )
    require(int(counts.sum()) == DRAWS, f"{DRAWS - int(counts.sum())} draws are no scores of these keys")
    expected = part.residual.log_prob(onset[richest], sounding[richest], clock).sum(1).double().exp() * DRAWS
    likely = chi_square_p(counts, expected)
    require(likely > 1e-6, f"draws do not follow the scores (chi-square, p = {likely:.1e})")
