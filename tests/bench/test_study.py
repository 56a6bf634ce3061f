"""Study files: parsing, and errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from zoo.bench.assembly import tables
from zoo.bench.components import components
from zoo.bench.formatted import format_tables, table_to_json
from zoo.bench.notes import NOT_HELD_OUT
from zoo.bench.results import Results
from zoo.bench.study import Study, read_study
from zoo.cli.main import run
from zoo.errors import UsageError
from zoo.registry import Registry, open_registry
from zoo.report.score import score_tables

Read = Callable[..., Study]


def error_message(path: Path, registry: Registry) -> str:
    with pytest.raises(UsageError) as caught:
        read_study(path, registry)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_grid_expands_to_all_combinations(study: Read) -> None:
    parsed = study(grid='attention = ["none", "last"]\ndecoder = ["lstm", "rbm hidden=12", "uniform"]')
    assert [(row.labels["attention"], row.labels["decoder"]) for row in parsed.combinations] == [
        (attention, decoder)
        for attention in ("none", "last")
        for decoder in ("lstm", "rbm hidden=12", "uniform")
    ]
    assert str(parsed.combinations[1].recipe).endswith("decoder.hidden=12")
    assert parsed.slots == ("attention", "decoder")


def test_slot_may_be_a_single_part_or_default(study: Read) -> None:
    (row,) = study(grid='decoder = "rbm"').combinations
    parts = {slot: choice.entry.name for slot, choice in row.recipe.parts.items()}
    assert parts["decoder"] == "rbm"
    assert parts["attention"] == "history"


def test_settings_of_a_label_are_those_of_its_part(study: Read) -> None:
    (row,) = study(grid='attention = "none local=7 features=9"').combinations
    assert row.recipe.parts["attention"].settings.local == 7
    assert row.recipe.parts["attention"].settings.features == 9


def test_duplicate_combinations_are_merged(study: Read) -> None:
    grid = 'decoder = ["lstm", "lstm hidden=100"]\n[[grid]]\ndecoder = ["lstm", "rbm"]'
    parsed = study(grid=grid.replace("hidden=100", f"hidden={default_hidden(study)}"))
    assert [row.labels["decoder"] for row in parsed.combinations] == ["lstm", "rbm"]


def default_hidden(study: Read) -> int:
    return int(study(grid='decoder = "lstm"').combinations[0].recipe.parts["decoder"].settings.hidden)


def test_grids_are_concatenated(study: Read) -> None:
    parsed = study(grid='attention = "none"\ndecoder = "rbm"\n[[grid]]\nattention = "history"')
    assert [(row.labels["attention"], row.labels["decoder"]) for row in parsed.combinations] == [
        ("none", "rbm"),
        ("history", "lstm"),
    ]


def test_budget_and_learning_rates_are_read(study: Read) -> None:
    parsed = study('data = ["tunes", "bach"]\nseeds = 3', 'decoder = "rbm"', "steps = 7\nlr = [0.1, 0.01]")
    assert (parsed.settings.data, parsed.settings.seeds) == (("tunes", "bach"), 3)
    assert (parsed.train.steps, parsed.rates) == (7, (0.1, 0.01))
    assert parsed.name == "study"


def test_dataset_may_override_the_budget(study: Read, registry: Registry) -> None:
    own = 'decoder = "rbm"\n[train.bach]\nminutes = 2.0\nvalidate_every = 50'
    parsed = study('data = ["tunes", "bach"]', own, "steps = 7\nlr = [0.1, 0.01]")
    assert parsed.train_on("tunes") is parsed.train
    bach = parsed.train_on("bach")
    assert (bach.minutes, bach.steps, bach.batch, bach.validate_every) == (2.0, None, 4, 50)
    cells = [component.cell(parsed, 0.01, 0) for component in components(parsed, registry)]
    assert {(cell.data, cell.train.steps, cell.train.minutes, cell.train.lr) for cell in cells} == {
        ("tunes", 7, None, 0.01),
        ("bach", None, 2.0, 0.01),
    }
    plain = study('data = "tunes"', 'decoder = "rbm"', "steps = 7\nlr = [0.1, 0.01]")
    keys = {component.cell(plain, 0.01, 0).key for component in components(plain, registry)}
    assert keys < {cell.key for cell in cells}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[train.bahc]\nsteps = 3", "the study has no such dataset"),
        ("[train.bach]\nlr = 0.1", "learning rates are the same for all datasets"),
        ("[train.bach]\nstps = 3", "did you mean train.bach.steps"),
        ("[train.bach]\nsteps = 3\nminutes = 2.0", "mutually exclusive"),
    ],
)
def test_invalid_budget_of_a_dataset_is_an_error(study: Read, table: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        study('data = ["tunes", "bach"]', f'decoder = "rbm"\n{table}', "steps = 7")


def test_single_dataset_needs_no_list(study: Read) -> None:
    assert study('data = "tunes"', 'decoder = "rbm"').settings.data == ("tunes",)


WRONG = """\
sedes = 2
seeds = 0
[train]
stps = 4
steps = "many"
lr = [0.003, 7]
[[grid]]
attention = ["none locl=4", "histroy"]
smapler = "independent"
decoder = []
[[grid]]
decoder = "rbm hidden=-1"
"""


def test_all_errors_are_reported_at_once_with_file_and_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(WRONG)
    assert run(["bench", "run", str(file)]) == 2
    errors = capsys.readouterr().err.split("error: ")[1:]
    assert len(errors) == 10
    assert all(f"in {file}" in error for error in errors)
    text = "".join(errors)
    for place in ("sedes=2", "seeds=0", "train.stps=4", "train.steps=many", "train.lr=7", "attention.locl=4"):
        assert place in text
    assert "did you mean attention.local=4" in text
    assert "did you mean seeds" in text
    assert "did you mean train.steps" in text
    assert "did you mean attention=history" in text
    assert "the slots are encoder, attention, sampler, decoder, velocity" in text
    assert "the nearest valid value is decoder.hidden=1" in text
    assert "the nearest valid value is seeds=1" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "this file is not a study"),
        ("[plugins]\nrbm = 'rbm'", "this file is not a study"),
        ("title = 'x'", "the study has no combinations"),
        ("grid = 3", "write [[grid]]"),
        ("[grid]\ndecoder = 'rbm'", "write [[grid]]"),
        ("train = 4", "write [train]"),
        ("data = []", "names no dataset"),
        ("data = ['bach', 'bach']", "names a dataset twice"),
        ("data = 3", "it takes a comma-separated list"),
        ("[train]\nlr = []", "the list is empty"),
        ("[train]\nlr = [0.1, 0.1]", "0.1 is listed twice"),
        ("[train]\nlr = 1979-05-27", "values must be strings"),
        ("[train]\nsteps = 1\nminutes = 2", "mutually exclusive"),
        ("[[grid]]\ndecoder = 3", 'for example decoder = ["PART"]'),
        ("[[grid]]\ndecoder = 'rbm rbm'", "neither key=value"),
        ("[[grid]]\ndecoder = ''", "decoder"),
        ("seeds = ", "not a valid TOML file"),
    ],
)
def test_invalid_studies_are_errors(tmp_path: Path, registry: Registry, text: str, says: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    parsed = error_message(file, registry)
    assert says in parsed
    assert str(file) in parsed


def test_missing_file_is_an_error(tmp_path: Path, registry: Registry) -> None:
    assert "no such file" in error_message(tmp_path / "no.toml", registry)


def test_shipped_studies_are_valid(registry: Registry) -> None:
    files = sorted((Path(__file__).parents[2] / "benchmarks" / "studies").glob("*.toml"))
    assert files
    for file in files:
        parsed = read_study(file, registry)
        assert parsed.combinations
        # The study of recipes has large differences, and says on its page that it has two seeds.
        assert parsed.settings.seeds >= (2 if file.name == "recipe.toml" else 5)


def test_code_file_of_a_study_needs_consent(tmp_path: Path, registry: Registry) -> None:
    ran, part, path = tmp_path / "ran", tmp_path / "part.py", tmp_path / "study.toml"
    part.write_text(f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n")
    path.write_text(f'[[grid]]\nattention = "{part}"\n')
    with pytest.raises(UsageError, match="--local"):
        read_study(path, registry)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("split", "note"),
    [
        ("train", "the parts were trained on the scored pieces"),
        ("valid", "the scored pieces are validation pieces of the trainings"),
        ("test", None),
    ],
)
def test_a_table_of_pieces_that_are_not_held_out_says_so(split: str, note: str | None) -> None:
    file, registry = Path(__file__).parents[2] / "benchmarks/studies/objective.toml", open_registry()
    table = next(iter(tables(read_study(file, registry), Results(file.parent / "results"), registry)))
    settings = table.study.settings.model_copy(update={"split": split})
    table = replace(table, study=replace(table.study, settings=settings))
    shown = [each.text for formatted in format_tables(table) for each in formatted.notes]
    content = table_to_json(table)
    on_page = [text for each in score_tables(content) for text in each.notes]
    for texts in (shown, on_page, [content["data"]["note"]]):
        assert [text for text in texts if text in NOT_HELD_OUT.values()] == ([note] if note else [])
