"""Files of every format are read as they were written; `freeze.py` freezes those of the next one."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.bench.results import Results
from zoo.bench.submission import read_submission, verify
from zoo.data import Corpus, open_corpus
from zoo.data.store import FORMAT as STORE
from zoo.data.store import open_store
from zoo.model.build import build
from zoo.model.bundle import open_bundle, save_bundle
from zoo.model.weights import digest
from zoo.registry import Recipe, open_registry
from zoo.registry.recipe import GridKeys
from zoo.train.learner import Learner
from zoo.train.plan import plan_words, read_plan
from zoo.train.run import Run
from zoo.train.settings import TrainSettings

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import freeze  # noqa: E402 - the script beside this file

FROZEN = sorted(path.stem for path in HERE.glob("*.zip"))
SAME = 1e-5
"""How far a score may move with the version of torch and with the machine, in nats per frame."""

Frozen = tuple[Path, dict[str, Any]]


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[[str], Frozen]:
    """A frozen folder and what must be read from it."""

    def unpack_folder(name: str) -> Frozen:
        with zipfile.ZipFile(HERE / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        expected = tmp_path / name / "expected.json"
        content = json.loads(expected.read_text("utf-8"))
        expected.unlink()
        return tmp_path / name, content

    return unpack_folder


def of(kind: str) -> pytest.MarkDecorator:
    """Each frozen format of a kind."""
    return pytest.mark.parametrize("name", [name for name in FROZEN if name.startswith(f"{kind}-")])


def test_the_present_formats_are_all_frozen() -> None:
    assert set(freeze.KINDS) <= set(FROZEN), "run tests/formats/freeze.py and commit what it writes"


@of("bundle")
def test_a_bundle_of_every_format_is_the_model_that_it_was(
    name: str, unpacked: Callable[[str], Frozen], tmp_path: Path
) -> None:
    folder, expected = unpacked(name)
    bundle = open_bundle(folder)
    assert digest(bundle.model.state_dict()) == expected["weights"]
    assert freeze.score(bundle.model) == pytest.approx(expected["nats"], abs=SAME)
    assert bundle.record["data"]["name"] == "songs"
    assert {slot: len(music) for slot, music in bundle.record["trained_on"].items()}["decoder"] == 1
    save_bundle(bundle.model, tmp_path / "again", **bundle.record)
    assert digest(open_bundle(tmp_path / "again").model.state_dict()) == expected["weights"]


@of("run")
def test_a_run_of_every_format_goes_on_where_it_was(name: str, unpacked: Callable[[str], Frozen]) -> None:
    folder, expected = unpacked(name)
    begun = read_plan(folder)
    assert begun is not None
    words = {word.key: word.text for word in plan_words(begun, folder)}
    assert words["data"] == "songs"
    recipe = Recipe.from_json({"parts": begun["parts"], "grid": 4}, open_registry(), keys=GridKeys)
    model = build(recipe)
    learner = Learner(model, TrainSettings(**begun["train"]), begun["seed"])
    assert Run(folder).resume(learner)
    assert learner.step == expected["step"]
    assert digest(learner.best.tensors) == expected["best"]
    assert all(torch.equal(tensor, learner.best.tensors[key]) for key, tensor in model.state_dict().items())
    assert [list(each) for each in Run(folder).validations("core")] == expected["validations"]


@of("results")
@pytest.mark.parametrize("packed", [False, True])
def test_results_of_every_reading_are_in_the_table(
    name: str, packed: bool, unpacked: Callable[[str], Frozen]
) -> None:
    folder, expected = unpacked(name)
    if packed:
        assert Results(folder / "results").pack("tunes") == 4
    rows = list(freeze.rows(folder))
    assert [label for label, _ in rows] == [label for label, _ in expected["rows"]]
    assert [nats for _, nats in rows] == pytest.approx([nats for _, nats in expected["rows"]])


@of("store")
def test_a_cache_holds_the_music_or_is_of_an_older_format_and_made_again(
    name: str, unpacked: Callable[[str], Frozen]
) -> None:
    folder, expected = unpacked(name)
    store = open_store(folder)
    if name != f"store-{STORE}":
        assert store is None
        return
    assert store is not None
    corpus = Corpus("songs", store)
    assert corpus.digest == expected["digest"]
    assert sorted(corpus.planes) == expected["planes"]
    assert freeze.keys(corpus) == expected["keys"]


@of("submission")
def test_a_submission_of_every_format_is_accepted_with_its_score(
    name: str, unpacked: Callable[[str], Frozen], tmp_path: Path
) -> None:
    folder, expected = unpacked(name)
    submission = read_submission(folder)
    claim = submission.claim
    assert {"nats": claim.nats, "kind": claim.kind, "digest": claim.digest} == expected
    score = verify(submission, open_corpus(str(freeze.write_songs(tmp_path / "songs")))).score()
    assert score.value == pytest.approx(expected["nats"], abs=SAME)
