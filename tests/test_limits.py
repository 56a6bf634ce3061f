"""Sizes are checked before memory is allocated, since small files can request a lot of it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.bench.study import read_study
from zoo.cli.console import BLANKS
from zoo.data.family_rule import family_rule
from zoo.errors import BundleError, UsageError
from zoo.limits import DOTS, GENERATED, LIMITS, InputKind, format_bytes, read_bytes, read_toml, sha256_of
from zoo.model.build import build, outline
from zoo.model.bundle import load_bundle, save_bundle
from zoo.model.generate import generate
from zoo.model.sealed import canonical, manifest, read_card
from zoo.model.weights import check_shapes
from zoo.parts import SLOTS
from zoo.registry import open_registry, parse_recipe
from zoo.registry.menu import read_menu
from zoo.registry.values import read_value
from zoo.registry.words import stored_words
from zoo.train.plan import read_plan
from zoo.train.run import Run

SMALL = "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4"


def sparse(path: Path, size: int) -> None:
    """Make a sparse file of a given size."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save_bundle(build(parse_recipe(SMALL, open_registry())), tmp_path / "bundle")
    return tmp_path / "bundle"


def seal(bundle: Path) -> None:
    """Update the manifest for the current files."""
    contents = {name: (bundle / name).read_bytes() for name in ("config.json", "model.safetensors")}
    (bundle / "manifest.json").write_bytes(manifest(contents))


@pytest.mark.parametrize("kind", LIMITS)
def test_a_file_above_its_size_limit_is_an_error(kind: InputKind, tmp_path: Path) -> None:
    sparse(tmp_path / "file", LIMITS[kind] + 1)
    for read in (read_bytes, sha256_of):
        with pytest.raises(OSError, match=f"the limit for a {kind} file is {format_bytes(LIMITS[kind])}"):
            read(tmp_path / "file", kind)


def test_named_pipes_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_bytes(tmp_path / "pipe", "plan")


def test_a_named_pipe_as_weights_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match="not a safetensors file"):
        check_shapes(tmp_path / "pipe", {})


def test_a_named_pipe_as_a_table_of_families_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "families.csv")
    with pytest.raises(UsageError, match="not a regular file"):
        family_rule(str(tmp_path / "families.csv"))


@pytest.mark.parametrize("name", ["manifest.json", "config.json", "model.safetensors"])
def test_a_sparse_file_in_a_bundle_is_reported_once(name: str, bundle: Path) -> None:
    sparse(bundle / name, 30 * 2**30)
    with pytest.raises(BundleError, match="the file has 30 GiB; the limit") as error:
        load_bundle(bundle)
    assert [problem.where for problem in error.value.problems] == [str(bundle / name)]


def test_a_sparse_card_is_an_error_only_when_it_is_shown(bundle: Path) -> None:
    sparse(bundle / "README.md", 30 * 2**30)
    load_bundle(bundle)
    with pytest.raises(BundleError, match="the file has 30 GiB; the limit for a card"):
        read_card(bundle)


def test_sparse_plans_menus_and_results_are_errors(tmp_path: Path) -> None:
    for name in ("recipe.json", "metrics.jsonl", "best.safetensors", "registry.toml"):
        sparse(tmp_path / name, 2**40)
    with pytest.raises(BundleError, match=r"recipe\.json.*1024 GiB"):
        read_plan(tmp_path)
    with pytest.raises(BundleError, match=r"best\.safetensors.*1024 GiB"):
        Run(tmp_path).best()
    with pytest.raises(BundleError, match=r"metrics\.jsonl.*1024 GiB"):
        Run(tmp_path).validations("core")
    with pytest.raises(UsageError, match=r"registry\.toml.*1024 GiB"):
        read_menu(tmp_path / "registry.toml")
    with pytest.raises(UsageError, match=r"registry\.toml.*1024 GiB"):
        parse_recipe(f"@{tmp_path / 'registry.toml'}", open_registry())


DOTTED = ["a." * 40_000 + "a = 1", "[" + "a." * 40_000 + "a]", "x = {" + "a." * 40_000 + "a = 1}"]


@pytest.mark.parametrize("line", DOTTED, ids=["key", "table", "inline table"])
def test_a_line_of_dots_is_refused_before_it_takes_minutes(line: str, tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_text(f"# dots\n{line}\n")
    with pytest.raises(UsageError, match=f"line 2 has more than {DOTS} dots"):
        read_menu(path)
    with pytest.raises(UsageError, match=f"line 2 has more than {DOTS} dots"):
        parse_recipe(f"@{path}", open_registry())
    with pytest.raises(UsageError, match=f"line 2 has more than {DOTS} dots"):
        read_study(path, open_registry())
    assert read_value(line.removeprefix("x = "), dict) == line.removeprefix("x = ")


def test_a_recipe_file_as_long_and_dotted_as_the_limits_allow_takes_seconds(tmp_path: Path) -> None:
    head, key = f"[{'.'.join(['a'] * DOTS)}]\n", ".".join(["b"] * DOTS)
    lines = (f"{key}{number} = 1\n" for number in range(LIMITS["menu"] // (2 * DOTS + 12)))
    path = tmp_path / "long.toml"
    path.write_text(head + "".join(lines))
    begin = time.process_time()
    read_toml(path, "menu")
    assert time.process_time() - begin < 20  # it takes about 1 s, and 4 MiB took hours


def test_a_recipe_of_a_million_characters_is_refused() -> None:
    """Splitting it would take time that grows with the square of its length."""
    with pytest.raises(UsageError, match="the recipe has 1,000,005 characters; the limit is 65,536"):
        stored_words("data=" + "a" * 1_000_000, {})


def test_blanks_in_values_and_in_output_take_no_time() -> None:
    begin = time.process_time()
    assert read_value("[" + " " * 50_000 + "x" + " " * 50_000 + "y]", list[str]) == ["x" + " " * 50_000 + "y"]
    assert BLANKS.sub("", " " * 1_000_000 + "x  ") == " " * 1_000_000 + "x"
    assert time.process_time() - begin < 5  # milliseconds, where it took minutes


@pytest.mark.parametrize("number", ["0x" + "f" * 5000, "9" * 5000])
def test_an_integer_of_thousands_of_digits_is_an_invalid_value(number: str, tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text(f"seeds = {number}\n")
    with pytest.raises(UsageError, match="an integer has thousands of digits"):
        read_study(path, open_registry())
    with pytest.raises(UsageError, match="an integer has thousands of digits"):
        parse_recipe(f"@{path}", open_registry())
    assert read_value(number, int) == number


HUNGRY = """
import resource, sys
import zoo
from zoo.errors import BundleError
from zoo.model.bundle import load_bundle
zoo.build(sys.argv[1])  # by now, the memory for imports and for any model is allocated
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_bundle(sys.argv[2]) if len(sys.argv) < 4 else zoo.build(sys.argv[3])
except BundleError as error:
    print(len(error.problems), "problems:", error.problems[0].what)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def widen(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_text())
    config["recipe"]["parts"]["decoder"]["settings"]["hidden"] = 4096
    config["recipe"]["parts"]["attention"]["settings"]["features"] = 4096
    (bundle / "config.json").write_bytes(canonical(config))
    seal(bundle)


@pytest.mark.parametrize("words", [[], ["core=@{}"]], ids=["loaded", "taken apart"])
def test_a_small_bundle_of_a_wide_model_takes_no_memory(words: list[str], bundle: Path) -> None:
    widen(bundle)
    more = [word.format(bundle) for word in words]
    command = [sys.executable, "-c", HUNGRY, SMALL, str(bundle), *more]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "problems: weights " in output
    assert int(output.splitlines()[-1]) < 50  # MiB; the model would take 800


def test_a_header_larger_than_the_file_is_an_error(bundle: Path) -> None:
    weights = bundle / "model.safetensors"
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**28], "data_offsets": [0, 2**30]}}).encode()
    sparse(weights, 8 + len(header) + 2**30)
    with weights.open("r+b") as file:
        file.write(struct.pack("<Q", len(header)) + header)
    content = json.loads((bundle / "manifest.json").read_text())
    files = {**content["files"], "model.safetensors": sha256_of(weights, "weights")}
    (bundle / "manifest.json").write_bytes(canonical({"format": 1, "files": files}))
    with pytest.raises(BundleError, match=r"weights attention\S* are missing"):
        load_bundle(bundle)


@pytest.mark.parametrize("slot", SLOTS)
def test_the_outline_of_every_part_equals_its_weights(slot: Any) -> None:
    registry = open_registry()
    for entry in registry.shipped_entries(slot):
        recipe = parse_recipe(f"{slot}={entry.name}", registry)
        content = outline(recipe)
        assert content is not None, entry.name
        built = build(recipe).state_dict()
        assert {n: (t.shape, t.dtype) for n, t in content.items()} == {
            n: (t.shape, t.dtype) for n, t in built.items()
        }
        meta = torch.device("meta")
        assert all(
            tensor.device == meta for name, tensor in content.items() if not name.startswith("encoder.")
        )


def test_a_checkpoint_larger_than_the_model_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.train.learner import Learner
    from zoo.train.settings import TrainSettings

    sparse(tmp_path / "last.safetensors", 2**30)
    model = build(parse_recipe(SMALL, open_registry()))
    with pytest.raises(
        BundleError,
        match=r"last\.safetensors: cannot be read: the file has 1 GiB; the limit for a checkpoint",
    ):
        Run(tmp_path).resume(Learner(model, TrainSettings(), 0))


@pytest.mark.parametrize(
    ("frames", "count"), [(GENERATED + 1, 1), (1, GENERATED + 1), (2048, 1024), (10**30, 10**30)]
)
def test_the_amount_of_generated_music_is_limited(frames: int, count: int) -> None:
    with pytest.raises(UsageError, match=r"the maximum is 1,048,576"):
        generate(build(parse_recipe(SMALL, open_registry())), frames, count)


def test_requesting_too_many_pieces_is_an_immediate_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from zoo.cli.main import run

    assert run(["generate", "none", "-o", "out.mid", "--count", str(10**12)]) == 2
    assert "the maximum is 1,048,576" in capsys.readouterr().err


def test_running_out_of_memory_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zoo.cli import main

    def starve(*words: object, **more: object) -> None:
        raise MemoryError

    monkeypatch.setattr(main.zoo, "main", starve)
    assert main.run(["list"]) == 1
    assert capsys.readouterr().err == "error: there is not enough memory for this\n  process less at a time\n"
