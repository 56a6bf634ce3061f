"""Claims: what is read, and which new scores contradict them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.claim import Claim
from zoo.errors import BundleError, ClaimError
from zoo.measure.figure import Figure

FIGURE = Figure(2.19, "estimate", (2.04, 2.34), error=0.01, count=11380, pieces=51, families=27)
CONTENT = {
    "format": 1,
    "data": "bach",
    "digest": "7a" * 32,
    "split": "test",
    "pieces": 51,
    "frames": 11380,
    "seed": 0,
    "nats": 2.19,
    "kind": "estimate",
    "error": 0.01,
    "interval": [2.04, 2.34],
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "claim.json"
    path.write_text(json.dumps({**CONTENT, **changes}))
    return path


@pytest.mark.parametrize("change", [{}, {"value": 2.1904}, {"interval": (2.0396, 2.3404)}, {"error": 0.0104}])
def test_a_score_that_agrees_in_its_printed_digits(change: Any, tmp_path: Path) -> None:
    assert not list(Claim.read(written(tmp_path)).contradictions(replace(FIGURE, **change)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": 2.1906}, "it claims ~ 2.190 nats per frame; scored again, it has ~ 2.191"),
        (
            {"kind": "estimated bound"},
            "the claimed kind is estimate; scored again, the number is an estimated",
        ),
        ({"kind": "exact"}, "the claimed kind is estimate; scored again, the number is exact"),
        (
            {"interval": (2.04, 2.35)},
            "the claimed interval is 2.040 … 2.340; scored again, it is 2.040 … 2.350",
        ),
        ({"interval": None}, "the claimed interval is 2.040 … 2.340; scored again, it is missing"),
        ({"error": 0.02}, "the claimed standard error is 0.010; scored again, it is 0.020"),
        (
            {"pieces": 50},
            "it claims 51 pieces with 11,380 frames in all; the test pieces of this music are 50 pieces",
        ),
    ],
)
def test_a_score_that_contradicts(change: Any, reason: str, tmp_path: Path) -> None:
    (found,) = Claim.read(written(tmp_path)).contradictions(replace(FIGURE, **change))
    assert found.startswith(reason)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    claim = Claim.read(written(tmp_path))
    assert claim.to_json() == CONTENT


def test_all_invalid_fields_are_reported(tmp_path: Path) -> None:
    path = written(tmp_path, split="train", nats="low", votes=3, interval=[1.0])
    with pytest.raises(ClaimError) as caught:
        Claim.read(path)
    fields = [problem.what.partition(":")[0] for problem in caught.value.problems]
    assert fields == ["split", "nats", "interval.1", "votes"]


@pytest.mark.parametrize("text", ["", "{", "[]", '"claim"', "[" * 100_000])
def test_text_that_is_no_claim(text: str, tmp_path: Path) -> None:
    (tmp_path / "claim.json").write_text(text)
    with pytest.raises(ClaimError, match="is not"):
        Claim.read(tmp_path / "claim.json")


def test_a_missing_claim_and_a_newer_one(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match="cannot be read"):
        Claim.read(tmp_path / "claim.json")
    with pytest.raises(BundleError, match="newer polyzoo"):
        Claim.read(written(tmp_path, format=2))
