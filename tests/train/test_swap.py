"""Combining trained parts of different runs: weights are kept, and incompatible parts are errors."""

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
from zoo.train.lock import lock_folder
from zoo.train.run import Run
from zoo.train.swap import parse_swap

Make = Callable[..., Any]
SLOTS = ("encoder", "attention", "sampler", "decoder", "velocity")


@pytest.fixture(scope="module")
def runs(fast: Make, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, of which `other` has an encoder of sounding keys, and a bundle of `b`; read-only."""
    folder = tmp_path_factory.mktemp("runs")
    small = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden="
    words = {"a": f"{small}4", "b": f"{small}6 sampler.paths=3", "other": f"{small}4 encoder=sounding"}
    for seed, (name, recipe) in enumerate(words.items()):
        model = build(parse_recipe(recipe, open_registry()), seed)
        with lock_folder(folder / name) as place:
            fit(model, corpus, fast(steps=4), Run(place), seed=seed)
        if name == "b":
            save_bundle(model, folder / name / "bundle")
    return folder


@pytest.fixture
def in_runs(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(runs)
    return runs


@pytest.fixture
def copies(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the runs that may be changed."""
    shutil.copytree(runs, tmp_path / "copies")
    monkeypatch.chdir(tmp_path / "copies")
    return tmp_path / "copies"


def assemble_from(words: str, seed: int = 0) -> Model:
    return assemble(parse_swap(words, open_registry()), seed)


def part_digest(model: Model, slot: str) -> str:
    return digest(model.get_submodule(slot).state_dict())


def problems_of(words: str, kind: type[ZooError] = UsageError) -> list[str]:
    with pytest.raises(kind) as error:
        parse_swap(words, open_registry())
    return [str(problem) for problem in error.value.problems]


def nats(model: Model, corpus: Corpus) -> dict[str, list[float]]:
    evaluation = evaluate(model, corpus.split("test"))
    return {name: term.nats.tolist() for name, term in evaluation.terms.items()}


def test_each_part_keeps_its_weights(in_runs: Path, corpus: Corpus) -> None:
    a, b, both = (assemble_from(words) for words in ("core=@a", "core=@b", "core=@a decoder=@b"))
    for slot in SLOTS:
        assert part_digest(both, slot) == part_digest(b if slot == "decoder" else a, slot)
    assert part_digest(a, "sampler") != part_digest(b, "sampler")
    assert both.encoder.residual.counts.any()
    assert both.recipe.parts["decoder"].settings.hidden == 6
    assert both.recipe.parts["sampler"].settings.paths == 20


def test_each_part_keeps_its_nats(in_runs: Path, corpus: Corpus) -> None:
    a, b, both = (nats(assemble_from(w), corpus) for w in ("core=@a", "core=@b", "core=@a decoder=@b"))
    assert both["codes"] == a["codes"] != b["codes"]
    assert both["keys"] == b["keys"] != a["keys"]
    assert both["residual"] == a["residual"]


def test_a_run_and_its_bundle_are_equivalent_sources(in_runs: Path) -> None:
    run, bundle = assemble_from("core=@b"), assemble_from("core=@b/bundle")
    assert (
        digest(run.state_dict())
        == digest(bundle.state_dict())
        == digest(load_bundle("b/bundle").state_dict())
    )


def test_a_run_without_checkpoints_is_replaced_by_its_bundle(copies: Path) -> None:
    before = digest(assemble_from("core=@b").state_dict())
    (copies / "b" / "best.safetensors").unlink()
    assert digest(assemble_from("core=@b").state_dict()) == before


def test_unnamed_slots_come_from_the_core_or_are_untrained(in_runs: Path) -> None:
    named = parse_swap("core=@a decoder=rbm decoder.hidden=3", open_registry())
    assert set(named.sources) == {"encoder", "attention", "sampler", "velocity"}
    alone = parse_swap("decoder=@other attention=none attention.features=5", open_registry())
    assert set(alone.sources) == {"encoder", "decoder"}
    assert alone.recipe.parts["encoder"].entry.name == "sounding"
    assert part_digest(assemble(alone, seed=3), "attention") != part_digest(
        assemble(alone, seed=4), "attention"
    )
    assert part_digest(assemble(alone, seed=3), "decoder") == part_digest(
        assemble_from("core=@other"), "decoder"
    )


def test_live_settings_can_be_changed(in_runs: Path) -> None:
    model = assemble_from("core=@b sampler.paths=50")
    assert model.sampler.settings.paths == 50
    assert assemble_from("core=@b").sampler.settings.paths == 3


def test_a_bundle_records_the_source_of_each_part(in_runs: Path, tmp_path: Path) -> None:
    model = zoo.build("core=@a decoder=@b/bundle velocity=none")
    assert model.generate(frames=8).frames == 8
    model.save(tmp_path / "both")
    parts = json.loads((tmp_path / "both" / "config.json").read_text())["parts"]
    sources = {"encoder": "a", "attention": "a", "sampler": "a", "decoder": "b/bundle", "velocity": None}
    assert {slot: part["source"] for slot, part in parts.items()} == sources
    again = load_bundle(tmp_path / "both")
    assert {slot: part["weights"] for slot, part in parts.items()} == {
        s: part_digest(again, s) for s in SLOTS
    }
    assert "Combined from trained parts" in (tmp_path / "both" / "README.md").read_text()
    assert digest(assemble_from(f"core=@{tmp_path / 'both'}").state_dict()) == digest(
        model.model.state_dict()
    )


def test_a_model_has_no_sources_after_training(in_runs: Path, corpus: Corpus) -> None:
    model = zoo.build("core=@a")
    model.fit(corpus, steps=1, batch=2, frames=8, stride=8, device="cpu")
    assert model.sources == {}


def test_parts_with_other_codes_are_an_error(in_runs: Path) -> None:
    what = "the decoder of other was trained with encoder=sounding, the core of a with encoder=onset"
    assert what in problems_of("core=@a decoder=@other")[0]
    assert "the encoder of a is encoder=onset" in problems_of("decoder=@a velocity=@other")[0]
    assert "the encoder of this recipe is encoder=keys" in problems_of("decoder=@a encoder=keys")[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("attention=@a", "use core=@a"),
        ("sampler=@a", "were trained together"),
        ("encoder=@a", "use core=@a"),
        ("core=history", "use core=@FOLDER"),
        ("core=@", "use core=@FOLDER"),
        ("core=@a core=@b", "core is given twice"),
        ("decoder=@a decoder=lstm", "decoder is given twice"),
        ("core=@a attention=last", "the attention comes with core=@a"),
        ("core=@a decoder=@b decoder.hidden=5", "the decoder of b was trained with decoder.hidden=6"),
        ("core=@a sampler.hidden=5", "only sampler.paths, sampler.resample can be changed"),
        ("core=@a decoder.hidden=5", "the decoder of a was trained with decoder.hidden=4"),
        ("core=@a decoder.hiden=5", "decoder=lstm has no setting hiden"),
        ("core=@a sampler.paths=0", "it takes a whole number from 1"),
        ("core=@a speed=3", "unknown key speed"),
    ],
)
def test_invalid_words_are_an_error(in_runs: Path, words: str, message: str) -> None:
    problems = problems_of(words)
    assert len(problems) == 1
    assert message in problems[0]


def test_all_problems_are_reported_together(in_runs: Path) -> None:
    problems = problems_of("core=@nowhere decoder=@a decoder.hidden=9 velocity=@other sampler=@b speed=3")
    assert len(problems) == 4
    for word in ("nowhere", "decoder.hidden", "sampler=@b", "speed"):
        assert any(word in problem for problem in problems)


def test_a_folder_without_a_run_or_bundle_is_an_error(in_runs: Path, tmp_path: Path) -> None:
    assert "core=@nowhere: there is no such folder" in problems_of("core=@nowhere", BundleError)[0]
    assert "is neither a run nor a bundle" in problems_of(f"core=@{tmp_path}", BundleError)[0]


def test_a_run_without_best_weights_is_an_error(copies: Path) -> None:
    (copies / "a" / "best.safetensors").unlink()
    assert "the run has no best weights yet" in problems_of("core=@a", BundleError)[0]


def test_damaged_weights_are_an_error(copies: Path) -> None:
    path = copies / "a" / "best.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="was changed or damaged"):
        assemble_from("core=@a")


def change(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    plan = json.loads((run / "recipe.json").read_text())
    change(plan["parts"])
    (run / "recipe.json").write_text(json.dumps(plan))


def test_weights_of_another_state_version_are_an_error(copies: Path) -> None:
    change(copies / "b", lambda parts: parts["decoder"].update(state_version=99, version="9.9"))
    problems = problems_of("core=@a decoder=@b", BundleError)
    assert len(problems) == 1
    assert problems[0].startswith("decoder=@b: decoder=polyzoo/lstm: its weights have state version 99")
    assert "pip install 'polyzoo==9.9'" in problems[0]


def test_only_the_parts_that_are_taken_need_to_be_installed(copies: Path) -> None:
    change(copies / "b", lambda parts: parts["attention"].update(name="polyzoo/gone"))
    assert part_digest(assemble_from("core=@a decoder=@b"), "decoder")
    assert "polyzoo/gone" in problems_of("core=@b", BundleError)[0]


def test_weights_that_do_not_fit_the_part_are_an_error(copies: Path) -> None:
    change(copies / "b", lambda parts: parts["decoder"]["settings"].update(hidden=5))
    with pytest.raises(BundleError, match="decoder of b: weights"):
        assemble_from("core=@a decoder=@b")


@pytest.mark.parametrize("words", ["", "decoder=rbm decoder.hidden=3", "attention=none"])
def test_a_recipe_without_trained_parts(words: str) -> None:
    swap = parse_swap(words, open_registry())
    assert not swap.sources
    assert torch.equal(
        next(assemble(swap).decoder.parameters()), next(zoo.build(words).model.decoder.parameters())
    )


def test_the_command_reports_the_sources_of_weights(
    in_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "both"
    assert main.run(["build", "core=@a", "decoder=@b", "velocity=none", "-o", str(out), "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)["parts"]
    sources = {"encoder": "a", "attention": "a", "sampler": "a", "decoder": "b", "velocity": None}
    assert {slot: part["source"] for slot, part in parts.items()} == sources
    assert parts["decoder"]["weights"] == part_digest(load_bundle(out), "decoder")
    assert main.run(["build", "core=@a", "velocity=none"]) == 0
    out_text = capsys.readouterr().out
    assert "weights from a: encoder, attention, sampler, decoder" in out_text
    assert "untrained: velocity" in out_text


@pytest.mark.parametrize(("words", "code"), [("core=@nowhere", 5), ("core=@a attention=@a", 2)])
def test_the_exit_code_of_the_command(in_runs: Path, words: str, code: int) -> None:
    assert main.run(["build", *words.split()]) == code


@pytest.mark.parametrize("word", ["core=@a", "decoder=@a"])
def test_commands_without_trained_parts_refer_to_zoo_build(word: str) -> None:
    with pytest.raises(UsageError, match=f"`zoo build {word} -o BUNDLE`"):
        parse_recipe(word, open_registry())


def test_a_bundle_that_is_replaced_after_it_was_parsed_is_not_mixed_with_the_other(copies: Path) -> None:
    """Otherwise the weights of one model would be recorded as trained on the music of another."""
    swap = parse_swap(["@b/bundle"], open_registry())
    assert assemble(swap)
    save_bundle(build(swap.recipe, 7), "b/bundle")
    with pytest.raises(BundleError, match="was replaced while it was read"):
        assemble(swap)
