"""docs/formats.md lists the fields that are written, neither more nor fewer."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.claim import FORMAT as CLAIM
from zoo.bench.claim import Claim
from zoo.bench.reading import READING
from zoo.bench.study import StudySettings
from zoo.data.store import FORMAT as STORE
from zoo.limits import LIMITS
from zoo.model.sealed import CONFIG_FORMAT
from zoo.model.sealed import FORMAT as BUNDLE
from zoo.model.weights import unpack
from zoo.parts import SLOTS
from zoo.search.plan import FORMAT as SEARCH
from zoo.search.plan import Plan
from zoo.train.plan import FORMAT as PLAN
from zoo.train.run import FORMAT as RUN

pytestmark = pytest.mark.xdist_group("formats")  # what they share is built once

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text("utf-8")
FREEZE = importlib.util.spec_from_file_location("freeze", ROOT / "tests" / "formats" / "freeze.py")
assert FREEZE is not None
freeze = importlib.util.module_from_spec(FREEZE)
assert FREEZE.loader is not None
FREEZE.loader.exec_module(freeze)


def listed(heading: str) -> set[str]:
    """The fields of the table under a heading."""
    section = re.split(rf"^##+ {re.escape(heading)}$", PAGE, flags=re.M)[1].partition("\n#")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.M))


def fields(content: Any, path: str = "") -> Iterator[str]:
    """The path of each value; slots are all called SLOT."""
    if not isinstance(content, dict) or not content:
        yield path
        return
    for name, value in content.items():
        key = "SLOT" if name in SLOTS and path in ("parts", "recipe.parts") else name
        key = "FILE" if path == "files" else key
        yield from fields(value, f"{path}.{key}" if path else key)


def assert_same(heading: str, content: Any) -> None:
    """Each field or its parent is listed, and nothing else."""
    listed_names, paths = listed(heading), set(fields(content))

    def is_part(field: str, name: str) -> bool:
        return field == name or field.startswith(f"{name}.")

    assert {field for field in paths if not any(is_part(field, name) for name in listed_names)} == set()
    assert {name for name in listed_names if not any(is_part(field, name) for field in paths)} == set()
    assert not any(
        first != second and is_part(first, second) for first in listed_names for second in listed_names
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle, a run, results and a cache."""
    place = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(place / "cache"))
        patch.chdir(place)
        songs = place / "songs"
        songs.mkdir()
        for number in range(10):
            freeze.tune(number).write(songs / f"{number}.mid")
        for make in (freeze.make_bundle, freeze.make_run, freeze.make_results, freeze.make_store):
            make(place / make.__name__.removeprefix("make_"), songs)
        yield place


@pytest.mark.slow
def test_the_fields_of_a_bundle_are_listed(written: Path) -> None:
    for name in ("manifest.json", "config.json"):
        assert_same(name, json.loads((written / "bundle" / name).read_text("utf-8")))


@pytest.mark.slow
def test_the_fields_of_a_run_are_listed(written: Path) -> None:
    plan = json.loads((written / "run" / "recipe.json").read_text("utf-8"))
    assert {name.partition(".")[0] for name in listed("recipe.json")} == set(plan)
    assert_same("recipe.json", plan)
    about: dict[str, Any] = {}
    for name in ("last", "best"):
        about |= unpack((written / "run" / f"{name}.safetensors").read_bytes(), name).about
    assert_same("last.safetensors and best.safetensors", about)
    section = PAGE.partition("### metrics.jsonl")[2].partition("\n## ")[0]
    for line in (written / "run" / "metrics.jsonl").read_text("utf-8").splitlines():
        for key in json.loads(line):
            assert f"`{key}`" in section


@pytest.mark.slow
def test_the_fields_of_a_result_are_listed(written: Path) -> None:
    (path,) = (written / "results" / "results" / "tunes").glob("core-*-s0-*.json")
    assert_same("Result", json.loads(path.read_text("utf-8")))


@pytest.mark.slow
def test_the_fields_of_a_cache_are_listed(written: Path) -> None:
    assert_same("Cache", json.loads((written / "store" / "pieces.json").read_text("utf-8")))


def test_the_fields_of_a_claim_are_listed() -> None:
    assert listed("Claim") == set(Claim.model_fields)


def test_the_keys_of_a_study_are_listed() -> None:
    assert listed("Study") == {*StudySettings.model_fields, "train", "grid", "published"}


def test_the_fields_of_a_search_are_listed() -> None:
    assert listed("search.json") == {"format", "polyzoo", *Plan.__dataclass_fields__}


def test_the_versions_are_those_of_the_code() -> None:
    assert PLAN == RUN
    for line in (
        f"| bundle | `manifest.json`: `format` | {BUNDLE} |",
        f"`model.safetensors` | `format` | {CONFIG_FORMAT} |",
        f"| run | `recipe.json` and checkpoints: `format` | {RUN} |",
        f"| search | `search.json`: `format` | {SEARCH} |",
        f"(absent: 1) and `data.reading` | 1, {READING} |",
        f"| submission | `claim.json`: `format` | {CLAIM} |",
        f"| cache of a corpus | `pieces.json`: `format` | {STORE} |",
    ):
        assert line in PAGE


def test_every_kind_of_input_has_its_limit_on_the_page_about_security() -> None:
    spec = importlib.util.spec_from_file_location("limits_of_docs", ROOT / "docs" / "limits.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    assert set(module.NAMES) == set(LIMITS)
    assert module.table_of_limits() in (ROOT / "docs" / "security.md").read_text("utf-8")
