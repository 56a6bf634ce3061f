from __future__ import annotations

from dataclasses import replace

import numpy as np

from zoo.data.summary import summarise


def test_a_summary_agrees_with_the_rolls(corpus_of, noise):
    rolls = [noise(seed, frames) for seed, frames in enumerate((20, 33, 7))]
    summary = summarise(corpus_of(rolls))
    sounding = np.concatenate([roll.sounding for roll in rolls])
    velocity = np.concatenate([roll.velocity for roll in rolls])
    assert (summary.pieces, summary.frames) == (3, 60)
    assert summary.notes == sum(roll.onset.sum() for roll in rolls)
    assert np.isclose(summary.polyphony, sounding.sum(1).mean())
    assert summary.most == sounding.sum(1).max()
    assert np.isclose(summary.silence, (~sounding.any(1)).mean())
    assert (summary.lowest, summary.highest) == tuple(sounding.any(0).nonzero()[0][[0, -1]] + 21)
    assert np.isclose(summary.loudness, velocity[velocity > 0].mean())


def test_unknown_statistics_are_none(corpus_of, noise):
    bare = replace(noise(1, 9), onset=None, velocity=None)
    summary = summarise(corpus_of([bare], planes=frozenset({"sounding"})))
    assert summary.notes is None
    assert summary.loudness is None


def test_an_empty_split_has_a_summary(corpus_of, noise):
    summary = summarise(corpus_of([noise(1, 9)]).split("test"))
    assert (summary.pieces, summary.frames, summary.lowest, summary.polyphony) == (0, 0, None, 0.0)
