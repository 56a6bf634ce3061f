"""The floors on the benchmark of Boulanger-Lewandowski et al. (2012), to three decimals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor
from zoo_plugins.floors.counting import Markov, Rates
from zoo_plugins.floors.keys import Keys
from zoo_plugins.floors.settings import KeysSettings
from zoo_plugins.floors.uniform import Uniform

from zoo.parts import Settings
from zoo.parts.interfaces import Sampler, Sizes

PUBLISHED = {
    "JSB_Chorales": (11.061, 10.478),
    "MuseData": (11.510, 8.561),
    "Nottingham": (10.252, 5.168),
    "Piano_midi": (11.046, 8.261),
}


def pieces(path: Path, split: str) -> list[Tensor]:
    """The pieces, each (1, T, 88)."""
    loadmat = pytest.importorskip("scipy.io").loadmat
    return [torch.from_numpy(piece).bool().unsqueeze(0) for piece in loadmat(path)[split][0]]


def nats_per_frame(sampler: Sampler, train: list[Tensor], test: list[Tensor]) -> float:
    for codes in train:
        sampler.count(codes, mask=torch.ones(codes.shape[:2], dtype=torch.bool))
    decoder, rng = Uniform(Settings(), sampler.sizes), Generator()
    nats = torch.zeros((), dtype=torch.float64)
    for codes in test:
        nats -= sampler.log_prob(codes, codes, rng).value.double().sum()
        nats -= decoder.log_prob(codes, codes, codes, rng).value.double().sum()
    return nats.item() / sum(codes.shape[1] for codes in test)


@pytest.mark.parametrize("name", PUBLISHED)
def test_rates_and_markov_reproduce_the_published_values(shared: Path, name: str) -> None:
    path = shared / "data" / "boulanger-lewandowski" / f"{name}.mat"
    encoder = Keys(KeysSettings(plane="sounding"))
    train, test = (
        [encoder.fold(encoder.keys(None, piece)) for piece in pieces(path, split)]
        for split in ("traindata", "testdata")
    )
    sizes = Sizes(codes=88, features=88, membership=encoder.membership)
    result = [nats_per_frame(part(Settings(), sizes), train, test) for part in (Rates, Markov)]
    assert [round(nats, 3) for nats in result] == list(PUBLISHED[name])
