"""Rules for families, and the rules that a scan proposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.data.family_rule import check_matches, family_rule, proposed_rule
from zoo.errors import UsageError


def test_a_family_is_named_by_the_group_or_the_whole_match() -> None:
    assert family_rule(r"^(\d+)-")("001-melody.mid") == "001"
    assert family_rule(r"^\d+")("001-melody.mid") == "001"
    assert family_rule(r"^(\d+)-")("interlude.mid") is None


def test_a_table_maps_titles_to_families(tmp_path: Path) -> None:
    table = tmp_path / "families.csv"
    table.write_text("\ufeffone.mid,a\ntwo.mid,a\n", encoding="utf-8")
    rule = family_rule(str(table))
    assert (rule("one.mid"), rule("two.mid"), rule("three.mid")) == ("a", "a", None)


@pytest.mark.parametrize(("text", "what"), [("(", "regular expression"), ("none.csv", "cannot be read")])
def test_invalid_rules_are_rejected(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        family_rule(text)
    assert caught.value.problems[0].where == f"family={text}"


def test_a_table_with_other_columns_is_rejected_with_the_line(tmp_path: Path) -> None:
    table = tmp_path / "families.csv"
    table.write_text("one.mid,a\ntwo.mid\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2"):
        family_rule(str(table))


def test_a_common_beginning_of_names_is_proposed_as_a_rule() -> None:
    titles = [f"{n:03}-{part}.mid" for n in range(20) for part in ("melody", "chords", "full")]
    proposal = proposed_rule(titles)
    assert proposal is not None
    rule = family_rule(proposal[0])
    assert len({rule(title) for title in titles}) == 20


def test_folders_of_performances_are_proposed_as_a_rule() -> None:
    titles = [f"Bach/Fugue {n}/{player}.mid" for n in range(9) for player in ("Ashkenazy", "Gould")]
    proposal = proposed_rule(titles)
    assert proposal is not None
    assert family_rule(proposal[0])("Bach/Fugue 3/Gould.mid") == "Bach/Fugue 3"


def test_the_number_of_a_song_with_versions_in_a_subfolder_is_proposed() -> None:
    titles = [f"{n:03}/{n:03}.mid" for n in range(9)]
    titles += [f"{n:03}/versions/{n:03}-v{v}.mid" for n in range(9) for v in (1, 2)]
    proposal = proposed_rule(titles)
    assert proposal is not None
    rule = family_rule(proposal[0])
    assert {rule(title) for title in titles} == {f"{n:03}" for n in range(9)}


@pytest.mark.parametrize(
    "titles", [["one.mid", "two.mid", "three.mid"], [f"songs/{n}.mid" for n in range(9)], []]
)
def test_no_rule_is_proposed_for_unrelated_names(titles: list[str]) -> None:
    assert proposed_rule(titles) is None


def test_an_empty_name_is_no_family(tmp_path: Path) -> None:
    for text, title in (("^x*", "one.mid"), (r"^(\d*)-", "-one.mid"), ("^(?:(a)|b)", "b.mid")):
        assert family_rule(text)(title) is None
    table = tmp_path / "families.csv"
    table.write_text("one.mid,\ntwo.mid, \nthree.mid,c\n")
    assert [family_rule(str(table))(f"{name}.mid") for name in ("one", "two", "three")] == [None, None, "c"]


@pytest.mark.parametrize("text", ["*.mid", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_invalid_regular_expressions_are_rejected(text: str) -> None:
    with pytest.raises(UsageError, match="not a valid regular expression"):
        family_rule(text)


def test_nested_sets_cause_no_warning() -> None:
    assert family_rule("[[a]b")("ab.mid") == "ab"


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (b"one.mid,a\ntwo.mid,b,c\n", "line 2 has 3 columns, not two", "quote titles that contain a comma"),
        (b"one.mid\n", "line 1 has 1 column, not two", "separated by a comma"),
        ("ünï.mid,a\n".encode("latin-1"), "not in UTF-8", "save it as CSV in UTF-8"),
        (None, "No such file", "give a CSV file that exists"),
    ],
)
def test_the_hint_fits_the_error_in_a_table(
    tmp_path: Path, content: bytes | None, what: str, hint: str
) -> None:
    table = tmp_path / "families.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(UsageError, match=what) as caught:
        family_rule(str(table))
    assert hint in caught.value.problems[0].hint


def test_names_with_versions_are_proposed_and_numbers_alone_are_not() -> None:
    titles = [f"Tune {n}{version}.mid" for n in range(9) for version in ("", " (Version 2)", " v3")]
    proposal = proposed_rule([f"songs/{title}" for title in titles])
    assert proposal is not None
    assert {family_rule(proposal[0])(title) for title in titles} == {f"Tune {n}" for n in range(9)}
    assert proposed_rule([f"bwv {n}.mid" for n in range(30)]) is None
    assert proposed_rule([f"{name} {n}.mid" for name in "abcdefghij" for n in range(3)]) is None


def test_a_rule_that_matches_no_title_is_rejected() -> None:
    titles = [f"{n}.mid" for n in range(5)]
    check_matches("^0", ["0", None, None, None, None], titles)
    check_matches("^x", [], [])
    with pytest.raises(UsageError, match="no title matches") as caught:
        check_matches("^x", [None] * 5, titles)
    (problem,) = caught.value.problems
    assert problem.where == "family=^x"
    assert problem.hint == "the titles are 0.mid, 1.mid, 2.mid and 2 more; `zoo data show` lists them"
    with pytest.raises(UsageError, match="no piece has any of the titles in this table"):
        check_matches("families.csv", [None] * 5, titles)


def test_an_existing_file_with_another_suffix_gets_a_hint(tmp_path: Path) -> None:
    table = tmp_path / "families.tsv"
    table.write_text("0.mid\ta\n")
    with pytest.raises(UsageError, match=r"only a \.csv file is read as a table of families"):
        check_matches(str(table), [None], ["0.mid"])
