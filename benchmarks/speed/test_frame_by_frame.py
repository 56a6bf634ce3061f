"""How much faster training is on whole fragments than with a Python loop over the frames.

The loss of the baseline's core (history and voices) and its gradient are computed for the same fragments in
four ways: in one batch or one fragment after the other, and on whole fragments or frame by frame, as in
generation. The last test checks that all ways give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from zoo_plugins.baseline.outcomes import note_logits

from zoo.data import Corpus
from zoo.model.batch import Batch
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.parts.masks import bernoulli_log_prob, draw_one, masked_log_softmax

Measure = Callable[..., None]
Build = Callable[[str], Model]
Choose = Callable[[int, slice, Tensor], Tensor]
"""From a voice, frames and its log-probabilities (B, T, 2C) to the outcomes (B, T) that it decides."""
Loss = Callable[[Model, Batch, Choose], Tensor]


def whole(model: Model, batch: Batch, choose: Choose) -> Tensor:
    """The summed loss as the zoo computes it: every part processes all frames in one call."""
    features, _ = model.attention(batch.inputs, batch.clock, model.attention.start(batch.past))
    sampler: Any = model.sampler  # of a plugin
    log_probs = sampler.distributions(
        features, batch.codes, lambda voice, own: choose(voice, slice(None), own)
    )
    return -bernoulli_log_prob(note_logits(log_probs), batch.codes).sum()


def frame_by_frame(model: Model, batch: Batch, choose: Choose) -> Tensor:
    """The same loss, computed in a loop over the frames."""
    sampler: Any = model.sampler  # of a plugin
    state = model.attention.start(batch.past)
    memories = [sampler.lstm.start(len(batch.codes))] * sampler.voices
    losses = []
    for frame in range(batch.codes.shape[1]):
        now = slice(frame, frame + 1)
        features, state = model.attention(batch.inputs[:, now], batch.clock[:, now], state)
        codes = batch.codes[:, now]
        decided = codes.new_zeros(len(codes), 1, 2 * sampler.sizes.codes)
        by_voice = []
        for voice in range(sampler.voices):
            outputs, memories[voice] = sampler.lstm(torch.cat([features, decided], -1), memories[voice])
            undecided = torch.stack(decided.chunk(2, -1)).sum(0) == 0
            by_voice.append(masked_log_softmax(sampler.linear(outputs), undecided.repeat(1, 1, 2)))
            decided = decided + true_outcome(choose(voice, now, by_voice[-1].detach()), codes)
        losses.append(-bernoulli_log_prob(note_logits(torch.stack(by_voice)), codes).sum())
    return torch.stack(losses).sum()


def true_outcome(outcomes: Tensor, codes: Tensor) -> Tensor:
    """The true outcome, (B, T, 2C) in {0, 1}, of the pitch classes that the voices decide, (B, T)."""
    pitch = outcomes % codes.shape[-1]
    silent = codes.gather(-1, pitch.unsqueeze(-1)).squeeze(-1) == 0
    return one_hot(pitch + silent * codes.shape[-1], 2 * codes.shape[-1]).to(codes)


WAYS: dict[str, tuple[Loss, bool]] = {
    "whole fragments at once": (whole, False),
    "whole fragments, one after the other": (whole, True),
    "frame by frame, fragments at once": (frame_by_frame, False),
    "frame by frame, one fragment after the other": (frame_by_frame, True),
}


def learn(model: Model, batch: Batch, way: str, choose_in: Callable[[slice], Choose]) -> float:
    """The loss, with its gradient in the parameters; `choose_in` gives the decisions for some fragments."""
    loss_of, alone = WAYS[way]
    model.zero_grad()
    total = 0.0
    single = [slice(row, row + 1) for row in range(len(batch.codes))]
    for rows in single if alone else [slice(None)]:
        loss = loss_of(model, rows_of(batch, rows), choose_in(rows))
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total


def rows_of(batch: Batch, rows: slice) -> Batch:
    """Some of the fragments of a batch."""
    return Batch(**{field.name: getattr(batch, field.name)[rows] for field in fields(batch)})


def gradient_of(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def drawing(rows: slice) -> Choose:
    """Decisions drawn as in training."""
    chance = generator(0, "voices")
    return lambda voice, frames, own: draw_one(own, chance)


def batch_of(model: Model, corpus: Corpus, count: int, frames: int) -> Batch:
    """A batch of `count` fragments, repeated if the corpus has fewer."""
    places = np.resize(corpus.starts(frames, frames), (count, 2))
    return model.batch(corpus.fragments(places, frames))


@pytest.mark.benchmark(min_rounds=3)
@pytest.mark.parametrize(
    ("count", "way"),
    [(8, way) for way in WAYS] + [(140, way) for way, (_, alone) in WAYS.items() if not alone],
)
def test_the_gradient_of_the_core(
    measure: Measure, model: Build, corpus: Corpus, little: bool, count: int, way: str
) -> None:
    count, frames = (2, 8) if little else (count, 64)
    baseline = model("")
    batch = batch_of(baseline, corpus, count, frames)
    group = f"gradient of the baseline's core, {count} fragments of {frames} frames"
    measure(group, way, lambda: learn(baseline, batch, way, drawing), count * frames)


def test_all_ways_give_the_same_loss_and_gradient(model: Build, corpus: Corpus) -> None:
    baseline = model("").double()
    batch = batch_of(baseline, corpus, count=2, frames=24)
    batch = replace(batch, past=batch.past.double(), inputs=batch.inputs.double(), codes=batch.codes.double())
    drawn: dict[int, Tensor] = {}
    chance = generator(0, "voices")

    def record(voice: int, frames: slice, own: Tensor) -> Tensor:
        drawn[voice] = draw_one(own, chance)
        return drawn[voice]

    def replay(rows: slice) -> Choose:
        return lambda voice, frames, own: drawn[voice][rows, frames]

    expected = learn(baseline, batch, "whole fragments at once", lambda rows: record)
    gradient = {name: gradient_of(parameter).clone() for name, parameter in baseline.parameters_of("core")}
    for way in WAYS:
        assert learn(baseline, batch, way, replay) == pytest.approx(expected, rel=1e-9)
        for name, parameter in baseline.parameters_of("core"):
            torch.testing.assert_close(gradient_of(parameter), gradient[name], rtol=1e-7, atol=1e-9)
