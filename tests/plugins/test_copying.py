"""The copying attention: retrieval computed by hand, and copying of unseen tunes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from zoo_plugins.copying.copying import Copying
from zoo_plugins.copying.settings import CopyingSettings

from zoo.parts.clock import Clock
from zoo.parts.interfaces import Sizes

Draw = Callable[..., Tensor]
ALL = torch.ones(1, 11, dtype=torch.bool)


def copying(reach: int, codes: int = 3, **settings: float) -> Copying:
    """Make a part with a reach in frames."""
    torch.manual_seed(0)
    sizes = Sizes(codes, 0, torch.eye(codes, dtype=torch.bool), keys=codes)
    widths = {"local": 5, "features": 6, "heads": 2, "head": 4}
    return Copying(CopyingSettings(**{**widths, **settings}, reach=reach / sizes.grid), sizes).eval()


def features(part: Copying, codes: Tensor, past: int = 0, first: int = 0) -> Tensor:
    """The features of all codes after the past, starting at a given frame of the piece."""
    clock = Clock.common_time(first + torch.arange(codes.shape[1] - past).expand(len(codes), -1))
    result, _ = part(codes[:, past:], clock, part.start(codes[:, :past]))
    return result  # type: ignore[no-any-return]


@torch.no_grad()
def test_retrieval_returns_what_followed_similar_moments_within_reach(frames: Draw) -> None:
    part, codes, outline = copying(reach=3), frames(1, 11, 3), torch.randn(1, 11, 5)
    described = part.describe(outline)
    result = part._retrieved(outline, described, codes, ALL).view(11, 2, 3)
    for now in range(11):
        for head in range(2):
            of_head = slice(4 * head, 4 * head + 4)
            query, scores = part.ask(outline)[0, now, of_head], [part.nothing(outline)[0, now, head]]
            moments = range(max(now - 3, 0), now)
            for moment in moments:
                like = described[0, moment, of_head] + part.distances[head, :, now - 1 - moment]
                scores.append(query @ like / 2)
            weights = torch.stack(scores).softmax(0)[1:]
            came_next = codes[0, [moment + 1 for moment in moments]]
            torch.testing.assert_close(result[now, head], weights @ came_next)


@torch.no_grad()
def test_the_past_is_retrieved_except_silence_before_the_piece(frames: Draw) -> None:
    part, codes = copying(reach=8), frames(2, 30, 3)
    silent = torch.cat([torch.zeros(2, 5, 3), codes], 1)
    assert torch.equal(features(part, silent, past=5, first=18), features(part, codes, first=18))
    after = features(part, codes, past=11, first=18)
    changed = torch.cat([codes[:, :10], 1 - codes[:, 10:11], codes[:, 11:]], 1)
    assert (features(part, changed, past=11, first=18)[:, 0] != after[:, 0]).any()


@torch.no_grad()
def test_nothing_is_retrieved_at_the_start_of_a_piece(frames: Draw) -> None:
    part, codes = copying(reach=8), frames(2, 1, 3)
    outline = torch.randn(2, 1, 5)
    assert torch.equal(
        part._retrieved(outline, part.describe(outline), codes, ALL[:, :1]), torch.zeros(2, 1, 6)
    )


def tunes(batch: int, rng: torch.Generator) -> Tensor:
    """Random tunes of 4 to 7 frames, repeated to a length of 21 frames, (B, 21, 8)."""
    codes = (torch.rand(batch, 7, 8, generator=rng) < 0.5).float()
    length = torch.randint(4, 8, (batch, 1), generator=rng)
    places = torch.arange(21) % length
    return codes.gather(1, places.unsqueeze(-1).expand(-1, -1, 8))


def test_unseen_tunes_are_copied_when_they_are_repeated() -> None:
    """Tunes have different lengths, so repetitions must be found by content, not by distance."""
    part, rng = copying(reach=16, codes=8, local=32, features=16, head=16, dropout=0), torch.Generator()
    readout = torch.nn.Linear(16, 8)
    adam = torch.optim.Adam([*part.parameters(), *readout.parameters()], lr=0.01)

    def nats(codes: Tensor) -> Tensor:
        logits = readout(features(part, codes)[:, 13:-1])
        coins = torch.nn.functional.binary_cross_entropy_with_logits(logits, codes[:, 14:], reduction="none")
        return coins.sum(-1).mean()

    for _ in range(250):
        adam.zero_grad()
        nats(tunes(16, rng)).backward()  # type: ignore[no-untyped-call]
        adam.step()
    with torch.no_grad():
        after = float(nats(tunes(200, rng)))
    assert after < 0.2 * 8 * 0.6931
