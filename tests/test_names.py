"""Names of public classes: each has one meaning in the zoo and its plugins."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "zoo" / "scaffold"


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for file in [*(ROOT / "zoo").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        if TEMPLATES not in file.parents:
            for node in ast.parse(file.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(file.relative_to(ROOT)))
    assert len(places) > 200
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
