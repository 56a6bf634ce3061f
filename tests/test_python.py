"""The Python library: models are torch modules, and a corpus is a sequence of rolls."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import zoo
from zoo.cli.main import run
from zoo.data.fragments import Fragments
from zoo.errors import BundleError, DataError, UsageError
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.music.meter import Meter
from zoo.music.roll import Notes, Roll

TINY = "attention=none attention.local=4 attention.features=5 sampler=independent decoder.hidden=4"


def tune(seed: int = 0, grid: int = 4) -> Roll:
    """Eight bars of single notes."""
    start = np.arange(0, 128 * grid // 4, 2)
    key = np.random.default_rng(seed).integers(30, 50, len(start))
    notes = Notes(start, start + 2, key, np.full(len(start), 64, np.uint8))
    return Roll.from_notes(notes, meter=Meter.of(4, 4, grid=grid))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus() -> zoo.Corpus:
    return zoo.Corpus.from_rolls([tune(seed) for seed in range(12)], "tunes")


@pytest.fixture
def batch(corpus: zoo.Corpus) -> Fragments:
    return corpus.fragments(corpus.starts(16, 16)[:4], frames=16, past=4)


def have_equal_weights(first: Model, second: Model) -> bool:
    weights, other_weights = first.state_dict(), second.state_dict()
    return weights.keys() == other_weights.keys() and all(
        torch.equal(weights[name], other_weights[name]) for name in weights
    )


@pytest.mark.parametrize("words", [TINY, "", "decoder=rbm attention=hierarchical"])
def test_a_model_can_be_pickled_saved_and_copied(words: str) -> None:
    model = zoo.build(words).model
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for again in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        torch.load(file, weights_only=False),
    ):
        assert have_equal_weights(model, again)
        assert str(again.recipe) == str(model.recipe)
        first, second = (generate(each, frames=8, seed=3)[0] for each in (model, again))
        assert np.array_equal(first.sounding, second.sounding)


def test_a_copy_does_not_share_weights() -> None:
    model = zoo.build(TINY).model
    again = copy.deepcopy(model)
    with torch.no_grad():
        next(again.parameters()).add_(1)
    assert not have_equal_weights(model, again)


def parameters_of(model: Model) -> int:
    """Called in a new process."""
    return sum(parameter.numel() for parameter in model.parameters())


def test_a_model_can_be_sent_to_another_process() -> None:
    model = zoo.build(TINY).model
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(parameters_of, (model,)) == parameters_of(model)


def test_calling_a_model_returns_the_losses(batch: Fragments) -> None:
    losses = zoo.build(TINY).model(batch, generator(0))
    assert set(losses) == {"core", "decoder"}
    assert all(loss.requires_grad and loss.ndim == 0 for loss in losses.values())


# torch's compiler reads gradients of non-leaf tensors, and warns about it
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_hooks_and_compile_work_with_a_step(batch: Fragments) -> None:
    model = zoo.build(TINY).model
    seen: list[set[str]] = []
    model.register_forward_hook(lambda module, given, losses: seen.append(set(losses)))
    plain = model(batch, generator(0))
    compiled = torch.compile(zoo.build(TINY).model, backend="eager")(batch, generator(0))
    assert seen == [{"core", "decoder"}]
    for term, loss in plain.items():
        torch.testing.assert_close(compiled[term], loss)


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_distributed_training_takes_the_same_step(process_group: None, batch: Fragments) -> None:
    model = zoo.build(TINY).model
    sum(model(batch, generator(0)).values()).backward()
    alone = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    parallel = DistributedDataParallel(model)
    sum(parallel(batch, generator(0)).values()).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, alone[name])


def test_parts_can_be_passed_as_arguments() -> None:
    model = zoo.build(decoder="rbm", grid=12)
    assert model.recipe.parts["decoder"].entry.name == "rbm"
    assert model.model.grid == 12
    assert str(zoo.build("decoder.hidden=5", decoder="lstm").recipe) == str(
        zoo.build("decoder=lstm decoder.hidden=5").recipe
    )
    with pytest.raises(UsageError, match="decodr"):
        zoo.build(decodr="rbm")


def test_the_repr_of_a_model() -> None:
    model = zoo.build(TINY)
    assert repr(model).startswith("ZooModel('encoder=onset attention=none")
    assert f"{model.num_parameters:,} parameters" in repr(model)
    assert model.num_parameters == sum(p.numel() for p in model.parameters())
    assert model.to("cpu") is model
    assert model.device == torch.device("cpu")


def test_a_bundle_is_replaced_only_on_request(tmp_path: Path) -> None:
    model = zoo.build(TINY)
    model.save_pretrained(tmp_path / "kept")
    replacement = zoo.build(TINY, seed=1)
    with pytest.raises(UsageError, match="already") as error:
        replacement.save(tmp_path / "kept")
    assert "overwrite=True" in error.value.problems[0].hint
    assert have_equal_weights(zoo.ZooModel.from_pretrained(tmp_path / "kept").model, model.model)
    replacement.save(tmp_path / "kept", overwrite=True)
    assert have_equal_weights(zoo.load(tmp_path / "kept").model, replacement.model)


def test_a_model_is_not_saved_where_a_run_would_replace_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = zoo.build(TINY)
    place = tmp_path / "my_run" / "bundle"
    model.save(place)
    before = (place / "config.json").read_bytes()
    (place.parent / "recipe.json").write_text("{}")
    with pytest.raises(UsageError, match="this is the bundle of the run my_run"):
        zoo.build(TINY, seed=1).save(place, overwrite=True)
    assert run(["build", *TINY.split(), "-o", str(place), "--force"]) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert (place / "config.json").read_bytes() == before


def test_a_training_with_any_seed_that_is_accepted_can_be_saved_and_loaded(
    songs: Path, tmp_path: Path
) -> None:
    fast = {"steps": 1, "batch": 2, "device": "cpu"}
    model = zoo.build(TINY, seed=np.int64(3))
    model.fit(songs, seed=np.int64(3), **fast)
    model.save(tmp_path / "bundle")
    assert zoo.load(tmp_path / "bundle").num_parameters == model.num_parameters
    for seed in (None, 1.5, True, "abc", -1):
        for use in (
            lambda seed: model.fit(songs, seed=seed, **fast),
            lambda seed: zoo.build(TINY, seed=seed),
            lambda seed: model.evaluate(songs, seed=seed),
        ):
            with pytest.raises(UsageError, match="seed: must be an integer from 0 on"):
                use(seed)


def test_a_split_that_does_not_exist_is_an_error(corpus: zoo.Corpus) -> None:
    with pytest.raises(UsageError, match="there is no split 'nope'"):
        zoo.build(TINY).evaluate(corpus, split="nope")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 8.5}, "frames: must be an integer, not 8.5"),
        ({"bars": 1.5}, "bars: must be an integer"),
        ({"transpose": 1.5, "seed": 0.5}, "seed: must be an integer, not 0.5\ntranspose: must be an integer"),
        ({"meter": "3/4"}, "meter: must be a Meter"),
        ({"tempo": "90", "key": 5}, "tempo: must be a number, not '90'\nkey: must be a string such as Am"),
        ({"primer": 5}, "primer: must be a Roll or a path, not 5"),
        ({"primer": tune(), "primer_bars": 4}, "primer_bars: 4 is not a range of bars"),
        ({"primer": tune(), "primer_bars": (1.5, 2)}, "primer_bars: (1.5, 2) is not a range of bars"),
        ({"primer_bars": (1, 2)}, "primer_bars: there is no primer"),
    ],
)
def test_options_of_a_wrong_type_are_one_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        zoo.build(TINY).generate(**options)
    assert message in "\n".join(str(problem).partition("\n")[0] for problem in error.value.problems)


def test_several_pieces_and_a_primer_from_a_file(tmp_path: Path) -> None:
    model = zoo.build(TINY)
    tune().write(tmp_path / "primer.mid")
    pieces = model.generate(16, count=3, primer=tmp_path / "primer.mid")
    assert [piece.frames for piece in pieces] == [128 + 16] * 3
    assert all(np.array_equal(piece.onset[:128], tune().onset) for piece in pieces)
    assert model.generate().frames == 256
    waltz = Meter.of(3, 4)
    assert model.generate(16, primer=replace(tune(), meter=waltz)).meter == waltz
    assert model.generate(16, primer=tune(), meter=waltz).meter == tune().meter.then(128, waltz)
    same = model.generate(16, primer=tune())
    assert np.array_equal(same.sounding, model.generate(16, primer=str(tmp_path / "primer.mid")).sounding)


PLUGIN = """
import torch
from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import Attention

class Mine(Attention):
    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features = sizes.codes
        self.scale = torch.nn.Parameter(torch.ones(1))
    def start(self, past):
        return None
    def forward(self, codes, clock, state):
        return codes * self.scale, None

@hookimpl
def zoo_parts():
    return [Description(
        slot="attention", name="mine", summary="The frame itself", target=Mine, settings=Settings,
        gives=lambda settings: {"features": 12},
    )]
"""


def test_a_plugin_in_a_file_is_loaded_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    (home / "mine.py").write_text(PLUGIN)
    monkeypatch.chdir(home)
    model = zoo.build("attention=./mine.py sampler=independent decoder.hidden=4")
    model.save(tmp_path / "kept")
    monkeypatch.chdir(away)
    with pytest.raises(BundleError, match="code from a file"):
        zoo.load(tmp_path / "kept")
    again = zoo.load(tmp_path / "kept", local=True)
    assert have_equal_weights(again.model, model.model)
    assert have_equal_weights(pickle.loads(pickle.dumps(again.model)), model.model)


def test_a_backslash_in_a_path_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    zoo.build(TINY).save("odd\\name")
    assert zoo.build("core=@odd\\name").recipe.parts["attention"].entry.name == "none"
    zoo.build(TINY).save("it's one")
    assert zoo.build("""core=@"it's one" """).recipe.parts["attention"].entry.name == "none"


def test_a_corpus_is_a_sequence_of_rolls(corpus: zoo.Corpus) -> None:
    assert len(corpus) == len(list(corpus)) == 12
    assert np.array_equal(corpus[3].onset, tune(3).onset)
    assert np.array_equal(corpus[-1].velocity, tune(11).velocity)
    with pytest.raises(IndexError):
        corpus[12]
    assert repr(corpus).startswith("Corpus('tunes', 12 pieces (")
    assert "1,536 frames" in repr(corpus)
    again = zoo.Corpus.from_rolls([tune(seed) for seed in range(12)], "tunes")
    assert again.digest == corpus.digest
    model = zoo.build(TINY)
    model.fit(corpus, steps=1, batch=2, frames=16, stride=16, past=4)
    assert model.evaluate(corpus, split="all").frames.sum() == 1536


@pytest.mark.parametrize(
    ("rolls", "titles", "message"),
    [
        ([], [], "no roll"),
        ([tune(), tune(grid=12)], [], "different grids"),
        ([tune(), Roll(None, tune().sounding)], [], "only some of the rolls have onsets"),
        ([tune()], ["a", "b"], "2 titles for 1 rolls"),
        ([tune()], [7], "the title of a roll must be a string, not 7"),
    ],
)
def test_invalid_rolls_and_titles_are_errors(rolls: list[Roll], titles: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        zoo.Corpus.from_rolls(rolls, titles=titles)
    with pytest.raises(DataError, match="the name must be a string"):
        zoo.Corpus.from_rolls([tune()], name=Path("tunes"))


def test_rolls_and_evaluations_print_as_text_and_in_a_notebook(corpus: zoo.Corpus, tmp_path: Path) -> None:
    assert repr(tune()) == "Roll(128 frames, 64 notes, 4/4, 120 quarters per minute)"
    assert repr(tune(grid=12)) == "Roll(384 frames, 192 notes, 4/4, 120 quarters per minute, grid=12)"
    pytest.importorskip("matplotlib")
    assert tune()._repr_html_().startswith('<img alt="Roll(128 frames')
    tune().write(tmp_path / "tune.mid")
    assert repr(zoo.Roll.read(tmp_path / "tune.mid", grid=12)).endswith("grid=12)")
    result = zoo.build(TINY).evaluate(corpus, split="train")
    first, score, codes, keys, residual, *_ = repr(result).splitlines()
    assert first.startswith(f"Evaluation of {len(result.titles)} pieces")
    assert [line.split()[0] for line in (score, codes, keys, residual)] == [
        "score",
        "codes",
        "keys",
        "residual",
    ]
    assert f"{result.score().value:.3f}" in score
    assert f"<td>{result.score()}</td>" in result._repr_html_()


def test_a_corpus_shows_its_splits_in_a_notebook(corpus: zoo.Corpus) -> None:
    shown = corpus._repr_html_()
    training = corpus.split("train")
    assert f"<th>train</th><td>{len(training)}</td><td>{training.frames:,}</td>" in shown
    assert zoo.Corpus.from_rolls([tune()], name="<b>")._repr_html_().startswith("<table><caption")
    assert "<b>" not in zoo.Corpus.from_rolls([tune()], name="<b>")._repr_html_()


def test_importing_the_zoo_imports_no_torch() -> None:
    code = "import sys, zoo; dir(zoo); assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, zoo; zoo.Roll; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
