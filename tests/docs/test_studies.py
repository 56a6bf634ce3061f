"""Statements about studies in documents follow from the stored results."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TERMS = ("codes", "keys", "residual")
PAIRS = "lags against none\nnone against lags\nlags against rates\nnone against rates"
ANSWER = "<!-- answer: lags -->\n<!-- /answer -->\n"
QUESTION = """\
[{kind}.{name}]
study = "trial.toml"
rows = {rows}
{more}
lower = "Lags help."
higher = "Lags hurt."
level = "No matter."
"""


def question(*rows, kind="answer", name="lags", more=""):
    """An entry of the data file."""
    return QUESTION.format(kind=kind, name=name, rows=list(rows or ("lags", "none")), more=more)


@pytest.fixture
def document(make, tmp_path):
    """Write a document, fill its regions, and return the result."""

    def make_document(text, data=None):
        path = tmp_path / "README.md"
        path.write_text(text)
        path.with_suffix(".toml").write_text(data or question())
        assert make.main([]) == 0
        assert make.main(["--check"]) == 0
        return path.read_text()

    return make_document


def test_table_is_stale_after_new_results(make, document, fill, capsys):
    fill("here", none=2.0)
    text = document("<!-- study: trial.toml data=here -->\n<!-- /study -->\n")
    assert "| lags | – |" in text
    assert "1 row waits" in text
    fill("here", none=2.0, lags=1.5)
    assert make.main(["--check"]) == 1
    assert "README.md is stale" in capsys.readouterr().err


def test_a_table_without_any_result_says_so(document, trial):
    text = document("<!-- study: trial.toml -->\n<!-- /study -->\n")
    assert text.count("2 rows wait") == 2


@pytest.mark.parametrize(
    ("lags", "words", "difference"),
    [
        (1.5, "Lags help.", "clearly lower by 0.50"),
        (2.5, "Lags hurt.", "clearly higher by 0.50"),
        (2.0, "No matter.", "no clear difference"),
    ],
)
def test_an_answer_is_chosen_by_the_numbers(document, fill, lags, words, difference):
    fill("here", none=2.0, lags=lags)
    shown = document(ANSWER)
    assert f"- here: **{words}** `lags` against `none`: {difference}" in shown
    assert "n = 12 pieces, 3 seeds" in shown
    assert "- there: no result yet." in shown
    assert sum(sentence in shown for sentence in ("Lags help.", "Lags hurt.", "No matter.")) == 1


def test_answer_changes_with_the_results(make, document, fill):
    fill("here", none=2.0, lags=1.5)
    document(ANSWER)
    fill("here", none=1.5, lags=2.0)
    assert make.main(["--check"]) == 1


def test_pairs_are_compared_on_all_datasets(document, fill):
    fill("here", none=2.0, lags=1.5)
    fill("there", none=1.5, lags=2.0)
    text = document(
        "<!-- compare: trial.toml\nlags against none\nbest lags against rates -->\n<!-- /compare -->\n"
    )
    first, second = (line for line in text.splitlines() if line.startswith("| ") and "clearly" in line)
    assert first.startswith("| `lags` | `none` | **clearly lower by 0.5")
    assert "| **clearly higher by 0.5" in first
    assert second.startswith("| best lags: `lags` | `rates` | **clearly lower by 7")
    assert "n = 3 seeds, 12 pieces of here, 12 pieces of there" in text


def test_text_about_a_study_is_stale_after_new_results(make, document, fill, tmp_path, capsys):
    fill("here", none=2.0, lags=1.5)
    page = tmp_path / "README.md"
    region = "<!-- prose: trial.toml {} -->\nLags help, here.\n<!-- /prose -->\n"
    page.write_text(region.format("00000000"))
    assert make.main([]) == 1
    message = capsys.readouterr().err
    assert "the results of trial.toml have changed since this text was written" in message
    assert "Lags help, here." in page.read_text()
    document(region.format(re.search(r"digest to ([0-9a-f]{8})", message)[1]))
    fill("there", none=1.5, lags=2.0)
    assert make.main(["--check"]) == 1
    assert "Lags help, here." in capsys.readouterr().err


def test_differences_clear_after_correction_are_bold(document, fill):
    fill("here", none=2.0, lags=8.993)
    fill("there", none=2.0, lags=2.0)
    region = "<!-- compare: trial.toml data={}\n{} -->\n<!-- /compare -->\n"
    pair = region.format("here", "lags against rates")
    data = question("lags", "rates", more='data = ["here"]')
    alone, again = document(pair), document(pair * 3 + ANSWER, data)
    for text in (alone, again):
        assert "| **clearly lower by 0.006" in text
        assert "over all 1 differences" in text
    assert "on its own, but" not in again
    more_regions = "".join(region.format("there of=" + term, PAIRS) for term in TERMS)
    many = document(pair + ANSWER + more_regions, data)
    assert "| clearly lower by 0.006" in many
    assert "Clear on its own, but not after correction for all 13 differences on this page." in many


def test_head_of_a_page_counts_clear_differences_and_earlier_readings(document, fill):
    fill("here", none=2.0, lags=1.5)
    fill("there", none=2.0, lags=2.0, reading=1)
    pairs = "<!-- compare: trial.toml\nlags against none\nnone against rates -->\n<!-- /compare -->\n"
    text = document("<!-- differences -->\n<!-- /differences -->\n" + pairs + ANSWER)
    assert "Of the 4 differences on this page, 3 are clear on their own and 3 after Holm's correction" in text
    assert "In rows marked *earlier reading*, bars were counted from the first note" in text
    assert "| | against | here | there (earlier reading) |" in text
    assert "- there (earlier reading): **No matter.**" in text
    assert "- here: **Lags help.**" in text


def test_summary_uses_corrected_differences(document, fill):
    fill("here", none=8.993, lags=1.5)
    data = "".join(
        question(*rows, kind="summary", name=name, more='data = ["here"]')
        for name, rows in {"lags": ("lags", "none"), "none": ("none", "rates")}.items()
    )
    summaries = "".join(f"<!-- summary: {name} -->\n<!-- /summary -->\n" for name in ("lags", "none"))
    assert document(summaries, data).count("- here: Lags help.") == 2
    fill("there", none=2.0, lags=2.0)
    region = "<!-- compare: trial.toml data=there of={}\n{} -->\n<!-- /compare -->\n"
    several = "".join(region.format(term, PAIRS) for term in TERMS)
    text = document(summaries + several, data)
    assert text.count("- here: Lags help.") == 1
    assert text.count("- here: No matter.") == 1


def test_rows_of_two_studies_are_compared(document, fill, trial):
    fill("here", none=2.0, lags=1.5)
    fill("there", none=2.0, lags=1.5)
    (trial.parent / "other.toml").write_text(trial.read_text().replace('["here", "there"]', '"here"'))
    data = question(more='of = "codes"').replace('"trial.toml"', '["trial.toml", "other.toml"]')
    text = document(ANSWER, data)
    assert "- here: **Lags help.** `lags` against `none`: clearly lower by 0.50" in text
    assert "- there" not in text


def test_text_about_a_dataset_ignores_results_of_others(make, document, fill, tmp_path, capsys):
    fill("here", none=2.0, lags=1.5)
    page = tmp_path / "README.md"
    region = "<!-- prose: trial.toml data=here {} -->\nLags help, here.\n<!-- /prose -->\n"
    page.write_text(region.format("00000000"))
    assert make.main([]) == 1
    document(region.format(re.search(r"digest to ([0-9a-f]{8})", capsys.readouterr().err)[1]))
    fill("there", none=1.5, lags=2.0)
    assert make.main(["--check"]) == 0
    fill("here", none=2.0, lags=2.0)
    assert make.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("<!-- study: trial.toml data=nowhere -->\n<!-- /study -->\n", "not of nowhere"),
        ("<!-- study: trial.toml colour=red -->\n<!-- /study -->\n", "takes data= and of="),
        ("<!-- compare: trial.toml\nlags against unknown -->\n<!-- /compare -->\n", "no such row"),
        ("<!-- compare: trial.toml\nlags or none -->\n<!-- /compare -->\n", "write ROW against ROW"),
        (
            "<!-- answer: sunset -->\n<!-- /answer -->\n",
            r"no \[answer.sunset\] .*; there are lags",
        ),
    ],
)
def test_invalid_regions_are_rejected(make, tmp_path, fill, region, message):
    fill("here", none=2.0, lags=1.5)
    (tmp_path / "README.md").write_text(region)
    (tmp_path / "README.toml").write_text(question())
    with pytest.raises(make.RegionError, match=message):
        make.main([])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (question().replace("higher", "#"), r"(?s)answer\.lags\.higher.*required"),
        (question(more='maybe = "Yes."'), r"(?s)answer\.lags\.maybe.*not permitted"),
        (question("lags"), r"(?s)answer\.lags\.rows"),
        ("[answer", "README.toml"),
    ],
)
def test_an_invalid_data_file_is_refused(make, tmp_path, fill, data, message):
    fill("here", none=2.0, lags=1.5)
    (tmp_path / "README.md").write_text(ANSWER)
    (tmp_path / "README.toml").write_text(data)
    with pytest.raises(make.RegionError, match=message):
        make.main([])


def test_stored_results_are_shown_without_torch(trial, fill):
    fill("here", none=2.0, lags=1.5)
    reads = (
        "import sys, studies, pictures; from comparisons import Comparison; from pathlib import Path; "
        "studies.study_tables(Comparison(('trial.toml',)), Path('.'))"
    )
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'docs')!r}); {reads}; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=trial.parent, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
