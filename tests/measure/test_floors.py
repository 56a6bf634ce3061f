import math
from dataclasses import replace

import numpy as np
import pytest

from zoo.data import open_corpus
from zoo.errors import DataError
from zoo.measure.floors import floors, velocity_floors
from zoo.measure.row import Row, pairs
from zoo.registry import open_registry

PUBLISHED = {
    "JSB_Chorales": ("60.997", "11.061", "10.478"),
    "MuseData": ("60.997", "11.510", "8.561"),
    "Nottingham": ("60.997", "10.252", "5.168"),
    "Piano_midi": ("60.997", "11.046", "8.261"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_floors_of_the_published_benchmark(shared, tmp_path, monkeypatch, name):
    pytest.importorskip("scipy.io")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    corpus = open_corpus(shared / "data" / "boulanger-lewandowski" / f"{name}.mat")
    rows = floors(corpus.split("train"), corpus.split("test"), "sounding", open_registry())
    assert tuple(f"{row.evaluation.score().value:.3f}" for row in rows) == PUBLISHED[name]
    assert {row.evaluation.score().kind for row in rows} == {"exact"}
    assert not any(row.evaluation.is_full for row in rows)


@pytest.mark.parametrize("plane", ["onset", "sounding"])
def test_all_floors_have_the_same_residual(corpus_of, noise, plane):
    corpus = corpus_of([noise(seed, 30 + seed) for seed in range(6)])
    uniform, rates, markov = (row.evaluation for row in floors(corpus, corpus, plane, open_registry()))
    assert uniform.total("codes", "keys").nats == pytest.approx(88 * math.log(2) * uniform.frames, rel=1e-6)
    for floor in (rates, markov):
        assert list(uniform.terms["residual"].nats) == list(floor.terms["residual"].nats)
    assert uniform.score().value > rates.score().value
    uncounted = math.log(2)
    assert uniform.figure("residual").value < uncounted * 88


def test_recipes_and_defaults_of_a_user_do_not_change_the_floors(corpus_of, dynamic, tmp_path, monkeypatch):
    """A recipe of one's own may have the name of a floor."""
    corpus = corpus_of([dynamic(seed) for seed in range(6)])

    def scores():
        registry = open_registry()
        rows = [
            *floors(corpus, corpus, "onset", registry),
            *velocity_floors(corpus, corpus, corpus, registry),
        ]
        return [(row.recipe, {name: term.value for name, term in figures(row)}) for row in rows]

    def figures(row):
        return [(name, row.evaluation.figure(name)) for name in row.evaluation.terms]

    before = scores()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.toml").write_text(
        '[defaults]\nvelocity = "lstm"\nencoder = "sounding"\n'
        '[recipes]\nrates = "sampler=markov"\nmarkov = "sampler=voices decoder=lstm"\nuniform = ""\n'
    )
    assert open_registry().menu.recipes["rates"] == "sampler=markov"
    assert scores() == before


def test_floors_need_training_pieces(corpus_of, noise):
    corpus = corpus_of([noise(0, 30)])
    empty = corpus.split(next(name for name in ("train", "valid") if name != corpus.pieces[0].split))
    with pytest.raises(DataError, match="no training piece"):
        floors(empty, corpus, "onset", open_registry())


def test_the_pairs_of_rows_to_compare():
    def row(label, plane="onset", **options):
        return Row(label, plane, "", None, **options)

    rows = [
        row("rates", is_floor=True),
        row("markov", plane="sounding", is_floor=True),
        row("ours", changed={"sampler.paths": 1}),
        row("ours", changed={"sampler.paths": 5}),
        row("theirs", plane="sounding"),
    ]
    assert [(first.name, second.name) for first, second in pairs(rows)] == [
        ("ours sampler.paths=1", "rates"),
        ("ours sampler.paths=5", "ours sampler.paths=1"),
        ("theirs", "markov"),
        ("theirs", "ours sampler.paths=5"),
    ]


@pytest.fixture
def dynamic(noise):
    """Make noise whose velocities rise with the key and, slightly, with the seed."""

    def make(seed):
        roll = noise(seed, 40)
        level = 40 + np.arange(88) // 2 + seed
        return replace(roll, velocity=np.where(roll.onset, level, 0).astype(np.uint8))

    return make


def test_the_floors_of_velocity(corpus_of, dynamic):
    corpus, validation = (
        corpus_of([dynamic(seed) for seed in range(n)], name=f"dynamic {n}") for n in (6, 8)
    )
    rows = velocity_floors(corpus, validation, corpus, open_registry())
    assert [row.name for row in rows] == ["velocity=mean", "velocity=key", "velocity=previous"]
    mean, key, previous = (row.evaluation.figure("velocity") for row in rows)
    notes = sum(int(corpus.roll(number).onset.sum()) for number in range(6))
    assert mean.count == key.count == previous.count == notes
    assert key.value < mean.value - 0.5
    assert mean.kind == key.kind == previous.kind == "exact"


def test_the_spread_of_the_floors_is_calibrated_on_the_validation_pieces(corpus_of, dynamic, noise):
    """Calibration on noise gives a wider spread and a worse score than on the scored pieces themselves."""
    corpus = corpus_of([dynamic(seed) for seed in range(6)], name="dynamic")
    validation = corpus_of([noise(seed, 40) for seed in range(6)])
    for narrow, wide in zip(
        velocity_floors(corpus, corpus, corpus, open_registry()),
        velocity_floors(corpus, validation, corpus, open_registry()),
        strict=True,
    ):
        assert narrow.evaluation.figure("velocity").value < wide.evaluation.figure("velocity").value


def test_floors_of_velocity_without_validation_pieces_are_calibrated_too(corpus_of, dynamic):
    """The spread of an uncalibrated part costs four nats a note."""
    corpus = corpus_of([dynamic(seed) for seed in range(6)], name="dynamic")
    empty = corpus.split("train").split("valid")
    assert not empty.pieces
    calibrated = velocity_floors(corpus, corpus, corpus, open_registry())
    rows = velocity_floors(corpus, empty, corpus, open_registry())
    assert [row.evaluation.figure("velocity").value for row in rows] == [
        row.evaluation.figure("velocity").value for row in calibrated
    ]
