"""Rules for families, and which of them a scan proposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.data.family_rule import check_matches, family_rule, proposed_rule
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


@pytest.mark.parametrize(("text", "what"), [("(", "regular expression"), ("none.csv", "cannot be read")])
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


def test_versions_in_a_folder_below_propose_the_number_of_the_song() -> None:
    titles = [f"{n:03}/{n:03}.mid" for n in range(9)]
    titles += [f"{n:03}/versions/{n:03}-v{v}.mid" for n in range(9) for v in (1, 2)]
    found = proposed_rule(titles)
    assert found is not None
    rule = family_rule(found[0])
    assert {rule(title) for title in titles} == {f"{n:03}" for n in range(9)}


@pytest.mark.parametrize(
    "titles", [["one.mid", "two.mid", "three.mid"], [f"songs/{n}.mid" for n in range(9)], []]
)
def test_names_that_say_nothing_propose_nothing(titles: list[str]) -> None:
    assert proposed_rule(titles) is None


def test_a_name_without_letters_joins_nothing(tmp_path: Path) -> None:
    for text, title in (("^x*", "one.mid"), (r"^(\d*)-", "-one.mid"), ("^(?:(a)|b)", "b.mid")):
        assert family_rule(text)(title) is None
    table = tmp_path / "families.csv"
    table.write_text("one.mid,\ntwo.mid, \nthree.mid,c\n")
    assert [family_rule(str(table))(f"{name}.mid") for name in ("one", "two", "three")] == [None, None, "c"]


@pytest.mark.parametrize("text", ["*.mid", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_what_cannot_be_compiled_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a valid regular expression"):
        family_rule(text)


def test_a_set_in_a_set_is_no_warning() -> None:
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
def test_the_hint_fits_what_is_wrong_with_a_table(
    tmp_path: Path, content: bytes | None, what: str, hint: str
) -> None:
    table = tmp_path / "families.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(UsageError, match=what) as caught:
        family_rule(str(table))
    assert hint in caught.value.problems[0].hint


def test_versions_propose_their_names_and_numbers_alone_do_not() -> None:
    titles = [f"Tune {n}{version}.mid" for n in range(9) for version in ("", " (Version 2)", " v3")]
    found = proposed_rule([f"songs/{title}" for title in titles])
    assert found is not None
    assert {family_rule(found[0])(title) for title in titles} == {f"Tune {n}" for n in range(9)}
    assert proposed_rule([f"bwv {n}.mid" for n in range(30)]) is None
    assert proposed_rule([f"{name} {n}.mid" for name in "abcdefghij" for n in range(3)]) is None


def test_a_rule_that_matches_no_title_is_refused() -> None:
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


def test_a_table_that_is_no_csv_file_is_recognised_by_its_name(tmp_path: Path) -> None:
    table = tmp_path / "families.tsv"
    table.write_text("0.mid\ta\n")
    with pytest.raises(UsageError, match=r"only a \.csv file is read as a table of families"):
        check_matches(str(table), [None], ["0.mid"])
