"""Documents say of studies what the stored results say, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ANSWER = """\
<!-- answer: trial.toml
lags against none
lower: Lags help.
higher: Lags hurt.
level: No matter. -->
<!-- /answer -->
"""


@pytest.fixture
def document(make, tmp_path):
    """Write a document, make it, and give what became of it."""

    def go(text):
        path = tmp_path / "README.md"
        path.write_text(text)
        assert make.main([]) == 0
        assert make.main(["--check"]) == 0
        return path.read_text()

    return go


def test_a_table_is_stale_when_results_come(make, document, fill, capsys):
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
    ("lags", "words", "said"),
    [
        (1.5, "Lags help.", "clearly lower by 0.50"),
        (2.5, "Lags hurt.", "clearly higher by 0.50"),
        (2.0, "No matter.", "no clear difference"),
    ],
)
def test_an_answer_is_chosen_by_the_numbers(document, fill, lags, words, said):
    fill("here", none=2.0, lags=lags)
    shown = document(ANSWER).rpartition("-->\n- ")[0:3][2]
    assert f"here: **{words}** `lags` against `none`: {said}" in shown
    assert "n = 12 pieces, 3 seeds" in shown
    assert "- there: no result yet." in shown
    assert sum(other in shown for other in ("Lags help.", "Lags hurt.", "No matter.")) == 1


def test_an_answer_turns_with_the_results(make, document, fill):
    fill("here", none=2.0, lags=1.5)
    document(ANSWER)
    fill("here", none=1.5, lags=2.0)
    assert make.main(["--check"]) == 1


def test_pairs_stand_beside_each_other_for_all_music(document, fill):
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


def test_words_about_a_study_stand_until_its_results_change(make, document, fill, tmp_path, capsys):
    fill("here", none=2.0, lags=1.5)
    page = tmp_path / "README.md"
    region = "<!-- said: trial.toml {} -->\nLags help, here.\n<!-- /said -->\n"
    page.write_text(region.format("00000000"))
    assert make.main([]) == 1
    said = capsys.readouterr().err
    assert "other results than those" in said
    assert "Lags help, here." in page.read_text()
    document(region.format(re.search(r"write ([0-9a-f]{8})", said)[1]))
    fill("there", none=1.5, lags=2.0)
    assert make.main(["--check"]) == 1
    assert "Lags help, here." in capsys.readouterr().err


def test_bold_is_what_is_clear_among_all_differences(document, fill):
    fill("here", none=2.0, lags=8.99)
    pair = "lags against rates"
    alone = document(f"<!-- compare: trial.toml\n{pair} -->\n<!-- /compare -->\n")
    many = document("<!-- compare: trial.toml\n" + "\n".join([pair] * 100) + " -->\n<!-- /compare -->\n")
    assert "| **clearly lower by 0.009" in alone
    assert "among all 1 differences" in alone
    assert "| clearly lower by 0.009" in many
    assert "**" not in many


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("<!-- study: trial.toml data=nowhere -->\n<!-- /study -->\n", "not of nowhere"),
        ("<!-- study: trial.toml colour=red -->\n<!-- /study -->\n", "takes data= and of="),
        ("<!-- compare: trial.toml\nlags against nobody -->\n<!-- /compare -->\n", "no such row"),
        ("<!-- compare: trial.toml\nlags or none -->\n<!-- /compare -->\n", "write ROW against ROW"),
        (
            "<!-- answer: trial.toml\nlags against none\nlower: Yes. -->\n<!-- /answer -->\n",
            "no words for higher",
        ),
        ("<!-- answer: trial.toml\nlags against none\nmaybe: Yes. -->\n<!-- /answer -->\n", "'maybe: Yes.'"),
    ],
)
def test_what_a_study_cannot_say_is_refused(make, tmp_path, fill, region, said):
    fill("here", none=2.0, lags=1.5)
    (tmp_path / "README.md").write_text(region)
    with pytest.raises(make.StaleError, match=said):
        make.main([])


def test_what_is_stored_is_shown_without_torch(trial, fill):
    fill("here", none=2.0, lags=1.5)
    reads = "import sys, studies, pictures; studies.study('trial.toml', studies.Path('.'))"
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'docs')!r}); {reads}; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=trial.parent, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
