"""The RBM, compared with exhaustive sums and with values of the original."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from zoo_plugins.baseline.onset import Onset
from zoo_plugins.rbm.machine import (
    FreeMachine,
    Machine,
    annealed_log_partition,
    draw_exactly,
    log_partition,
    log_sets,
)
from zoo_plugins.rbm.rbm import RBM, LoudnessRBM
from zoo_plugins.rbm.sampler import RBMSampler
from zoo_plugins.rbm.settings import RBMSamplerSettings, RBMSettings

from zoo.model.original import read_original, restore
from zoo.parts import Settings
from zoo.parts.interfaces import Sizes
from zoo.registry import open_registry

MEMBERSHIP = torch.tensor(
    [[1, 0, 0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0, 0, 1], [0, 0, 1, 0, 0, 0, 1, 0]], dtype=torch.bool
)
SIZES = Sizes(codes=3, features=0, membership=MEMBERSHIP, keys=8)
KEYS = torch.tensor(list(product([0.0, 1.0], repeat=8)))


def machine(units: int, frames: int = 1, strength: float = 1.0) -> Machine:
    """Machines with large random weights; each frame has two codes."""
    rng = Generator().manual_seed(units)

    def draw(*shape: int) -> Tensor:
        return strength * torch.randn(shape, generator=rng)

    codes = torch.tensor([1.0, 1.0, 0.0]).expand(frames, -1)
    return Machine(draw(units, 8), draw(frames, 8), draw(frames, units), codes, MEMBERSHIP)


def rbm(**settings: Any) -> RBM:
    torch.manual_seed(0)
    part = RBM(RBMSettings(lstm=6, **settings), SIZES)
    torch.nn.init.normal_(part.weight, std=1.5)
    return part


def free(units: int, frames: int = 1) -> FreeMachine:
    """The machines above without codes."""
    of = machine(units, frames)
    return FreeMachine(of.weight, of.visible, of.hidden)


def repeated(single: Machine, times: int) -> Machine:
    """Repeat the first frame."""
    return single.rows(torch.zeros(times, dtype=torch.int64))


def every_frame(single: Machine) -> Machine:
    """Repeat a machine for each of the 256 key sets."""
    return repeated(single, len(KEYS))


def allowed(codes: Tensor) -> Tensor:
    """Whether each of the 256 key sets folds to the codes."""
    return ((KEYS @ MEMBERSHIP.T.float() > 0) == (codes > 0)).all(-1)


def test_free_energy_sums_out_the_hidden_units() -> None:
    single = machine(5)
    hidden = torch.tensor(list(product([0.0, 1.0], repeat=5)))
    joint = (
        (KEYS @ single.visible[0]).unsqueeze(1)
        + hidden @ single.hidden[0]
        + KEYS @ single.weight.T @ hidden.T
    )
    torch.testing.assert_close(-every_frame(single).free_energy(KEYS), joint.logsumexp(1))


@pytest.mark.parametrize("units", [1, 5, 9])
@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_the_partition_function_sums_over_all_allowed_keys(units: int, at_once: int) -> None:
    single = machine(units)
    chosen = -every_frame(single).free_energy(KEYS)[allowed(single.codes[0])]
    torch.testing.assert_close(log_partition(single, at_once), chosen.logsumexp(0, keepdim=True))


@pytest.mark.parametrize("units", [8, 10, 12])
def test_annealing_equals_the_exact_sum_within_its_error(units: int) -> None:
    many = machine(units, frames=60)
    exact = log_partition(many)
    estimate, variance = annealed_log_partition(many, 32, 60, Generator().manual_seed(0))
    off = (estimate - exact) / variance.sqrt()
    assert off.abs().mean() < 1.2
    # The mean of 60 frames lies within three of its own standard errors.
    assert (estimate - exact).sum().abs() < 3 * variance.sum().sqrt()
    assert variance.sqrt().mean() < 0.2


@pytest.mark.parametrize("at_once", [1, 4096])
def test_without_codes_the_partition_function_sums_over_all_keys(at_once: int) -> None:
    single = free(7)
    every = single.rows(torch.zeros(len(KEYS), dtype=torch.int64))
    expected = (-every.free_energy(KEYS)).logsumexp(0, keepdim=True)
    torch.testing.assert_close(log_partition(single, at_once), expected)


def test_without_codes_annealing_equals_the_exact_sum_within_its_error() -> None:
    many = free(10, frames=60)
    estimate, variance = annealed_log_partition(many, 32, 60, Generator().manual_seed(0))
    off = estimate - log_partition(many)
    assert (off / variance.sqrt()).abs().mean() < 1.2
    assert off.sum().abs() < 3 * variance.sum().sqrt()
    assert variance.sqrt().mean() < 0.2


@pytest.mark.parametrize("exactly", [True, False])
def test_without_codes_drawn_keys_have_their_exact_frequencies(exactly: bool) -> None:
    n = 20_000
    single = free(6)
    every = single.rows(torch.zeros(len(KEYS), dtype=torch.int64))
    likely = (-every.free_energy(KEYS)).softmax(0)
    many, rng = single.rows(torch.zeros(n, dtype=torch.int64)), Generator().manual_seed(0)
    drawn = draw_exactly(many, rng) if exactly else many.gibbs(torch.zeros(n, 8), 60, rng)
    often = torch.bincount((drawn @ 2.0 ** torch.arange(7, -1, -1)).long(), minlength=256) / n
    assert (often - likely).abs().sum() / 2 < (256 / n) ** 0.5


@torch.no_grad()
@pytest.mark.parametrize(("hidden", "kind"), [(5, "exact"), (15, "estimate")])
def test_the_scores_of_a_sampler_sum_to_one_over_all_codes(hidden: int, kind: str) -> None:
    torch.manual_seed(0)
    part = RBMSampler(RBMSamplerSettings(hidden=hidden), Sizes(8, 3, torch.eye(8).bool(), keys=8))
    torch.nn.init.normal_(part.weight)
    features = torch.randn(1, 1, 3).expand(256, 1, 3)
    result = part.log_prob(features, KEYS.unsqueeze(1), Generator().manual_seed(0))
    assert result.kind == kind
    assert (result.variance is not None) == (kind == "estimate")
    assert abs(result.value.exp().sum() - 1) < (1e-4 if kind == "exact" else 0.2)


def test_a_sampler_learns_which_notes_go_together() -> None:
    """Two chords, equally likely: one bit, where independent notes need four."""
    torch.manual_seed(0)
    part = RBMSampler(RBMSamplerSettings(hidden=6), Sizes(4, 1, torch.eye(4).bool(), keys=4))
    codes = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]]).repeat(1, 20, 1)
    features, rng = torch.zeros(1, 40, 1), Generator().manual_seed(1)
    adam = torch.optim.Adam(part.parameters(), lr=0.05)
    for _ in range(200):
        adam.zero_grad()
        part.loss(features, codes, rng).mean().backward()
        adam.step()
    with torch.no_grad():
        nats = -float(part.log_prob(features, codes, rng).value.mean())
    assert 0.69 < nats < 1.0


@torch.no_grad()
@pytest.mark.parametrize("bias", [2.0**12, 2.0**20, 2.0**36])
@pytest.mark.parametrize("hidden", [5, 15])
def test_huge_biases_give_no_certainty(bias: float, hidden: int) -> None:
    """All energies would be rounded to the same number, and an edited bundle could claim any score."""
    sizes = Sizes(codes=8, features=3, membership=torch.eye(8, dtype=torch.bool), keys=8)
    part = RBMSampler(RBMSamplerSettings(hidden=hidden), sizes)
    torch.nn.init.constant_(part.hidden.bias, bias)
    features = torch.zeros(1, len(KEYS), 3)
    scores = part.log_prob(features, KEYS.unsqueeze(0), Generator().manual_seed(0)).value
    assert scores.dtype == torch.float32
    assert scores.logsumexp(-1).item() == pytest.approx(0, abs=0.05)


@torch.no_grad()
def test_biases_that_no_precision_can_hold_are_impossible() -> None:
    part = rbm(hidden=5)
    torch.nn.init.constant_(part.hidden.bias, 2.0**80)
    codes = torch.tensor([1.0, 1.0, 0.0]).expand(1, len(KEYS), -1)
    scores = part.log_prob(codes, KEYS.unsqueeze(0), torch.zeros(1, len(KEYS), 8), Generator())
    assert (scores.value == -torch.inf).all()


def test_weights_of_sets_of_any_size_are_summed() -> None:
    keys = torch.tensor([[2.0, -3.0, -20.0, -300.0, 300.0], [-1.0, 0.5, -21.0, -400.0, -1e36]])
    first, second = keys.double()
    expected = torch.stack([first, second, first + second]).logsumexp(0).float()
    torch.testing.assert_close(log_sets(keys), expected)


def test_the_random_numbers_of_a_frame_are_independent_of_others() -> None:
    many = machine(10, frames=5)
    others = many.codes.clone()
    others[:4] = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 0]])
    single, two = (
        annealed_log_partition(some, 8, 10, Generator().manual_seed(0))
        for some in (many, replace(many, codes=others))
    )
    torch.testing.assert_close([single[0][4], single[1][4]], [two[0][4], two[1][4]])
    assert not torch.isclose(single[0][1], two[0][1])


def test_longer_annealing_has_a_smaller_error() -> None:
    many = machine(10, frames=30, strength=1.5)
    errors = [
        annealed_log_partition(many, 16, temperatures, Generator().manual_seed(0))[1].mean()
        for temperatures in (5, 40, 300)
    ]
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("exactly", [True, False])
def test_drawn_keys_have_their_exact_frequencies(exactly: bool) -> None:
    n = 20_000
    single = machine(6)
    chosen = (-every_frame(single).free_energy(KEYS)).masked_fill(~allowed(single.codes[0]), -torch.inf)
    likely = chosen.softmax(0)
    many, rng = repeated(single, n), Generator().manual_seed(0)
    drawn = draw_exactly(many, rng) if exactly else many.gibbs(torch.zeros(n, 8), 40, rng)
    often = torch.bincount((drawn @ 2.0 ** torch.arange(7, -1, -1)).long(), minlength=256) / n
    # Total variation of n draws from k outcomes stays below sqrt(k / n) / 2 on average.
    outcomes = int((likely > 0).sum())
    assert (often - likely).abs().sum() / 2 < (outcomes / n) ** 0.5


def test_every_code_has_a_key_after_each_gibbs_step() -> None:
    many = machine(6, frames=500, strength=3)
    keys = many.gibbs(torch.zeros(500, 8), 1, Generator().manual_seed(0))
    assert torch.equal((keys @ MEMBERSHIP.T.float() > 0).float(), many.codes)


@torch.no_grad()
def test_exact_scores_sum_to_one_over_keys_of_the_codes() -> None:
    part, codes = rbm(hidden=5), torch.tensor([1.0, 0.0, 1.0]).expand(256, 1, 3)
    result = part.log_prob(codes, KEYS.unsqueeze(1), torch.zeros(256, 1, 8), Generator())
    assert result.kind == "exact"
    torch.testing.assert_close(result.value.exp().sum(), torch.tensor(1.0))
    assert torch.equal(result.value.isfinite().squeeze(1), allowed(codes[0, 0]))


@torch.no_grad()
def test_many_hidden_units_are_scored_by_an_estimate() -> None:
    part, codes = rbm(hidden=15), torch.tensor([1.0, 0.0, 1.0]).expand(256, 1, 3)
    result = part.log_prob(codes, KEYS.unsqueeze(1), torch.zeros(256, 1, 8), Generator().manual_seed(0))
    assert result.kind == "estimate"
    assert result.variance is not None
    assert result.variance.shape == result.value.shape
    assert abs(result.value.exp().sum() - 1) < 0.2


@torch.no_grad()
def test_codes_of_many_keys_are_estimated() -> None:
    halves = (torch.arange(88) // 44 == torch.arange(2).unsqueeze(1)).bool()
    part = RBM(RBMSettings(hidden=15), Sizes(codes=2, features=0, membership=halves, keys=88))
    codes, keys = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), torch.zeros(1, 2, 88)
    keys[0, 0, 3] = 1
    result = part.log_prob(codes, keys, torch.zeros(1, 2, 88), Generator().manual_seed(0))
    assert result.value.isfinite().all()
    assert result.variance is not None
    assert result.variance[0, 0] > result.variance[0, 1] == 0


@torch.no_grad()
def test_silence_is_certain_without_codes() -> None:
    part, silence = rbm(hidden=15), torch.zeros(1, 3, 8)
    result = part.log_prob(torch.zeros(1, 3, 3), silence, silence, Generator())
    torch.testing.assert_close(result.value, torch.zeros(1, 3))


@pytest.mark.parametrize("settings", [{"training": "cd"}, {"training": "pcd", "particles": 64}])
def test_each_training_method_increases_the_likelihood(settings: dict[str, Any]) -> None:
    part, rng = rbm(hidden=6, **settings), Generator().manual_seed(1)
    # Two codes that always sound in their lowest keys.
    codes = torch.tensor([1.0, 1.0, 0.0]).expand(8, 4, 3)
    keys = torch.tensor([1.0, 1, 0, 0, 0, 0, 0, 0]).expand(8, 4, 8)
    optimiser = torch.optim.Adam(part.parameters(), lr=0.02)

    def nats() -> float:
        with torch.no_grad():
            return -float(part.log_prob(codes, keys, keys, rng).value.mean())

    before = nats()
    for _ in range(60):
        optimiser.zero_grad()
        part.loss(codes, keys, keys, rng).mean().backward()
        optimiser.step()
    assert nats() < before / 4


def test_persistent_particles_are_saved() -> None:
    part, rng = rbm(hidden=6, training="pcd", particles=16), Generator().manual_seed(1)
    codes, keys = torch.tensor([1.0, 1, 0]).expand(2, 4, 3), torch.tensor([1.0, 1, 0, 0, 0, 0, 0, 0])
    part.loss(codes, keys.expand(2, 4, 8), keys.expand(2, 4, 8), rng)
    assert part.state_dict()["fantasies"].any()
    assert "fantasies" not in rbm(hidden=6).state_dict()


def test_a_particle_used_by_several_frames_keeps_the_last_state() -> None:
    part = rbm(hidden=6, training="pcd", particles=1)
    codes, keys = torch.tensor([1.0, 1, 0]).expand(4, 64, 3), torch.zeros(4, 64, 8)
    single = part.machine(codes, keys, part.start(4))[0]
    dreamt = part._negative_phase(single, keys.flatten(0, 1), Generator().manual_seed(1))
    assert len(dreamt.unique(dim=0)) > 1
    assert torch.equal(part.fantasies[0], dreamt[-1])


@torch.no_grad()
def test_biases_energies_and_hidden_units_equal_those_of_the_original(shared: Path) -> None:
    folder = shared / "reference"
    with np.load(folder / "golden_rbm.npz") as arrays:
        golden = {name: torch.from_numpy(arrays[name]).transpose(0, 1).float() for name in arrays}
    weights = read_original(
        folder / "original" / "rbm-model.pt", folder / "original" / "rbm-decoder.pt"
    ).weights
    part = RBM(RBMSettings(), Sizes(codes=12, features=0, membership=Onset(Settings()).membership))
    part.load_state_dict(
        {name.removeprefix("decoder."): w for name, w in weights.items() if name.startswith("decoder.")}
    )
    keys = golden["keys"]
    machines, _ = part.machine(golden["codes"][:, 1:], keys[:, :-1], part.start(3))
    current = keys[:, 1:].flatten(0, 1)
    for name, result in {
        "visible_bias": machines.visible,
        "hidden_bias": machines.hidden,
        "free_energy": machines.free_energy(current),
        "hidden_probability": machines.hidden_probability(current),
    }.items():
        torch.testing.assert_close(result, golden[name].flatten(0, 1), atol=1e-5, rtol=0)


@torch.no_grad()
def test_biases_depend_on_loudness_as_in_the_original(shared: Path) -> None:
    """Computed with torch from the original's tensors; the loudness is that of the golden values."""
    folder = shared / "reference"
    files = [folder / "original" / name for name in ("velocity-model.pt", "velocity-decoder.pt")]
    with np.load(folder / "golden_velocity.npz") as arrays:
        golden = {name: torch.from_numpy(arrays[name]).transpose(0, 1).float() for name in arrays}
    codes, previous = golden["codes"][:, 1:], golden["previous_velocity"]
    theirs = torch.load(files[1], weights_only=True)
    lstm = torch.nn.LSTM(100, 100, batch_first=True)
    lstm.load_state_dict({name: theirs[f"lstm.{name}"] for name in lstm.state_dict()})
    hidden, _ = lstm(torch.cat([codes, previous], -1))

    decoder = restore(read_original(*files), open_registry()).decoder
    assert isinstance(decoder, LoudnessRBM)
    machines, _ = decoder.machine(codes, previous, decoder.start(3))
    for name, result in {"v_bias_linear": machines.visible, "h_bias_linear": machines.hidden}.items():
        expected = torch.nn.functional.linear(hidden, theirs[f"{name}.weight"], theirs[f"{name}.bias"])
        torch.testing.assert_close(result, expected.flatten(0, 1), atol=1e-5, rtol=0)
    assert torch.equal(decoder.weight, theirs["W"])


@torch.no_grad()
def test_gibbs_sampling_starts_from_keys_whatever_their_loudness() -> None:
    part = LoudnessRBM(RBMSettings(lstm=6, hidden=20, gibbs=1), SIZES)
    torch.nn.init.normal_(part.weight, std=5)
    part.lstm.weight_ih_l0[:, 3:] = 0
    codes = torch.ones(200, 1, 3)
    keys = (torch.rand(200, 1, 8, generator=Generator().manual_seed(0)) < 0.5).float()
    loud, quiet = (
        part.sample(codes, level * keys, part.start(200), Generator().manual_seed(1))[0]
        for level in (1.0, 0.01)
    )
    assert torch.equal(loud, quiet)
