"""Generation frame by frame: the fast paths equal the slow ones."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from zoo_plugins.baseline.settings import VoicesSettings
from zoo_plugins.baseline.speaking import speak
from zoo_plugins.baseline.voices import Voices

from zoo.parts.interfaces import Sizes
from zoo.parts.layers import LSTM, pitch_classes
from zoo.parts.masks import draw_at_least_one, draw_keys, keys_log_prob


@pytest.fixture(params=[3, 7])  # fewer gates than outcomes, and more
def hidden(request: pytest.FixtureRequest) -> int:
    width: int = request.param
    return width


@pytest.fixture
def voices(hidden: int) -> Voices:
    torch.manual_seed(1)
    return Voices(VoicesSettings(hidden=hidden), Sizes(12, 6, pitch_classes())).eval()


@torch.no_grad()
@pytest.mark.parametrize("pieces", [1, 40])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_fast_and_slow_generation_draw_the_same_path(
    voices: Voices, hidden: int, temperature: float, pieces: int
) -> None:
    features, free = torch.randn(pieces, 1, 6), torch.ones(pieces, 1, dtype=torch.bool)
    memories = (torch.randn(pieces, 5, hidden), torch.randn(pieces, 5, hidden))
    path = voices._walk(
        features, torch.zeros(pieces, 1, 12), memories, Generator().manual_seed(3), free, temperature
    )
    decided, after = speak(
        voices.lstm, voices.linear, features[:, 0], memories, Generator().manual_seed(3), temperature
    )
    assert torch.equal(decided, path.decided[:, 0])
    for mine, walked in zip(after, path.memories, strict=True):
        torch.testing.assert_close(mine, walked)


@torch.no_grad()
def test_single_steps_of_an_lstm_equal_the_whole() -> None:
    torch.manual_seed(2)
    lstm, inputs = LSTM(4, 6), torch.randn(3, 9, 4)
    whole, end = lstm(inputs, lstm.start(3))
    state, stepped = lstm.start(3), []
    for frame in torch.split(inputs, 1, 1):
        output, state = lstm(frame, state)
        stepped.append(output)
    torch.testing.assert_close(torch.cat(stepped, 1), whole)
    torch.testing.assert_close(state, end)


def test_drawing_at_least_one_key_equals_drawing_in_order() -> None:
    logits, uniform = 3 * torch.randn(500, 8) - 2, torch.rand(500, 8)
    drawn = draw_at_least_one(logits, uniform)
    for row in range(500):
        silent, has_earlier = torch.sigmoid(-logits[row].double()), False
        for key in range(8):
            probability = 1 - silent[key].item()
            probability = probability if has_earlier else probability / (1 - silent[key:].prod().item())
            if abs(uniform[row, key].item() - probability) < 1e-5:
                break
            assert drawn[row, key].item() is (uniform[row, key].item() < probability)
            has_earlier = has_earlier or bool(drawn[row, key])


def test_key_groups_are_updated_if_the_membership_changes_in_place() -> None:
    membership, logits = pitch_classes(), torch.zeros(1, 88)
    codes = torch.zeros(1, 12)
    codes[0, 0] = 1
    assert draw_keys(logits, codes, membership, Generator())[0, 1::12].sum() == 0
    membership.copy_(membership.roll(1, 1))
    keys = draw_keys(logits, codes, membership, Generator())
    assert keys[0, 1::12].sum() > 0
    assert keys_log_prob(logits, keys, codes, membership).isfinite().all()
