"""Pictures store the numbers they were drawn from, and are stale if these change."""

from __future__ import annotations

import json

import pytest

from zoo.bench.reading import READING

TEXT = "<!-- picture: loudness-here\nHow loud. -->\n<!-- /picture -->\n"


@pytest.fixture
def look(tmp_path):
    """Store numbers for the picture: `look(notes)`, or `look(notes, 1)` of an earlier reading."""

    def store(notes: int, reading: int = READING) -> None:
        folder = tmp_path / "benchmarks" / "studies" / "results" / "looks"
        folder.mkdir(parents=True, exist_ok=True)
        numbers = {"data": "here", "notes": notes, "bin": 32, "counts": [[notes, 0, 0, 1]] * 4}
        content = {**numbers, "digest": "d" * 64, "reading": reading, "correlation": 0.5, "spread": 3.0}
        (folder / "loudness-here.json").write_text(json.dumps(content))

    return store


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "docs" / "answers.md"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def test_a_picture_is_drawn_once_and_shown(make, look, document, tmp_path):
    look(30)
    assert make.main([]) == 0
    assert "![How loud.](pictures/loudness-here.svg)" in document.read_text()
    picture = tmp_path / "docs" / "pictures" / "loudness-here.svg"
    drawn = picture.stat().st_mtime_ns
    assert picture.stat().st_size < 100_000
    assert make.main([]) == 0
    assert make.main(["--check"]) == 0
    assert picture.stat().st_mtime_ns == drawn


def test_picture_of_outdated_numbers_is_stale(make, look, document):
    look(30)
    assert make.main([]) == 0
    look(31)
    with pytest.raises(make.RegionError, match=r"loudness-here\.svg is stale"):
        make.main(["--check"])
    assert make.main([]) == 0
    assert make.main(["--check"]) == 0


def test_a_picture_of_an_earlier_reading_says_so(make, look, document):
    look(30, READING)
    assert make.main([]) == 0
    assert "earlier" not in document.read_text().lower()
    look(30, 1)
    assert make.main([]) == 0
    assert "loudness-here.svg)\n\n*Earlier reading of here.*" in document.read_text()


def test_picture_without_numbers_is_skipped(make, document):
    assert make.main([]) == 0
    assert "waits for results" in document.read_text()


def test_an_unknown_picture_is_refused(make, tmp_path):
    (tmp_path / "README.md").write_text("<!-- picture: sunset-here -->\n<!-- /picture -->\n")
    with pytest.raises(make.RegionError, match="there is no picture sunset-here"):
        make.main([])


def test_missing_training_of_a_picture_is_an_error(make, look, document, tmp_path):
    look(40)
    file = tmp_path / "benchmarks" / "studies" / "results" / "looks" / "loudness-here.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "cell": "velocity-lstm-s0-0123"}))
    with pytest.raises(make.RegionError, match="velocity-lstm-s0-0123"):
        make.main([])
    stored = tmp_path / "benchmarks" / "studies" / "results" / "here" / "velocity-lstm-s0-0123.json"
    stored.parent.mkdir()
    stored.write_text("{}")
    assert make.main([]) == 0
