"""Rules for families, and which of them a scan proposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.data.family_rule import family_rule, proposed_rule
from zoo.errors import UsageError


def test_a_group_names_the_family_and_without_one_all_that_matches() -> None:
    assert family_rule(r"^(\d+)-")("001-melody.mid") == "001"
    assert family_rule(r"^\d+")("001-melody.mid") == "001"
    assert family_rule(r"^(\d+)-")("interlude.mid") is None


def test_a_table_names_families_by_title(tmp_path: Path) -> None:
    table = tmp_path / "families.csv"
    table.write_text("\ufeffone.mid,a\ntwo.mid,a\n", encoding="utf-8")
    rule = family_rule(str(table))
    assert (rule("one.mid"), rule("two.mid"), rule("three.mid")) == ("a", "a", None)


@pytest.mark.parametrize(("text", "what"), [("(", "no regular expression"), ("none.csv", "cannot be read")])
def test_what_is_no_rule_is_refused(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        family_rule(text)
    assert caught.value.problems[0].where == f"family={text}"


def test_a_table_of_other_columns_is_refused_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "families.csv"
    table.write_text("one.mid,a\ntwo.mid\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2"):
        family_rule(str(table))


def test_names_that_begin_alike_propose_a_rule_that_joins_them() -> None:
    titles = [f"{n:03}-{part}.mid" for n in range(20) for part in ("melody", "chords", "full")]
    found = proposed_rule(titles)
    assert found is not None
    rule = family_rule(found[0])
    assert len({rule(title) for title in titles}) == 20


def test_folders_of_performances_propose_their_folders() -> None:
    titles = [f"Bach/Fugue {n}/{player}.mid" for n in range(9) for player in ("Ashkenazy", "Gould")]
    found = proposed_rule(titles)
    assert found is not None
    assert family_rule(found[0])("Bach/Fugue 3/Gould.mid") == "Bach/Fugue 3"


@pytest.mark.parametrize(
    "titles", [["one.mid", "two.mid", "three.mid"], [f"songs/{n}.mid" for n in range(9)], []]
)
def test_names_that_say_nothing_propose_nothing(titles: list[str]) -> None:
    assert proposed_rule(titles) is None
