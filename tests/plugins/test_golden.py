"""The original's own numbers, from its own weights.

Conventions of the golden files: time first, batch second; frame t of the features hears codes t and
predicts codes t+1; index 0 of the past is the newest frame; the clock starts at 0 with the fragment.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from zoo_plugins.baseline.history import History
from zoo_plugins.baseline.lstm import LSTMDecoder
from zoo_plugins.baseline.onset import Onset
from zoo_plugins.baseline.settings import HistorySettings, LSTMSettings

from zoo.model.original import Original, read_original
from zoo.parts import Settings
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Part, Sizes

Golden = dict[str, Tensor]


@pytest.fixture
def golden(shared: Path) -> Golden:
    """Load the values, batch first, with the past in temporal order."""
    with np.load(shared / "reference" / "golden_baseline.npz") as arrays:
        past = torch.from_numpy(arrays["past"]).float().flip(1)
        rest = {name: torch.from_numpy(arrays[name]) for name in arrays if name != "past"}
    return {"past": past} | {name: array.transpose(0, 1).float() for name, array in rest.items()}


@pytest.fixture
def sizes() -> Sizes:
    return Sizes(codes=12, features=130, membership=Onset(Settings()).membership)


@pytest.fixture
def original(shared: Path) -> Original:
    folder = shared / "reference" / "original"
    return read_original(folder / "rbm-model.pt", folder / "baseline-decoder.pt")


def fill(part: Part, original: Original, slot: str) -> None:
    """Load the weights of a part."""
    named = {name.partition(".")[2]: t for name, t in original.weights.items() if name.startswith(slot)}
    part.load_state_dict(named)


def test_pitch_classes_equal_those_of_the_original(golden: Golden) -> None:
    assert torch.equal(Onset(Settings()).fold(golden["keys"]), golden["codes"])


@torch.no_grad()
@pytest.mark.parametrize("chunk", [79, 1, 7])
def test_history_has_the_features_and_read_weights_of_the_original(
    golden: Golden, original: Original, sizes: Sizes, chunk: int
) -> None:
    history = History(HistorySettings(), sizes)
    fill(history, original, "attention")
    codes = golden["codes"][:, :-1]
    clock = Clock.common_time(torch.arange(79).expand(3, -1))
    state = history.start(golden["past"])
    for first in range(0, 79, chunk):
        now = slice(first, first + chunk)
        weights = history.read_weights(codes[:, now], clock[:, now], state)
        features, state = history(codes[:, now], clock[:, now], state)
        torch.testing.assert_close(features, golden["features"][:, now], atol=1e-5, rtol=0)
        torch.testing.assert_close(weights, golden["read_weights"][:, now], atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_decoder_has_the_key_probabilities_of_the_original(
    golden: Golden, original: Original, sizes: Sizes
) -> None:
    decoder = LSTMDecoder(LSTMSettings(), sizes)
    fill(decoder, original, "decoder")
    logits, _ = decoder.logits(golden["codes"][:, 1:], golden["keys"][:, :-1], decoder.start(3))
    torch.testing.assert_close(logits.sigmoid(), golden["key_probability"], atol=1e-5, rtol=0)
