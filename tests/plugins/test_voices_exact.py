"""The voices against sums over all decision paths, on sizes so small that every path can be walked.

The sums below share nothing with the sampler but its weights: probabilities in plain numbers, one
frame, one voice and one path at a time, each definition taken literally.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Generator
from zoo_plugins.baseline import voices as voices_module
from zoo_plugins.baseline.settings import VoicesSettings
from zoo_plugins.baseline.voices import Voices

from zoo.parts.interfaces import Sizes

CODES, FEATURES, FRAMES = 3, 2, 2
EVERY_CODES = list(itertools.product((0, 1), repeat=CODES))
PIECE = (1, 0, 1), (1, 0, 1)
"""Two frames; the paths of the first have very different weights and predict different second frames."""


def make(voices=2, escape=0.001, paths=20, resample=0, objective="no-aposter", weights=2.0) -> Voices:
    """Make small voices whose paths influence the next frame, with unequal counts for the escape."""
    sizes = Sizes(CODES, FEATURES, torch.eye(CODES).bool(), CODES)
    settings = VoicesSettings(
        voices=voices, hidden=4, objective=objective, paths=paths, resample=resample, escape=escape
    )
    sampler = Voices(settings, sizes).double()
    generator = Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in sampler.parameters():
            parameter.normal_(0, weights, generator=generator)
    music = (torch.rand(4, 50, CODES, generator=generator) < torch.tensor([0.1, 0.4, 0.8])).double()
    sampler.count(music, mask=torch.ones(4, 50, dtype=torch.bool))
    return sampler


@pytest.fixture(scope="module")
def features():
    return torch.randn(FRAMES, FEATURES, generator=Generator().manual_seed(3)).double()


@dataclass(frozen=True)
class Step:
    """A path through a frame: its codes, its probabilities and the states after it."""

    codes: tuple[int, ...]
    probability: float
    restricted: dict[tuple[int, ...], float]
    memories: tuple


def one_step(lstm, inputs, memory):
    gates = lstm.weight_ih_l0 @ inputs + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ memory[0] + lstm.bias_hh_l0
    enter, forget, new, out = gates.chunk(4)
    cell = forget.sigmoid() * memory[1] + enter.sigmoid() * new.tanh()
    return out.sigmoid() * cell.tanh(), cell


def outcomes_of(decisions):
    return tuple(int(code in decisions) for code in range(CODES))


def is_true(decision, codes):
    return codes[decision] == 1 if decision < CODES else codes[decision - CODES] == 0


def all_paths(voices):
    """All sequences of decisions about different codes."""
    for decisions in itertools.permutations(range(2 * CODES), voices):
        if len({decision % CODES for decision in decisions}) == voices:
            yield decisions


def continuations(sampler, codes):
    """The paths of q: they decide exactly the codes or, if there are too many, only sounding codes."""
    true = [path for path in all_paths(sampler.voices) if all(is_true(decision, codes) for decision in path)]
    if sum(codes) > sampler.voices:
        return {path for path in true if all(decision < CODES for decision in path)}
    return {path for path in true if outcomes_of(path) == codes}


def steps(sampler, frame, memories) -> list[Step]:
    """All paths through a frame from given states of the voices."""
    allowed = {codes: continuations(sampler, codes) for codes in EVERY_CODES}
    result = []
    for path in all_paths(sampler.voices):
        probability, after, decided = 1.0, [], torch.zeros(2 * CODES).double()
        restricted = {codes: 1.0 for codes in EVERY_CODES if path in allowed[codes]}
        for voice, decision in enumerate(path):
            memory = one_step(sampler.lstm, torch.cat((frame, decided)), memories[voice])
            left = 1 - (decided[:CODES] + decided[CODES:]).repeat(2)
            weights = (sampler.linear(memory[0])).exp() * left
            shares = weights / weights.sum()
            probability *= float(shares[decision])
            for codes in restricted:
                starts = {
                    candidate[voice] for candidate in allowed[codes] if candidate[:voice] == path[:voice]
                }
                restricted[codes] *= float(shares[decision] / sum(shares[start] for start in starts))
            decided[decision] = 1
            after.append(memory)
        result.append(Step(outcomes_of(path), probability, restricted, tuple(after)))
    return result


def exact(sampler, features) -> dict[tuple, float]:
    """The probability of every sequence of codes, summed over all paths."""
    rates = sampler.rates.double().numpy()
    escape = sampler.settings.escape

    def rest(frame, memories):
        if frame == len(features):
            return {(): 1.0}
        table = {}
        for step in steps(sampler, features[frame], memories):
            later = rest(frame + 1, step.memories)
            for codes in EVERY_CODES:
                independent = np.prod(np.where(codes, rates, 1 - rates))
                mass = (1 - escape) * step.probability * (codes == step.codes)
                mass += escape * independent * step.restricted.get(codes, 0.0)
                for tail, probability in later.items():
                    table[codes, *tail] = table.get((codes, *tail), 0.0) + mass * probability
        return table

    silence = (torch.zeros(sampler.settings.hidden).double(),) * 2
    with torch.no_grad():
        return rest(0, (silence,) * sampler.voices)


def scored(sampler, features, codes, repeats, seed=0):
    """The bound of a piece, computed `repeats` times, (repeats,)."""
    codes = torch.tensor(codes).double().expand(repeats, -1, -1)
    with torch.no_grad():
        result = sampler.log_prob(features.expand(repeats, -1, -1), codes, Generator().manual_seed(seed))
    assert result.kind == "bound"
    return result.value.sum(-1)


def assert_mean(values, truth, deviations=5.0):
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean() - truth) < deviations * error + 1e-6 * truth


def assert_frequencies(drawn, table, slack=0.0):
    """Compare the frequencies of drawn codes (N, T, C) with a table of probabilities."""
    result = {}
    for codes in drawn.int().tolist():
        key = tuple(map(tuple, codes))
        result[key] = result.get(key, 0) + 1
    assert set(result) <= set(table)
    for codes, probability in table.items():
        error = (probability * (1 - probability) / len(drawn)) ** 0.5
        rare = 8 / len(drawn)
        assert abs(result.get(codes, 0) / len(drawn) - probability) < 5 * error + rare + slack, codes


@pytest.mark.parametrize("voices", [1, 2, 3, 9])
@pytest.mark.parametrize("escape", [0.001, 0.3])
def test_one_frame_sums_to_one_and_every_weight_is_unbiased(features, voices, escape):
    sampler = make(voices=voices, escape=escape, paths=4, weights=1.0)
    table = exact(sampler, features[:1])
    assert sum(table.values()) == pytest.approx(1, abs=1e-9)
    for codes, probability in table.items():
        assert_mean(scored(sampler, features[:1], codes, 1500).exp(), probability)


@pytest.mark.parametrize(("resample", "stretch"), [(0, 64), (0, 1), (1, 64), (2, 64)])
def test_two_frames_sum_to_one_and_every_weight_is_unbiased(features, resample, stretch, monkeypatch):
    monkeypatch.setattr(voices_module, "UNBROKEN", stretch)
    sampler = make(resample=resample, paths=4, escape=0.05, weights=1.0)
    table = exact(sampler, features)
    assert len(table) == 8**FRAMES
    assert sum(table.values()) == pytest.approx(1, abs=1e-9)
    for codes, probability in table.items():
        assert_mean(scored(sampler, features, codes, 500).exp(), probability)


def test_weighted_paths_predict_better_than_the_proposal_alone(features):
    """The premise of these tests: after the first codes of PIECE, q alone is a bad predictor."""
    sampler = make()
    table = exact(sampler, features)
    truth = table[PIECE] / sum(table[PIECE[0], codes] for codes in EVERY_CODES)
    codes = torch.tensor(PIECE).double().expand(2000, -1, -1)
    repeated = features.expand(2000, -1, -1)
    sampler.settings = sampler.settings.model_copy(update={"paths": 1})
    with torch.no_grad():
        alone = sampler.log_prob(repeated, codes, Generator().manual_seed(0)).value[:, 1].exp().mean()
    assert abs(alone - truth) > 0.1


@pytest.mark.parametrize(("resample", "stretch"), [(0, 64), (0, 1), (1, 64)])
def test_weights_are_unbiased_for_very_different_paths(features, resample, stretch, monkeypatch):
    monkeypatch.setattr(voices_module, "UNBROKEN", stretch)
    values = scored(make(resample=resample, paths=4), features, PIECE, 10_000).exp()
    assert_mean(values, exact(make(), features)[PIECE])


@pytest.mark.parametrize("resample", [0, 1])
@pytest.mark.parametrize("codes", [PIECE, ((0, 0, 1), (0, 1, 1)), ((1, 1, 1), (1, 0, 0))])
def test_the_bound_approaches_the_exact_value_with_more_paths(features, resample, codes):
    truth = np.log(exact(make(), features)[codes])
    before = None
    for paths in (1, 4, 16, 64, 256):
        values = scored(make(paths=paths, resample=resample), features, codes, 150)
        mean, error = float(values.mean()), float(values.std()) / len(values) ** 0.5
        assert mean < truth + 4 * error + 1e-6
        if before is not None:
            assert mean > before[0] - 4 * np.hypot(error, before[1]) - 1e-6
        before = mean, error
    assert mean == pytest.approx(truth, abs=0.02 + 4 * error)


def test_a_single_path_is_below_the_exact_value(features):
    truth = np.log(exact(make(), features)[PIECE])
    assert scored(make(paths=1), features, PIECE, 2000).mean() < truth - 0.05


@pytest.mark.parametrize("voices", [1, 2])
@pytest.mark.parametrize("escape", [0.001, 0.4])
def test_draws_have_the_exact_frequencies(features, voices, escape):
    sampler = make(voices=voices, escape=escape)
    generator, many = Generator().manual_seed(11), 20_000
    state, drawn = sampler.start(many), []
    with torch.no_grad():
        for frame in features:
            codes, state = sampler.sample(frame.expand(many, 1, -1), state, generator)
            drawn.append(codes)
    assert_frequencies(torch.cat(drawn, 1), exact(sampler, features))


def test_temperature_divides_the_logits(features):
    sampler = make(escape=0.2)
    codes, _ = sampler.sample(features[:1].expand(20_000, 1, -1), sampler.start(20_000), Generator(), 2.0)
    with torch.no_grad():
        sampler.linear.weight /= 2
        sampler.linear.bias /= 2
    assert_frequencies(codes, exact(sampler, features[:1]))


@pytest.mark.parametrize("first", [PIECE[0], (0, 0, 0), (1, 1, 1)])
def test_draws_after_a_primer_follow_the_joint_distribution(features, first):
    sampler = make(escape=0.1, paths=64)
    generator, many = Generator().manual_seed(2), 3000
    known = torch.tensor(first).double().expand(many, 1, -1)
    with torch.no_grad():
        state = sampler.follow(features[:1].expand(many, 1, -1), known, sampler.start(many), generator)
        drawn, _ = sampler.sample(features[1:].expand(many, 1, -1), state, generator)
    table = exact(sampler, features)
    given = {(codes,): table[first, codes] for codes in EVERY_CODES}
    total = sum(given.values())
    assert_frequencies(drawn, {codes: mass / total for codes, mass in given.items()}, slack=0.005)


def test_the_bound_objective_is_the_bound_of_a_single_path(features):
    sampler = make(objective="bound", paths=1)
    codes = torch.tensor([[(0, 0, 1), (0, 1, 1)]]).double().expand(500, -1, -1)
    repeated = features.expand(500, -1, -1)
    with torch.no_grad():
        loss = sampler.loss(repeated, codes, Generator().manual_seed(1))
        assert_mean((-loss.sum(-1)).exp(), exact(sampler, features)[(0, 0, 1), (0, 1, 1)])


def test_the_bound_objective_converges(features):
    """Two pieces with equal frequency and different second frames: the optimum is log 2."""
    sampler = make(objective="bound", weights=0.3)
    pieces = ((0, 0, 1), (0, 1, 1)), ((1, 0, 1), (0, 0, 0))
    codes = torch.tensor(pieces).double().repeat(8, 1, 1)
    repeated = torch.stack((features, features * torch.tensor([[1.0], [-9.0]])))
    optimiser = torch.optim.Adam(sampler.parameters(), lr=0.1)
    generator = Generator().manual_seed(0)
    for _ in range(80):
        optimiser.zero_grad()
        sampler.loss(repeated.repeat(8, 1, 1), codes, generator).mean().backward()
        optimiser.step()
    nats = [-np.log(exact(sampler, piece)[codes]) for piece, codes in zip(repeated, pieces, strict=True)]
    assert np.mean(nats) == pytest.approx(np.log(2), abs=0.05)
