"""Regions of documents are filled, and stale ones are reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from zoo.errors import DataError, NonFiniteError, ZooError
from zoo.registry import open_registry

ROOT = Path(__file__).resolve().parents[2]


def test_a_stale_document_is_named_and_updated(make, tmp_path, capsys):
    document = tmp_path / "README.md"
    document.write_text("before\n<!-- parts -->\nold\n<!-- /parts -->\nafter\n")
    assert make.main(["--check"]) == 1
    printed = capsys.readouterr().err
    assert "README.md is stale" in printed
    assert "make docs" in printed
    assert make.main([]) == 0
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    assert make.main(["--check"]) == 0


def test_every_shipped_part_is_in_the_table_and_in_full(make, tmp_path):
    table, in_full = make.table_of_parts("docs/parts.md"), make.sections_of_parts()
    for entry in open_registry().shipped_entries():
        assert f"#{entry.slot}{entry.name})" in table
        assert f"### {entry.slot}={entry.name}" in in_full
        assert entry.description.summary in in_full
        for name, field in entry.load_settings().model_fields.items():
            assert f"| `{entry.slot}.{name}`" in in_full
            assert field.description in in_full


def test_commands_find_the_files_that_the_document_shows(make, tmp_path):
    part = (ROOT / "tests" / "docs" / "my_attention.py").read_text()
    (tmp_path / "my_attention.py").write_text(part)
    document = tmp_path / "README.md"
    document.write_text(
        "<!-- file: my_attention.py -->\n<!-- /file -->\n\n"
        "<!-- run: zoo list attention --json -->\n<!-- /run -->\n"
        "<!-- run: zoo build attention=./my_attention.py -->\n<!-- /run -->\n"
    )
    assert make.main([]) == 0
    text = document.read_text()
    assert part in text
    assert "$ zoo build attention=./my_attention.py" in text
    assert max(map(len, text.rpartition("$ zoo build")[2].splitlines())) <= 80


def resemblance(measure, distance):
    likeness = {
        "measure": measure,
        "unit": "keys",
        "generated": 4.5,
        "held_out": 3.5,
        "distance": distance,
        "interval": [0.5, 1.75],
        "floor": 0.125,
        "chance": 0.0005,
        "corrected": 0.0065,
        "passages": [32, 17, 16],
        "metric": "wasserstein",
        "verdict": "different",
    }
    return {"frames": 144, "passages": [32, 17, 16], "measures": [likeness]}


def test_resemblance_is_shown_as_by_zoo_evaluate(make, tmp_path):
    rows = [
        {"name": "markov", "resemblance": None},
        {"name": "one/bundle", "resemblance": resemblance("keys at once", 1.125)},
        {"name": "other/bundle", "resemblance": resemblance("note length", 2.0)},
    ]
    (tmp_path / "stored.json").write_text(json.dumps({"rows": rows}))
    document = tmp_path / "README.md"
    document.write_text("<!-- resemblance: stored.json one/bundle -->\n<!-- /resemblance -->\n")
    assert make.main([]) == 0
    text = document.read_text()
    assert "one/bundle: 32 generated and 17 + 16 held-out passages of 144 frames" in text
    (line,) = [line for line in text.splitlines() if "keys at once" in line]
    assert line.split() == [
        "keys",
        "at",
        "once",
        "4.50",
        "3.50",
        "1.12",
        "(0.50",
        "…",
        "1.75)",
        "0.12",
        "different",
    ]
    assert "note length" not in text
    assert make.main(["--check"]) == 0
    rows[1]["resemblance"] = resemblance("keys at once", 1.25)
    (tmp_path / "stored.json").write_text(json.dumps({"rows": rows}))
    assert make.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("<!-- run: zoo build decoder=unknown -->\n<!-- /run -->\n", "exit code 2"),
        ("<!-- fails: zoo list -->\n<!-- /fails -->\n", "exit code 0"),
        ("<!-- poem: spring -->\n<!-- /poem -->\n", "there is no way to fill"),
    ],
)
def test_regions_that_cannot_be_made_are_errors(make, tmp_path, region, message):
    (tmp_path / "README.md").write_text(region)
    with pytest.raises(make.RegionError, match=message):
        make.main([])


def test_settings_and_exit_codes_are_those_of_the_commands(make):
    train, generate, exits = (
        make.table_of_command("train"),
        make.table_of_command("generate"),
        make.table_of_exit_codes(),
    )
    assert "| `train.lr` | `0.01` | a number above 0, of at most 1 |" in train
    assert "| `train.minutes` (resumable) |" in train
    assert "| `--bars` | `none` | a whole number from 1 to 10000 |" in generate
    for kind in (DataError, NonFiniteError, ZooError):
        assert re.search(rf"^\| {kind.exit_code} \| .* \| `{kind.__name__}` \|$", exits, re.M)
    assert "| 143 |" in exits
