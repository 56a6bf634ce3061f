"""Encoders, and velocity=none."""

from __future__ import annotations

import math

import pytest
import torch
from zoo_plugins.baseline.even import Even
from zoo_plugins.baseline.onset import Onset
from zoo_plugins.baseline.settings import EvenSettings
from zoo_plugins.floors.keys import Keys
from zoo_plugins.floors.settings import KeysSettings
from zoo_plugins.sounding.register import Register
from zoo_plugins.sounding.sounding import Sounding

from zoo.errors import DataError
from zoo.parts import Settings
from zoo.parts.interfaces import Encoder, Sizes


def test_octaves_fold_to_one_pitch_class_up_to_the_highest_key() -> None:
    encoder = Onset(Settings())
    keys = torch.zeros(1, 3, 88)
    keys[0, 0, [0, 12, 84]] = 1  # A0, A1, A7
    keys[0, 1, 87] = 1  # C8
    codes = encoder.fold(keys)
    assert codes.shape == (1, 3, 12)
    assert codes[0].nonzero().tolist() == [[0, 0], [1, 3]]
    assert encoder.codes == 12
    assert torch.equal(encoder.membership.sum(0), torch.ones(88, dtype=torch.int64))


def test_an_encoder_of_onsets_needs_onsets() -> None:
    encoder = Onset(Settings())
    onset, sounding = torch.zeros(1, 2, 88).bool(), torch.ones(1, 2, 88).bool()
    assert torch.equal(encoder.keys(onset, sounding), onset.float())
    with pytest.raises(DataError):
        encoder.keys(None, sounding)


@pytest.mark.parametrize("plane", ["onset", "sounding"])
def test_every_key_is_its_own_code(plane: str) -> None:
    encoder = Keys(KeysSettings.model_validate({"plane": plane}))
    onset, sounding = torch.rand(1, 4, 88) < 0.1, torch.rand(1, 4, 88) < 0.2
    keys = encoder.keys(onset, sounding)
    assert torch.equal(keys, (onset if plane == "onset" else sounding).float())
    assert torch.equal(encoder.fold(keys), keys)


def heard(encoder: Encoder, keys: torch.Tensor) -> torch.Tensor:
    return encoder.heard(keys, encoder.fold(keys))


def test_register_has_the_codes_of_sounding_but_tells_octaves_apart() -> None:
    register, sounding = Register(Settings()), Sounding(Settings())
    keys = (torch.rand(2, 5, 88) < 0.1).float()
    assert torch.equal(register.fold(keys), sounding.fold(keys))
    assert torch.equal(heard(register, keys), torch.cat([sounding.fold(keys), keys], -1))
    low, high = torch.eye(88)[[3]], torch.eye(88)[[15]]
    assert torch.equal(heard(sounding, low), heard(sounding, high))
    assert not torch.equal(heard(register, low), heard(register, high))


def test_without_a_velocity_part_all_notes_have_the_same_velocity() -> None:
    part = Even(EvenSettings(level=100), Sizes(3, 0, torch.eye(3, dtype=torch.bool), keys=3))
    struck = torch.tensor([[[1.0, 0, 1]]])
    loudness, _ = part.predict(struck, struck, struck * 0, part.start(1))
    torch.testing.assert_close(loudness, struck * 100 / 127)
    assert not part.models_loudness
    assert part.loss(struck, struck, loudness, struck, torch.Generator()).sum() == 0
    score = part.log_prob(struck, struck, loudness, struck).value
    torch.testing.assert_close(score, torch.tensor([[-2 * math.log(127)]]))
