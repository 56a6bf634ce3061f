"""Published figures are ranked among the rows of a study."""

from pathlib import Path

import pytest

from zoo.bench.study import read_study
from zoo.errors import UsageError
from zoo.registry import open_registry

GRID = '[[grid]]\nattention = "none"\n'
ROW = 'name = "RNN"\nkind = "exact"\nsource = "Example 2012"\nnats = { bach = 8 }\n'


def study(folder: Path, text: str):
    path = folder / "study.toml"
    path.write_text(text)
    return read_study(path, open_registry())


def test_published_row_is_read(tmp_path: Path) -> None:
    (row,) = study(tmp_path, f"{GRID}[[published]]\n{ROW}").published
    assert (row.name, row.kind, row.nats) == ("RNN", "exact", {"bach": 8})


@pytest.mark.parametrize(
    "row",
    [
        ROW.replace("exact", "certain"),
        ROW.replace('source = "Example 2012"\n', ""),
        ROW.replace("8", '"8"'),
        f"{ROW}year = 2012\n",
    ],
)
def test_published_row_needs_kind_and_source(tmp_path: Path, row: str) -> None:
    with pytest.raises(UsageError, match="a name, a kind"):
        study(tmp_path, f"{GRID}[[published]]\n{row}")
