import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from zoo.measure.evaluation import Evaluation, Term
from zoo.measure.music import MEASURES, QUARTERS
from zoo.measure.printing import FittedTable
from zoo.measure.resemblance import Likeness, Resemblance
from zoo.measure.row import Row
from zoo.measure.table import resemblances, tables


def row(label, nats, *, kind="exact", is_floor=False, **more):
    terms = {"codes": Term(np.array(nats) * 10.0, kind), "keys": Term(np.full(3, 5.0))}
    if "residual" in more:
        terms["residual"] = Term(np.full(3, more.pop("residual")))
    if "velocity" in more:
        terms["velocity"] = Term(np.full(3, more.pop("velocity")))
        more["struck"] = np.full(3, 2.0)
    evaluation = Evaluation(("a", "b", "c"), ("1", "2", "3"), np.full(3, 10.0), terms, **more)
    return Row(label, "onset", "", evaluation, is_floor=is_floor)


def printed(*rows, width=80):
    console = Console(file=io.StringIO(), width=width, markup=False)
    for table in tables(rows):
        console.print(FittedTable(table))
    return console.file.getvalue()


def likeness(measure, unit):
    value = 99.99 if unit not in (None, "share") else 0.999
    numbers = (value, value, value, (value, value), value)
    return Likeness(measure, unit, *numbers, chance=1.0, corrected=1.0, passages=(32, 17, 16))


def test_the_title_names_a_temperature_other_than_1():
    resemblance = Resemblance(144, (32, 17, 16), (likeness("note length", QUARTERS),), temperature=0.85)
    (table,) = resemblances([("bundle", resemblance)])
    assert (
        table.title == "bundle: 32 generated at temperature 0.85 and 17 + 16 held-out passages of 144 frames"
    )
    assert Resemblance.from_json(resemblance.to_json()) == resemblance


def test_the_title_names_all_models_with_these_results():
    equal = Resemblance(144, (32, 17, 16), (likeness("note length", QUARTERS),))
    (table,) = resemblances([("first", equal), ("without music", None), ("copy", equal)])
    assert table.title.startswith("first and copy: ")


def test_what_is_written_has_a_line_for_each_measure_and_the_unit_of_lengths():
    units = {name: measure.unit for name, measure in MEASURES.items()} | {"longest copy": QUARTERS}
    resemblance = Resemblance(144, (32, 17, 16), tuple(likeness(*each) for each in units.items()))
    older = Resemblance(144, (32, 17, 16), (likeness("note length", "frames"),))
    for shown, unit in (
        (resemblance, "note length and longest copy: in quarter notes"),
        (older, "note length: in frames"),
    ):
        console = Console(file=io.StringIO(), width=80, markup=False)
        for table in resemblances([("bundle", shown)]):
            console.print(FittedTable(table))
        lines = console.file.getvalue().splitlines()
        assert unit in lines
        assert max(map(len, lines)) <= 80
        measures = [
            line for line in lines if line.startswith(tuple(each.measure for each in shown.likenesses))
        ]
        table = [line for line in measures if "…" in line]
        assert len(table) == len(shown.likenesses)


@pytest.mark.parametrize(("passages", "says"), [(1, True), (2, True), (3, False), (10, False)])
def test_few_passages_are_explained(passages, says):
    few = replace(likeness("note length", QUARTERS), passages=(passages, 17, 16))
    console = Console(file=io.StringIO(), width=80, markup=False)
    for table in resemblances([("bundle", Resemblance(144, (passages, 17, 16), (few,)))]):
        console.print(FittedTable(table))
    text = console.file.getvalue()
    assert f"bundle: {passages} generated and 17 + 16 held-out passages of 144 frames" in text
    assert ("too few: a verdict needs 3 generated passages" in text) is says
    assert (text.count("too few") == 2) is says
    assert ("few passages are high by chance" in text) is (passages < 10)
    assert max(map(len, text.splitlines())) <= 80


def test_every_number_stands_with_its_kind_in_eighty_columns():
    text = printed(
        row("markov", (4, 5, 6), is_floor=True, residual=1.0),
        row(
            "runs/[a very long name of a bundle]/bundle",
            (1, 2, 3),
            kind="bound",
            residual=1.0,
            velocity=7.0,
            remarks={"escaped": np.array([0.0, 3.0, 0.0])},
        ),
    )
    assert max(map(len, text.splitlines())) <= 80
    markov, model = (
        next(line for line in text.splitlines() if sign in line) for sign in ("5.600", "≤ 2.600")
    )
    assert markov.split() == ["markov", "5.600", "2.484", "5.000", "0.500", "0.100", "–"]
    assert model[model.index("≤") :].split() == [
        "≤",
        "2.600",
        "2.484",
        "≤",
        "2.000",
        "0.500",
        "0.100",
        "10.0%",
    ]
    assert "≤ a bound: the true number is not higher" in text
    assert "full score" in text
    assert "≤ -3.000" in text
    assert "lower" in text


def test_missing_onsets_are_explained():
    text = printed(row("markov", (4, 5, 6), is_floor=True))
    assert "this music contains no onsets" in text
    assert "bound" not in text
    assert "difference" not in text


def test_loudness_has_a_table_of_its_own_with_each_model_once():
    floor = row("velocity=mean", (0, 0, 0), is_floor=True, velocity=9.0)
    console = Console(file=io.StringIO(), width=80, markup=False)
    models = [
        row("silent", (1, 2, 3)),
        row("ours", (1, 2, 3), velocity=7.0),
        row("ours", (1, 2, 2), velocity=7.0),
    ]
    for table in tables(models, [replace(floor, plane=None)]):
        console.print(FittedTable(table))
    *score, loudness = console.file.getvalue().split("Velocity of each struck note")
    assert "velocity=mean" not in "".join(score)
    assert "silent" not in loudness
    lines = [line.split() for line in loudness.splitlines()]
    assert ["velocity=mean", "4.500", "0.000"] in lines
    assert lines.count(["ours", "3.500", "0.000"]) == 1
    assert ["ours", "-", "velocity=mean", "-1.000", "-1.000", "…", "-1.000", "lower"] in lines
    assert max(map(len, loudness.splitlines())) <= 80


def test_columns_and_verdicts_that_need_it_are_explained():
    bare = printed(row("markov", (4, 5, 6), is_floor=True))
    assert not any(word in bare for word in ("residual:", "escape:", "not clear:"))
    floor = row("markov", (4, 5, 6), is_floor=True, residual=1.0)
    escaping = {"residual": 1.0, "remarks": {"escaped": np.zeros(3)}}
    unclear = printed(floor, row("model", (1, 5, 9), **escaping))
    assert all(word in unclear for word in ("residual:", "escape:", "not clear:"))
    assert "not clear:" not in printed(floor, row("model", (1, 2, 3), residual=1.0))


def test_a_missing_interval_is_explained():
    rows = [row("a", [1.0, 2.0, 3.0], velocity=1.0), row("b", [2.0, 2.0, 2.0], velocity=2.0)]
    assert "no interval" not in printed(*rows)
    single = [
        replace(each, evaluation=replace(each.evaluation, families=(0, 0, 0), struck=np.full(3, 2.0)))
        for each in rows
    ]
    note = "– no interval: it needs pieces of at least two families\n"
    assert printed(*single).count(note) == 4  # scores, their differences, and the same of velocities


def test_a_verdict_on_two_bounds_is_marked():
    floor = row("markov", (4, 5, 6), is_floor=True)
    first, second = row("one", (3, 4, 5), kind="bound"), row("other", (1, 2, 3), kind="estimated bound")
    text = printed(floor, first, second)
    verdicts = [line.rpartition("  ")[2].strip() for line in text.splitlines() if " - " in line]
    # a bound below an exact number shows that the true one is lower, two bounds do not
    assert verdicts == ["lower", "lower", "lower (bounds)"]
    assert "(bounds): the bounds differ" in text
    assert "(bounds)" not in printed(floor, first)
    assert max(map(len, text.splitlines())) <= 80
