"""Checks of encoders: codes are folded keys, and the residual restores everything that they leave out."""

from __future__ import annotations

from itertools import product
from typing import cast

import torch
from torch import Tensor

from zoo.errors import DataError
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Encoder
from zoo.testing.calls import chance
from zoo.testing.check import check, require, require_same
from zoo.testing.probability import Scored, chi_square_p, require_total_one
from zoo.testing.under_test import PartUnderTest

DRAWS = 8000
FRAMES, KEYS = 3, (40, 41)
"""The scores to enumerate: all those of two adjacent keys in three frames."""


@check("encoder", hint="assign every key to exactly one code, and at least one key to every code")
def every_key_has_one_code(tested: PartUnderTest) -> None:
    """The membership assigns every key to exactly one code, and every code has a key."""
    part = cast(Encoder, tested.build())
    membership = part.membership
    require(membership.dtype == torch.bool, f"membership is {membership.dtype}, not bool")
    require(tuple(membership.shape) == (part.codes, part.sizes.keys), f"shape {tuple(membership.shape)}")
    require((membership.sum(0) == 1).all(), "a key belongs to no code or to several")
    require((membership.sum(1) > 0).all(), "a code has no key")


@check("encoder", hint="inherit `fold`, or set a code exactly if at least one of its keys is set")
def codes_are_folded_keys(tested: PartUnderTest) -> None:
    """A code is set exactly if at least one of its keys is set."""
    part, music = cast(Encoder, tested.build()), tested.music(2, 20)
    expected = (music.keys.unsqueeze(-2) * part.membership).amax(-1)
    require_same(part.fold(music.keys), expected, "codes", tolerance=0)


@check(
    "encoder",
    hint="compute each frame of `heard` from its own keys, with 0 for silence and something else for any key",
)
def a_frame_is_heard_by_itself(tested: PartUnderTest) -> None:
    """What the attention hears of a frame depends on its keys alone, and is zero if the frame is silent."""
    part, music = cast(Encoder, tested.build()), tested.music(2, 20)
    whole = _heard(part, music.keys)
    for frame in range(20):
        now = slice(frame, frame + 1)
        require_same(_heard(part, music.keys[:, now]), whole[:, now], f"frame {frame} by itself", tolerance=0)
    require(not _heard(part, torch.zeros(1, 1, part.sizes.keys)).any(), "silence is not heard as zeros")
    single = _heard(part, torch.eye(part.sizes.keys).unsqueeze(0))
    require((single != 0).any(-1).all(), "a frame with a single key is heard as silence")


def _heard(part: Encoder, keys: Tensor) -> Tensor:
    return part.heard(keys, part.fold(keys))


@check("encoder", hint="inherit `keys`, and set `plane` to the plane of the score that is modelled")
def keys_are_the_declared_plane(tested: PartUnderTest) -> None:
    """Keys are the plane that `plane` names; music without that plane raises DataError."""
    part, music = cast(Encoder, tested.build()), tested.music(2, 20)
    plane = music.onset if part.plane == "onset" else music.sounding
    require_same(part.keys(music.onset, music.sounding), plane.float(), "keys", tolerance=0)
    if part.plane == "sounding":
        require_same(part.keys(None, music.sounding), plane.float(), "keys without onsets", tolerance=0)
        return
    try:
        part.keys(None, music.sounding)
    except DataError:
        return
    require(False, "music without onsets was accepted")


def tiny_scores(keys: int) -> tuple[Tensor, Tensor]:
    """All scores of two keys in three frames: onset and sounding planes (N, T, K) bool.

    Each key is off, held or struck in each frame; a key is held only if it sounded in the frame before.
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
    """The index of the first row with the same keys, for each row of keys (N, width)."""
    return (keys.unsqueeze(1) == keys).all(-1).int().argmax(-1)


def _playable(cells: tuple[int, ...]) -> bool:
    width = len(KEYS)
    return all(
        state != 1 or (place >= width and cells[place - width] > 0) for place, state in enumerate(cells)
    )


@check(
    "encoder",
    hint="normalise the outcomes of each decision, and decide only what the keys leave open",
)
def residual_probabilities_sum_to_one(tested: PartUnderTest) -> None:
    """The residual's probabilities of all scores with the same keys sum to 1."""
    part = cast(Encoder, tested.build_randomised())
    onset, sounding = tiny_scores(part.sizes.keys)
    keys = part.keys(onset, sounding).flatten(1)
    probabilities = part.residual.log_prob(onset, sounding, opening_clock()).sum(1).double().exp()
    group = _groups(keys)
    totals = torch.zeros(len(keys), dtype=torch.float64).index_add_(0, group, probabilities)
    for total in totals[sorted(set(group.tolist()))]:
        require_total_one(Scored(total.view(1), torch.zeros(1)), "scores with the same keys")


@check(
    "encoder",
    hint="leave the modelled plane equal to the keys, and start every sounding note with a strike",
)
def restored_planes_agree_with_keys(tested: PartUnderTest) -> None:
    """Restored planes have the same keys, every struck key sounds, and every held key was struck before."""
    part, music = cast(Encoder, tested.build_randomised()), tested.music(4, 30)
    keys = part.keys(music.onset, music.sounding)
    for seed in range(3):
        onset, sounding = part.residual.restore(keys, music.clock, chance(seed))
        require_same(part.keys(onset, sounding), keys, "keys", tolerance=0)
        require(not (onset & ~sounding).any(), "a struck key does not sound")
        before = torch.cat([torch.zeros_like(sounding[:, :1]), sounding[:, :-1]], 1)
        require(not (sounding & ~onset & ~before).any(), "a held key did not sound in the frame before")


@check("encoder", hint="draw in `restore` what `log_prob` scores, with the same conditions")
def restored_planes_match_their_scores(tested: PartUnderTest) -> None:
    """The frequencies of restored planes match the residual's log_prob (chi-square, 8000 draws)."""
    part = cast(Encoder, tested.build_randomised())
    onset, sounding = tiny_scores(part.sizes.keys)
    keys = part.keys(onset, sounding)
    group = _groups(keys.flatten(1))
    largest = group == group.bincount().argmax()
    given = keys[largest][:1]
    clock = opening_clock()
    drawn = torch.stack(part.residual.restore(given.expand(DRAWS, -1, -1), clock, chance(1)))
    counts = torch.tensor(
        [
            int(((drawn[0] == struck) & (drawn[1] == sounds)).flatten(1).all(1).sum())
            for struck, sounds in zip(onset[largest], sounding[largest], strict=True)
        ]
    )
    require(int(counts.sum()) == DRAWS, f"{DRAWS - int(counts.sum())} draws do not have the given keys")
    expected = part.residual.log_prob(onset[largest], sounding[largest], clock).sum(1).double().exp() * DRAWS
    p_value = chi_square_p(counts, expected)
    require(p_value > 1e-6, f"draws do not match the scores (chi-square, p = {p_value:.1e})")
