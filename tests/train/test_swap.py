"""Trained parts of different runs put together: what each learned stays, and what cannot fit says why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.cli import main
from zoo.data import Corpus
from zoo.errors import BundleError, UsageError, ZooError
from zoo.measure.evaluator import evaluate
from zoo.model.build import build
from zoo.model.bundle import load_bundle, save_bundle
from zoo.model.model import Model
from zoo.model.weights import digest
from zoo.registry import open_registry, parse_recipe
from zoo.train.assemble import assemble
from zoo.train.fit import fit
from zoo.train.lock import claimed
from zoo.train.run import Run
from zoo.train.swap import parse_swap

Make = Callable[..., Any]
SLOTS = ("encoder", "attention", "sampler", "decoder", "velocity")


@pytest.fixture(scope="module")
def runs(fast: Make, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, of which `other` hears sounding keys, and a bundle of `b`; nothing in here is changed."""
    folder = tmp_path_factory.mktemp("runs")
    small = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden="
    words = {"a": f"{small}4", "b": f"{small}6 sampler.paths=3", "other": f"{small}4 encoder=sounding"}
    for seed, (name, more) in enumerate(words.items()):
        model = build(parse_recipe(more, open_registry()), seed)
        with claimed(folder / name) as place:
            fit(model, corpus, fast(steps=4), Run(place), seed=seed)
        if name == "b":
            save_bundle(model, folder / name / "bundle")
    return folder


@pytest.fixture
def here(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(runs)
    return runs


@pytest.fixture
def copies(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs to break."""
    shutil.copytree(runs, tmp_path / "copies")
    monkeypatch.chdir(tmp_path / "copies")
    return tmp_path / "copies"


def swapped(words: str, seed: int = 0) -> Model:
    return assemble(parse_swap(words, open_registry()), seed)


def part(model: Model, slot: str) -> str:
    return digest(model.get_submodule(slot).state_dict())


def refused(words: str, kind: type[ZooError] = UsageError) -> list[str]:
    with pytest.raises(kind) as caught:
        parse_swap(words, open_registry())
    return [str(problem) for problem in caught.value.problems]


def nats(model: Model, corpus: Corpus) -> dict[str, list[float]]:
    found = evaluate(model, corpus.split("test"))
    return {name: term.nats.tolist() for name, term in found.terms.items()}


def test_each_part_keeps_what_it_learned(here: Path, corpus: Corpus) -> None:
    a, b, both = (swapped(words) for words in ("core=@a", "core=@b", "core=@a decoder=@b"))
    for slot in SLOTS:
        assert part(both, slot) == part(b if slot == "decoder" else a, slot)
    assert part(a, "sampler") != part(b, "sampler")
    assert both.encoder.residual.counts.any()
    assert both.recipe.parts["decoder"].settings.hidden == 6
    assert both.recipe.parts["sampler"].settings.paths == 20


def test_nats_are_those_of_the_parts(here: Path, corpus: Corpus) -> None:
    a, b, both = (nats(swapped(w), corpus) for w in ("core=@a", "core=@b", "core=@a decoder=@b"))
    assert both["codes"] == a["codes"] != b["codes"]
    assert both["keys"] == b["keys"] != a["keys"]
    assert both["residual"] == a["residual"]


def test_a_run_and_its_bundle_bring_the_same(here: Path) -> None:
    run, bundle = swapped("core=@b"), swapped("core=@b/bundle")
    assert (
        digest(run.state_dict())
        == digest(bundle.state_dict())
        == digest(load_bundle("b/bundle").state_dict())
    )


def test_a_run_of_which_only_the_bundle_is_left_is_enough(copies: Path) -> None:
    before = digest(swapped("core=@b").state_dict())
    (copies / "b" / "best.safetensors").unlink()
    assert digest(swapped("core=@b").state_dict()) == before


def test_what_is_not_named_comes_with_the_core_or_is_fresh(here: Path) -> None:
    named = parse_swap("core=@a decoder=rbm decoder.hidden=3", open_registry())
    assert set(named.sources) == {"encoder", "attention", "sampler", "velocity"}
    alone = parse_swap("decoder=@other attention=none attention.features=5", open_registry())
    assert set(alone.sources) == {"encoder", "decoder"}
    assert alone.recipe.parts["encoder"].entry.name == "sounding"
    assert part(assemble(alone, seed=3), "attention") != part(assemble(alone, seed=4), "attention")
    assert part(assemble(alone, seed=3), "decoder") == part(swapped("core=@other"), "decoder")


def test_live_settings_may_be_changed(here: Path) -> None:
    model = swapped("core=@b sampler.paths=50")
    assert model.sampler.settings.paths == 50
    assert swapped("core=@b").sampler.settings.paths == 3


def test_from_python_with_a_bundle_that_says_where_each_part_is_from(here: Path, tmp_path: Path) -> None:
    model = zoo.build("core=@a decoder=@b/bundle velocity=none")
    assert model.generate(frames=8).frames == 8
    model.save(tmp_path / "both")
    parts = json.loads((tmp_path / "both" / "config.json").read_text())["parts"]
    sources = {"encoder": "a", "attention": "a", "sampler": "a", "decoder": "b/bundle", "velocity": None}
    assert {slot: said["source"] for slot, said in parts.items()} == sources
    again = load_bundle(tmp_path / "both")
    assert {slot: said["weights"] for slot, said in parts.items()} == {s: part(again, s) for s in SLOTS}
    assert "Combined from trained parts" in (tmp_path / "both" / "README.md").read_text()
    assert digest(swapped(f"core=@{tmp_path / 'both'}").state_dict()) == digest(model.model.state_dict())


def test_after_training_nobody_else_has_trained_it(here: Path, corpus: Corpus) -> None:
    model = zoo.build("core=@a")
    model.fit(corpus, steps=1, batch=2, frames=8, stride=8, device="cpu")
    assert model.sources == {}


def test_parts_of_other_codes_are_refused(here: Path) -> None:
    said = "the decoder of other was trained on encoder=sounding, the core of a on encoder=onset"
    assert said in refused("core=@a decoder=@other")[0]
    assert "the encoder of a is encoder=onset" in refused("decoder=@a velocity=@other")[0]
    assert "the encoder here is encoder=keys" in refused("decoder=@a encoder=keys")[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("attention=@a", "write core=@a"),
        ("sampler=@a", "trained as one core"),
        ("encoder=@a", "write core=@a"),
        ("core=history", "write core=@FOLDER"),
        ("core=@", "write core=@FOLDER"),
        ("core=@a core=@b", "core is given twice"),
        ("decoder=@a decoder=lstm", "decoder is given twice"),
        ("core=@a attention=last", "the attention comes with core=@a"),
        ("core=@a decoder=@b decoder.hidden=5", "the decoder of b was trained with decoder.hidden=6"),
        ("core=@a sampler.hidden=5", "what may be changed is sampler.paths"),
        ("core=@a decoder.hidden=5", "the decoder of a was trained with decoder.hidden=4"),
        ("core=@a decoder.hiden=5", "decoder=lstm has no setting hiden"),
        ("core=@a sampler.paths=0", "it takes a whole number from 1"),
        ("core=@a speed=3", "unknown key speed"),
    ],
)
def test_words_that_cannot_be_meant_are_refused(here: Path, words: str, said: str) -> None:
    problems = refused(words)
    assert len(problems) == 1
    assert said in problems[0]


def test_all_problems_are_told_at_once(here: Path) -> None:
    problems = refused("core=@nowhere decoder=@a decoder.hidden=9 velocity=@other sampler=@b speed=3")
    assert len(problems) == 4
    for said in ("nowhere", "decoder.hidden", "sampler=@b", "speed"):
        assert any(said in problem for problem in problems)


def test_a_folder_that_is_no_source_is_refused(here: Path, tmp_path: Path) -> None:
    assert "core=@nowhere: there is no such folder" in refused("core=@nowhere", BundleError)[0]
    assert "holds neither a run nor a bundle" in refused(f"core=@{tmp_path}", BundleError)[0]


def test_a_run_without_best_weights_is_refused(copies: Path) -> None:
    (copies / "a" / "best.safetensors").unlink()
    assert "the run has no best weights yet" in refused("core=@a", BundleError)[0]


def test_damaged_weights_are_refused(copies: Path) -> None:
    path = copies / "a" / "best.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="was changed or damaged"):
        swapped("core=@a")


def change(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    plan = json.loads((run / "recipe.json").read_text())
    change(plan["parts"])
    (run / "recipe.json").write_text(json.dumps(plan))


def test_weights_of_another_state_version_are_an_error(copies: Path) -> None:
    change(copies / "b", lambda parts: parts["decoder"].update(state_version=99, version="9.9"))
    problems = refused("core=@a decoder=@b", BundleError)
    assert len(problems) == 1
    assert problems[0].startswith("decoder=@b: decoder=polyzoo/lstm: its weights have state version 99")
    assert "pip install 'polyzoo==9.9'" in problems[0]


def test_only_the_parts_that_are_taken_need_be_here(copies: Path) -> None:
    change(copies / "b", lambda parts: parts["attention"].update(name="polyzoo/gone"))
    assert part(swapped("core=@a decoder=@b"), "decoder")
    assert "polyzoo/gone" in refused("core=@b", BundleError)[0]


def test_weights_that_are_not_of_the_part_are_refused(copies: Path) -> None:
    change(copies / "b", lambda parts: parts["decoder"]["settings"].update(hidden=5))
    with pytest.raises(BundleError, match="decoder of b: weights"):
        swapped("core=@a decoder=@b")


@pytest.mark.parametrize("words", ["", "decoder=rbm decoder.hidden=3", "attention=none"])
def test_without_trained_parts_it_is_any_recipe(words: str) -> None:
    swap = parse_swap(words, open_registry())
    assert not swap.sources
    assert torch.equal(
        next(assemble(swap).decoder.parameters()), next(zoo.build(words).model.decoder.parameters())
    )


def test_the_command_says_where_weights_come_from(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "both"
    assert main.run(["build", "core=@a", "decoder=@b", "velocity=none", "-o", str(out), "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)["parts"]
    sources = {"encoder": "a", "attention": "a", "sampler": "a", "decoder": "b", "velocity": None}
    assert {slot: said["source"] for slot, said in parts.items()} == sources
    assert parts["decoder"]["weights"] == part(load_bundle(out), "decoder")
    assert main.run(["build", "core=@a", "velocity=none"]) == 0
    said = capsys.readouterr().out
    assert "weights from a: encoder, attention, sampler, decoder" in said
    assert "untrained: velocity" in said


@pytest.mark.parametrize(("words", "code"), [("core=@nowhere", 5), ("core=@a attention=@a", 2)])
def test_the_command_refuses(here: Path, words: str, code: int) -> None:
    assert main.run(["build", *words.split()]) == code


@pytest.mark.parametrize("word", ["core=@a", "decoder=@a"])
def test_where_parts_begin_untrained_a_source_is_sent_to_build(word: str) -> None:
    with pytest.raises(UsageError, match=f"`zoo build {word} -o BUNDLE`"):
        parse_recipe(word, open_registry())
