"""The Transformer over frames: its reach, relative distances and caches."""

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
    """Make a part with a reach in frames."""
    torch.manual_seed(0)
    settings = TransformerSettings(heads=2, head=4, layers=layers, reach=reach / SIZES.grid)
    return Transformer(settings, SIZES).eval()


def features(part: Transformer, codes: Tensor, past: int = 0, first: int = 0) -> Tensor:
    """The features of all codes after the past, starting at a given frame of the piece."""
    clock = Clock.common_time(first + torch.arange(codes.shape[1] - past).expand(len(codes), -1))
    result, _ = part(codes[:, past:], clock, part.start(codes[:, :past]))
    return result  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("length", "reach", "frames"), [(3, 4, 3), (3, 4, 5), (3, 4, 6), (1, 4, 4), (5, 1, 5)]
)
def test_scores_of_distances_are_moved_to_their_frames(length: int, reach: int, frames: int) -> None:
    scores = torch.randn(2, length, reach, generator=torch.Generator().manual_seed(0))
    expected = torch.full((2, length, frames), never(scores.dtype))
    for row in range(length):
        for back in range(reach):
            place = frames - length + row - back
            if 0 <= place < frames:
                expected[:, row, place] = scores[:, row, back]
    assert torch.equal(by_distance(scores, frames), expected)


@torch.no_grad()
def test_a_block_equals_the_definition_of_attention(frames: Draw) -> None:
    """For each query and head: the mean over frames within reach, weighted by content and distance."""
    part, codes = transformer(reach=4, layers=1), frames(1, 4, 3)
    block, module_inputs = part.blocks[0], {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        module_inputs[module] = inputs[0]

    for module in (block, block.join):
        module.register_forward_pre_hook(note)
    features(part, codes)
    normal = block.norms[0](module_inputs[block])[0]
    query, (keys, values) = block.ask(normal), block.tell(normal).chunk(2, -1)
    for head in range(2):
        of_head = slice(4 * head, 4 * head + 4)
        for now in range(4):
            back = torch.arange(now, -1, -1)
            wanted = keys[: now + 1, of_head] + block.distances[head][:, back].T
            weights = (wanted @ query[now, of_head] / 2).softmax(0)
            expected = weights @ values[: now + 1, of_head]
            torch.testing.assert_close(module_inputs[block.join][0, now, of_head], expected)


def test_each_block_depends_on_frames_within_its_reach_only(frames: Draw) -> None:
    part, codes = transformer(reach=4, layers=2), frames(1, 20, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(features(part, codes)[:, 15, 0].sum(), codes)
    assert (gradient[0].abs().sum(-1) > 0).nonzero().flatten().tolist() == list(range(9, 16))


@torch.no_grad()
def test_the_past_equals_frames_of_the_piece(frames: Draw) -> None:
    part, codes = transformer(reach=8), frames(2, 30, 3)
    whole = features(part, codes, first=7)
    torch.testing.assert_close(features(part, codes, past=11, first=18), whole[:, 11:])


@torch.no_grad()
def test_the_cost_of_a_frame_does_not_grow(frames: Draw) -> None:
    part, codes = transformer(reach=6), frames(1, 40, 3)
    clock = Clock.common_time(torch.arange(40).unsqueeze(0))
    _, (past, caches, _) = part(codes, clock, part.start(codes[:, :0]))
    assert past.shape[1] == 0
    assert [cache.shape[1] for cache in caches] == [5, 5]


def test_the_clock_of_the_past_crosses_bar_lines() -> None:
    clock = Clock(*(torch.tensor([[plane, plane]]) for plane in (3, 2, 12, 4)), grid=4)
    before = clock.before(15)
    assert before.place[0].tolist() == [11, *range(12), 0, 1]
    assert before.bar[0].tolist() == [1] + [2] * 12 + [3] * 2
    assert before.length.unique().tolist() == [12]
    assert before.beat.unique().tolist() == [4]
    assert clock.before(0).shape == (1, 0)
