"""Verdicts: which row is meant, and which words its numbers and their kinds allow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.reading import READING
from zoo.bench.rows import Table
from zoo.bench.verdict import Verdict, verdict
from zoo.errors import UsageError
from zoo.measure.evaluation import Evaluation

Tabled = Callable[..., Table]
ATTENTIONS = 'attention = ["none", "last"]\nsampler = "independent"\ndecoder = "uniform"'
PRODUCT = 'attention = ["none", "last"]\nsampler = "independent"\ndecoder = ["lstm", "rbm"]'
KEYS = {"uniform": {"nats": [(0, 0, 0)]}}


def level(nats: float, **more: Any) -> dict[str, Any]:
    """So many nats per frame from two seeds, a little apart from piece to piece."""
    first = [10 * nats + 0.02, 30 * nats, 60 * nats - 0.02]
    return {"nats": [first, [10 * nats, 30 * nats + 0.02, 60 * nats - 0.02]], **more}


def compared(tabled: Tabled, none: dict[str, Any], last: dict[str, Any]) -> Verdict:
    """What is said of `none` against `last`."""
    return verdict(tabled(ATTENTIONS, core={"none": none, "last": last}, decoder=KEYS), "none", "last")


@pytest.mark.parametrize(
    ("kinds", "lower", "higher"),
    [
        (("exact", "exact"), "clearly lower by", "clearly higher by"),
        (("bound", "bound"), "clearly lower (of bounds) by", "clearly higher (of bounds) by"),
        (("bound", "exact"), "clearly lower by at least", "no clear difference,"),
        (("exact", "bound"), "no clear difference,", "clearly higher by at least"),
        (("estimate", "exact"), "clearly lower (estimated) by", "clearly higher (estimated) by"),
        (("estimated bound", "exact"), "clearly lower (estimated) by at least", "no clear difference,"),
        (("estimate", "bound"), "no clear difference,", "clearly higher (estimated) by at least"),
        (
            ("bound", "estimated bound"),
            "clearly lower (of bounds) (estimated) by",
            "clearly higher (of bounds) (estimated) by",
        ),
    ],
)
def test_a_sentence_says_no_more_than_the_kinds_allow(
    tabled: Tabled, kinds: tuple[str, str], lower: str, higher: str
) -> None:
    first, second = kinds
    for nats, said, outcome in ((1.5, lower, "lower"), (2.5, higher, "higher")):
        found = compared(tabled, level(nats, kind=first), level(2.0, kind=second))
        is_clear = said.startswith("clearly")
        sign = "" if is_clear else "-" if nats < 2 else "+"
        assert found.words.startswith(f"{said} {sign}0.500 (")
        assert found.outcome == (outcome if is_clear else "level")


def test_the_interval_stands_behind_the_number_nearer_end_first(tabled: Tabled) -> None:
    for nats in (1.5, 2.5):
        last = {"nats": [(21, 60, 119), (20, 61, 119)]}
        found = compared(tabled, level(nats), last)
        near, far = map(float, re.search(r"by 0\.500 \((\S+) to (\d\.\d+)", found.words).groups())
        low, high = found.difference.interval
        assert 0 < near < 0.5 < far
        assert (near, far) == pytest.approx(sorted((abs(low), abs(high))), abs=6e-4)
    assert found.basis == "n = 3 pieces, 2 seeds"
    assert found.unit == "nats per frame"


def test_what_changes_from_piece_to_piece_is_not_clear(tabled: Tabled) -> None:
    found = compared(tabled, {"nats": [(30, 50, 130), (20, 70, 110)]}, level(2.0))
    assert found.outcome == "level"
    assert re.match(r"no clear difference, \+0\.050 \(-\d\.\d{3} to \+\d\.\d{3}", found.words)


def test_without_results_nothing_is_said(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5)}, decoder=KEYS)
    found = verdict(table, "none", "last")
    assert (found.outcome, found.words, found.basis) == ("waiting", "no result yet", "n = 0 pieces, 2 seeds")
    assert found.first is not None
    assert found.second is None


def test_the_best_is_the_one_that_validation_likes_best(tabled: Tabled) -> None:
    """Of the rows that share a decoder, whatever the pieces say that are scored."""
    core = {"none": level(2.5, validation=(1.1, 1.3)), "last": level(1.5, validation=(1.4, 1.2))}
    keys = {"nats": [(0, 0, 0)], "validation": (0.5,)}
    table = tabled(PRODUCT, core=core, decoder={"rbm": keys, "lstm": keys})
    assert [row.labels["attention"] for row in table.rows] == ["last", "last", "none", "none"]
    found = verdict(table, "best rbm", "last rbm")
    assert found.names[0] == "none rbm"
    assert found.outcome == "higher"


def test_validation_of_the_decoder_counts_too(tabled: Tabled) -> None:
    liked, lucky = level(0.9, validation=(0.1, 0.2)), level(0.5, validation=(0.3, 0.4))
    core = {"none": level(1.0, validation=(2.0, 4.0)), "last": level(2.0, validation=(1.0, 1.0))}
    table = tabled(PRODUCT, core=core, decoder={"rbm": liked, "lstm": lucky})
    found = verdict(table, "best none", "none lstm")
    assert found.names[0] == "none rbm"
    judged = {row.label_for(table.study.slots): row.validation for row in table.rows}
    assert judged == pytest.approx({"none rbm": 3.15, "none lstm": 3.35, "last rbm": 1.15, "last lstm": 1.35})


def test_one_term_is_compared_alone_and_loudness_by_the_struck_note(tabled: Tabled) -> None:
    table = tabled(
        f'{ATTENTIONS}\nvelocity = ["lstm", "key"]',
        {"rates": {"codes": (90, 270, 540), "keys": (0, 0, 0)}, "velocity=mean": {"velocity": (20, 30, 50)}},
        ("sounding", "velocity"),
        core={"none": level(1.5), "last": level(2.0)},
        decoder={"uniform": {"nats": [(10, 30, 60)]}},
        velocity={"lstm": {"nats": [(16, 24, 40), (16, 24, 40)]}, "key": {"nats": [(18, 27, 45)]}},
    )
    codes = verdict(table, "none", "rates", "codes")
    assert codes.difference.value == pytest.approx(1.5 - 9)
    assert verdict(table, "none", "rates").difference.value == pytest.approx(2.5 - 9)
    assert codes.unit == "nats per frame"
    loud = verdict(table, table_name(table, 4.0), "velocity=mean", "velocity")
    assert (loud.difference.value, loud.unit) == (pytest.approx(4 - 5), "nats per struck note")


def table_name(table: Table, nats: float) -> str:
    (row,) = (row for row in table.loudness if row.figure("velocity").value == pytest.approx(nats))
    return row.label_for(table.study.loud_slots)


def told_apart(tabled: Tabled, judges: int, of_judges: float, of_rest: float) -> Verdict:
    """`none` against `last`, where the first seeds of `none` come out otherwise than the rest."""
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    last = table.rows[-1]
    seeds = [replace(last.evaluations[0]) for _ in range(5)]
    apart = [of_judges if seed < judges else of_rest for seed in range(5)]
    wobble = [0.0, 0.01, -0.01, 0.02, -0.02]
    lower = [moved(one, by + by_chance) for one, by, by_chance in zip(seeds, apart, wobble, strict=True)]
    first, second = (
        replace(last, evaluations=tuple(lower), selection_seeds=judges),
        replace(last, evaluations=tuple(seeds)),
    )
    settings = table.study.settings.model_copy(update={"seeds": 5})
    table = replace(table, study=replace(table.study, settings=settings))
    return Verdict(table, table, first, second, table.terms, "nats per frame")


def moved(found: Evaluation, by: float) -> Evaluation:
    codes = replace(found.terms["codes"], nats=found.terms["codes"].nats + by * found.frames)
    return replace(found, terms={**found.terms, "codes": codes})


def test_a_verdict_may_hang_on_the_seeds_that_chose_the_rates(tabled: Tabled) -> None:
    steady = told_apart(tabled, 2, -0.5, -0.5)
    assert (steady.outcome, steady.depends_on_selection_seeds) == ("lower", False)
    assert steady.without_selection_seeds.value == pytest.approx(-0.5 - 0.01 / 3)
    lucky = told_apart(tabled, 1, -0.05, -0.025)
    assert lucky.without_selection_seeds.value == pytest.approx(-0.025)
    assert (lucky.outcome, lucky.depends_on_selection_seeds) == ("lower", True)


def test_without_a_choice_nothing_hangs_on_it(tabled: Tabled) -> None:
    found = told_apart(tabled, 0, -0.5, -0.5)
    assert found.without_selection_seeds is None
    assert not found.depends_on_selection_seeds


def test_rows_of_two_studies_are_compared_on_the_same_reading_alone(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    other = replace(table, study=replace(table.study, path=Path("other.toml")))
    found = verdict(table, "none", "last", second_table=other)
    assert found.outcome == "lower"
    assert found.key != verdict(table, "none", "last").key
    before = replace(other, reading=replace(other.reading, number=READING - 1))
    apart = verdict(table, "none", "last", second_table=before)
    assert (apart.outcome, apart.p_value) == ("waiting", None)
    assert "different readings" in apart.words


def test_rows_of_two_studies_need_the_same_seeds(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    more = table.study.settings.model_copy(update={"seeds": 3})
    other = replace(table, study=replace(table.study, settings=more))
    with pytest.raises(UsageError, match="differ in seeds or split"):
        verdict(table, "none", "last", second_table=other)


def test_the_best_of_several_encoders_is_not_known(tabled: Tabled) -> None:
    """Validation judges codes and keys, and not the residual, in which encoders differ."""
    table = tabled(
        f'encoder = ["onset", "sounding"]\n{ATTENTIONS}',
        core={"none": level(1.5), "last": level(2.0)},
        decoder=KEYS,
    )
    with pytest.raises(UsageError, match="best last"):
        verdict(table, "best last", "onset none")


def test_a_name_may_leave_out_what_tells_no_rows_apart(tabled: Tabled) -> None:
    core = {"none": level(1.5), "last": level(2.0)}
    keys = {"nats": [(0, 0, 0)], "validation": (0.5,)}
    table = tabled(PRODUCT, core=core, decoder={"rbm": keys, "lstm": keys})
    with pytest.raises(UsageError, match="more than one row has this name"):
        verdict(table, "none", "last")
    assert verdict(table, "none rbm", "last rbm").outcome == "lower"


def test_a_row_that_is_not_there_is_named_with_those_that_are(tabled: Tabled) -> None:
    table = tabled(ATTENTIONS, core={"none": level(1.5), "last": level(2.0)}, decoder=KEYS)
    with pytest.raises(UsageError, match="nobody") as caught:
        verdict(table, "none", "nobody")
    assert "last, none" in str(caught.value)
    with pytest.raises(UsageError, match="best nobody"):
        verdict(table, "best nobody", "none")
