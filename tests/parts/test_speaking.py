"""One frame at a time: the short ways of generation give what the long ways give."""

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
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_speaking_draws_the_free_path_that_walking_draws(
    voices: Voices, hidden: int, temperature: float
) -> None:
    features, free = torch.randn(40, 1, 6), torch.ones(40, 1, dtype=torch.bool)
    memories = (torch.randn(40, 5, hidden), torch.randn(40, 5, hidden))
    path = voices._walk(
        features, torch.zeros(40, 1, 12), memories, Generator().manual_seed(3), free, temperature
    )
    decided, after = speak(
        voices.lstm, voices.linear, features[:, 0], memories, Generator().manual_seed(3), temperature
    )
    assert torch.equal(decided, path.decided[:, 0])
    for mine, walked in zip(after, path.memories, strict=True):
        torch.testing.assert_close(mine, walked)


@torch.no_grad()
def test_an_lstm_stepped_through_gives_what_it_gives_in_one_piece() -> None:
    torch.manual_seed(2)
    lstm, inputs = LSTM(4, 6), torch.randn(3, 9, 4)
    whole, end = lstm(inputs, lstm.start(3))
    state, stepped = lstm.start(3), []
    for frame in torch.split(inputs, 1, 1):
        output, state = lstm(frame, state)
        stepped.append(output)
    torch.testing.assert_close(torch.cat(stepped, 1), whole)
    torch.testing.assert_close(state, end)


def test_some_key_of_several_is_drawn_as_one_after_the_other_would_be() -> None:
    logits, uniform = 3 * torch.randn(500, 8) - 2, torch.rand(500, 8)
    drawn = draw_at_least_one(logits, uniform)
    for row in range(500):
        silent, found = torch.sigmoid(-logits[row].double()), False
        for key in range(8):
            chance = 1 - silent[key].item()
            chance = chance if found else chance / (1 - silent[key:].prod().item())
            if abs(uniform[row, key].item() - chance) < 1e-5:
                break
            assert drawn[row, key].item() is (uniform[row, key].item() < chance)
            found = found or bool(drawn[row, key])


def test_groups_follow_a_membership_that_is_changed_in_place() -> None:
    membership, logits = pitch_classes(), torch.zeros(1, 88)
    codes = torch.zeros(1, 12)
    codes[0, 0] = 1
    assert draw_keys(logits, codes, membership, Generator())[0, 1::12].sum() == 0
    membership.copy_(membership.roll(1, 1))
    keys = draw_keys(logits, codes, membership, Generator())
    assert keys[0, 1::12].sum() > 0
    assert keys_log_prob(logits, keys, codes, membership).isfinite().all()
