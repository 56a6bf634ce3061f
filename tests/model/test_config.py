"""The record in a bundle: a field of a wrong type is refused when the bundle is opened, or is harmless."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import BundleError
from zoo.model.build import build
from zoo.model.bundle import Bundle, open_bundle, save_bundle
from zoo.model.model import Model
from zoo.model.sealed import CONFIG, FILES, manifest
from zoo.registry import open_registry, parse_recipe
from zoo.report.recipe import RecipeSummary
from zoo.train.compose import GenerationRequest, compose
from zoo.train.trained import open_trained

TINY = "attention=none attention.local=3 attention.features=4 sampler.hidden=3 decoder.hidden=3"
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 3, 0.5, 10**400, 1e308, float("nan"), float("inf"), "", "x", "\ud800"),
    *([], [1], ["x"], [[]], {}, {"": {}}, {"core": "x"}),
)
MUSIC = {"name": "bach", "digest": "ab" * 32, "pieces": 3, "frames": 99, "piece_digests": ["ab"]}
RECORD: dict[str, Any] = {
    "scores": {
        "validation": {"core": 2.5, "decoder": 1.5},
        "validation_score": {"nats": 4.0, "kind": "exact", "interval": [3.5, 4.5], "pieces": 3},
    },
    "data": {**MUSIC, "grid": 4, "pedal": "keep", "meter": [3, 4]},
    "training": {
        "settings": {"steps": 5, "optimizer": "adamw", "minutes": None},
        "seed": 1,
        "steps": 5,
        "seconds": 2.5,
        "threads": 1,
        "best_step": {"core": 5},
        "began_from": {"decoder": "other"},
    },
    "trained_on": {"decoder": [MUSIC]},
    "versions": {"torch": "2.13.0"},
}


@pytest.fixture(scope="module")
def model() -> Model:
    return build(parse_recipe(TINY, open_registry()), 0)


@pytest.fixture
def bundle(model: Model, tmp_path: Path) -> Path:
    save_bundle(model, tmp_path / "bundle", **RECORD)
    return tmp_path / "bundle"


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the configuration of a bundle, and its checksums with it, as a friend could send it."""
    config = json.loads((folder / CONFIG).read_text())
    edit(config)
    (folder / CONFIG).write_text(json.dumps(config))
    contents = {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}
    (folder / "manifest.json").write_bytes(manifest(contents))


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("data", "name", 3),
        ("data", "meter", [0, 4]),
        ("data", "meter", [256, 4]),
        ("data", "meter", [3, 7]),
        ("data", "meter", [3, 4, 4]),
        ("data", "meter", ["3", 4]),
        ("data", "meter", 5),
        ("data", "frames", "many"),
        ("data", "piece_digests", [[]]),
        ("training", "steps", "five"),
        ("training", "seconds", None),
        ("training", "settings", ["lr"]),
        ("training", "began_from", 1),
        ("scores", "validation", {"core": "low"}),
        ("versions", "torch", 2.13),
    ],
)
def test_a_record_with_a_wrong_type_is_one_error_that_names_file_and_field(
    section: str, field: str, value: object, bundle: Path
) -> None:
    change(bundle, lambda config: config[section].update({field: value}))
    for reader in (open_bundle, open_trained):
        with pytest.raises(BundleError) as caught:
            reader(bundle)
        (problem,) = caught.value.problems
        assert problem.where == str(bundle / CONFIG)
        assert f"{section}.{field}" in problem.what


def test_only_the_first_invalid_fields_are_listed(bundle: Path) -> None:
    change(bundle, lambda config: config["versions"].update({f"v{number}": number for number in range(9)}))
    with pytest.raises(BundleError, match=r"versions\.v0.* and 4 more"):
        open_bundle(bundle)


def test_unknown_fields_and_measurements_are_allowed(bundle: Path) -> None:
    change(bundle, lambda config: config["scores"].update(mood={"happy": [True]}))
    assert open_bundle(bundle).record["scores"]["mood"] == {"happy": [True]}


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The paths of all values inside dicts and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        yield from ((key, *path) for path in places(inner))


def mutants(original: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The configuration with each value of the record in turn replaced by each of `VALUES`."""
    parts = {"decoder": original["parts"]["decoder"]}
    sections = ("data", "training", "scores", "versions", "piece_digests", "code", "grid")
    for path in places({**{name: original[name] for name in sections}, "parts": parts}):
        for value in VALUES:
            config = copy.deepcopy(original)
            holder = config
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = value
            yield config


def test_a_record_of_any_types_is_refused_or_can_be_shown_and_used(
    bundle: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = open_bundle(bundle).record
    monkeypatch.setattr("zoo.model.bundle.build", lambda recipe: model)
    accepted = refused = 0
    for config in mutants(json.loads((bundle / CONFIG).read_text())):
        monkeypatch.setattr("zoo.model.config.read_bundle", lambda folder, c=config: {CONFIG: json.dumps(c)})
        try:
            record = open_bundle(bundle).record
        except BundleError:
            refused += 1
            continue
        accepted += 1
        if record != usual:
            str(RecipeSummary.from_bundle("model", Bundle(model, record))).encode()
            compose(model, record, GenerationRequest(frames=1))
            save_bundle(model, tmp_path / "copy", **record)
    assert accepted > 100
    assert refused > 500
