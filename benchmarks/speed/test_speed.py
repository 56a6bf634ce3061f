"""The speed of operations that users wait for. All rows of a group process the same music."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from zoo.data import Corpus, open_corpus
from zoo.measure.evaluator import evaluate
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.music.midi import read_midi
from zoo.train.batches import TrainingBatches
from zoo.train.learner import Learner
from zoo.train.settings import TrainSettings

Measure = Callable[..., None]
Build = Callable[[str], Model]

ATTENTIONS = (
    "none",
    "history",
    "lags",
    "latency",
    "latency attention.mix=false",
    "hierarchical",
    "copying",
    "transformer",
    "stacked",
    "mingru attention.layers=2",  # the width and depth of stacked
)
SAMPLERS = ("independent", "voices", "voices sampler.objective=bound", "rbm", "nade", "ordered")
DECODERS = ("lstm", "lstm decoder.objective=conditional", "rbm", "rbm decoder.training=pcd", "ordered")
MODELS = ("attention=none sampler=independent", "baseline", "decoder=rbm attention=hierarchical")
TRAINED = [
    *(("attention", f"attention={part} sampler=independent decoder=uniform") for part in ATTENTIONS),
    *(("sampler", f"attention=none sampler={part} decoder=uniform") for part in SAMPLERS),
    *(("decoder", f"attention=last sampler=rates decoder={part}") for part in DECODERS),
    *(("all parts", words) for words in MODELS),
]
"""The parts in the other slots learn little or nothing, so that the compared part dominates the time."""


@pytest.mark.parametrize(("slot", "words"), TRAINED)
def test_training_step(
    measure: Measure, model: Build, corpus: Corpus, little: bool, slot: str, words: str
) -> None:
    settings = TrainSettings(batch=2, frames=16, stride=16) if little else TrainSettings()
    learner = Learner(model(words), settings, seed=0)
    batches = TrainingBatches(corpus, settings, seed=0).at(0)
    frames = sum(batch.mask.numel() for batch in batches)
    measure(f"a training step, by {slot}", words, lambda: learner.learn(batches), frames)


@pytest.mark.parametrize("words", ["stacked", "mingru attention.layers=2", "transformer"])
def test_the_gradient_of_an_attention_alone(
    measure: Measure, model: Build, corpus: Corpus, little: bool, words: str
) -> None:
    built = model(f"attention={words} sampler=independent decoder=uniform").train()
    settings = TrainSettings(batch=2, frames=16, stride=16) if little else TrainSettings()
    [fragments] = TrainingBatches(corpus, settings, seed=0).at(0)
    batch = built.batch(fragments)

    def learn() -> None:
        built.zero_grad()
        features, _ = built.attention(batch.inputs, batch.clock, built.attention.start(batch.past))
        features.sum().backward()

    measure("the gradient of an attention alone", f"attention={words}", learn, fragments.mask.numel())


def test_reading_the_fragments_of_a_step(measure: Measure, corpus: Corpus) -> None:
    settings = TrainSettings()
    batches = TrainingBatches(corpus, settings, seed=0)
    frames = settings.batch * settings.frames
    measure("the fragments of a training step", "from the cache", lambda: batches.at(0), frames)


@pytest.mark.parametrize("count", [1, 16])
@pytest.mark.parametrize("words", MODELS)
def test_generation(measure: Measure, model: Build, little: bool, words: str, count: int) -> None:
    frames = 4 if little else 64
    built = model(words)
    name = f"{words}, {count} at once" if count > 1 else words
    measure(f"{frames} frames of new music", name, lambda: generate(built, frames, count), frames * count)


@pytest.mark.parametrize("words", MODELS)
def test_evaluation(measure: Measure, model: Build, corpus: Corpus, little: bool, words: str) -> None:
    built, pieces = model(words), corpus.take(range(1 if little else 4))
    measure("the score of four pieces", words, lambda: evaluate(built, pieces), pieces.frames)


def test_reading_midi(measure: Measure, corpus: Corpus, songs: Path) -> None:
    files = sorted(songs.iterdir())
    measure("a folder of MIDI files", "read", lambda: [read_midi(file) for file in files], corpus.frames)


def test_opening_a_cached_corpus(measure: Measure, corpus: Corpus, songs: Path) -> None:
    measure("a folder of MIDI files", "opened, once it is cached", lambda: open_corpus(songs), corpus.frames)


COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "zoo list": ["-m", "zoo", "list"],
    "python -c 'import torch'": ["-c", "import torch"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_startup(measure: Measure, name: str) -> None:
    command = [sys.executable, *COMMANDS[name]]
    start = partial(subprocess.run, command, capture_output=True, check=True)
    measure("startup", name, start)
