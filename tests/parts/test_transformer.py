"""A Transformer over frames: who hears whom, and that distances and caches are what they should be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from zoo_plugins.transformer.settings import TransformerSettings
from zoo_plugins.transformer.transformer import Transformer

from zoo.parts.clock import Clock
from zoo.parts.interfaces import Sizes
from zoo.parts.layers import by_distance
from zoo.parts.masks import never

Draw = Callable[..., Tensor]
SIZES = Sizes(codes=3, features=0, membership=torch.eye(3, dtype=torch.bool), keys=3)


def transformer(reach: int, layers: int = 2) -> Transformer:
    """One that looks back so many frames."""
    torch.manual_seed(0)
    settings = TransformerSettings(heads=2, head=4, layers=layers, reach=reach / SIZES.grid)
    return Transformer(settings, SIZES).eval()


def features(part: Transformer, codes: Tensor, past: int = 0, first: int = 0) -> Tensor:
    """Of all codes after the past, the first of which stands at this frame of the piece."""
    clock = Clock.common_time(first + torch.arange(codes.shape[1] - past).expand(len(codes), -1))
    found, _ = part(codes[:, past:], clock, part.start(codes[:, :past]))
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("length", "reach", "frames"), [(3, 4, 3), (3, 4, 5), (3, 4, 6), (1, 4, 4), (5, 1, 5)]
)
def test_scores_of_distances_come_to_lie_at_their_frames(length: int, reach: int, frames: int) -> None:
    scores = torch.randn(2, length, reach, generator=torch.Generator().manual_seed(0))
    expected = torch.full((2, length, frames), never(scores.dtype))
    for row in range(length):
        for back in range(reach):
            place = frames - length + row - back
            if 0 <= place < frames:
                expected[:, row, place] = scores[:, row, back]
    assert torch.equal(by_distance(scores, frames), expected)


@torch.no_grad()
def test_a_block_is_attention_as_it_is_defined(frames: Draw) -> None:
    """Each query, head by head: softmax over the frames in reach of content and distance, then the mean."""
    part, codes = transformer(reach=4, layers=1), frames(1, 4, 3)
    block, heard = part.blocks[0], {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        heard[module] = inputs[0]

    for module in (block, block.join):
        module.register_forward_pre_hook(note)
    features(part, codes)
    normal = block.norms[0](heard[block])[0]
    asked, (keys, values) = block.ask(normal), block.tell(normal).chunk(2, -1)
    for head in range(2):
        of_head = slice(4 * head, 4 * head + 4)
        for now in range(4):
            back = torch.arange(now, -1, -1)
            wanted = keys[: now + 1, of_head] + block.distances[head][:, back].T
            weights = (wanted @ asked[now, of_head] / 2).softmax(0)
            expected = weights @ values[: now + 1, of_head]
            torch.testing.assert_close(heard[block.join][0, now, of_head], expected)


def test_each_block_looks_back_over_its_reach_and_no_further(frames: Draw) -> None:
    part, codes = transformer(reach=4, layers=2), frames(1, 20, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(features(part, codes)[:, 15, 0].sum(), codes)
    assert (gradient[0].abs().sum(-1) > 0).nonzero().flatten().tolist() == list(range(9, 16))


@torch.no_grad()
def test_the_past_is_heard_like_frames_that_were_played(frames: Draw) -> None:
    part, codes = transformer(reach=8), frames(2, 30, 3)
    whole = features(part, codes, first=7)
    torch.testing.assert_close(features(part, codes, past=11, first=18), whole[:, 11:])


@torch.no_grad()
def test_a_frame_costs_the_same_however_much_was_played(frames: Draw) -> None:
    part, codes = transformer(reach=6), frames(1, 40, 3)
    clock = Clock.common_time(torch.arange(40).unsqueeze(0))
    _, (past, caches, _) = part(codes, clock, part.start(codes[:, :0]))
    assert past.shape[1] == 0
    assert [cache.shape[1] for cache in caches] == [5, 5]


def test_the_clock_is_counted_back_over_the_bar_line() -> None:
    clock = Clock(*(torch.tensor([[plane, plane]]) for plane in (3, 2, 12, 4)), grid=4)
    before = clock.before(15)
    assert before.place[0].tolist() == [11, *range(12), 0, 1]
    assert before.bar[0].tolist() == [1] + [2] * 12 + [3] * 2
    assert before.length.unique().tolist() == [12]
    assert before.beat.unique().tolist() == [4]
    assert clock.before(0).shape == (1, 0)
