"""The documents site builds without a warning, none of its links is broken, and its search finds settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import zoo
import zoo.parts
from zoo.cli.main import run
from zoo.cli.show import part_to_json
from zoo.cli.takes import command_to_json
from zoo.parts import SLOTS
from zoo.registry import open_registry

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]  # what they share is built once


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason="the site needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site") / "site"
    built = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_site.py"), folder.name],
        cwd=folder.parent,
        env={**os.environ, "ZOO_PLUGINS": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


class Page(HTMLParser):
    """The links of a page, and its anchors."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.anchors |= {name for key in ("id", "name") if (name := values.get(key))}
        links = (values.get("href"), values.get("src"))
        self.links += [link for link in links if link and not urlsplit(link).scheme]


@cache
def page(file: Path) -> Page:
    return Page(file)


def broken(folder: Path) -> Iterator[str]:
    """The broken links of all pages."""
    for file in sorted(folder.rglob("*.html")):
        for link in page(file).links:
            url = urlsplit(link)
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            if not target.is_file():
                yield f"{file.relative_to(folder)} links to {link}: there is no such file"
            elif url.fragment and unquote(url.fragment) not in page(target).anchors:
                yield f"{file.relative_to(folder)} links to {link}: there is no such anchor"


def test_every_link_leads_somewhere(site: Path) -> None:
    assert sum(len(page(file).links) for file in site.rglob("*.html")) > 1000
    assert list(broken(site)) == []


def test_broken_links_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#here"></a><img src="c.png"><a href="b.html#gone"></a>')
    (tmp_path / "b.html").write_text('<h1 id="here"></h1><a href="https://example.org/nothing"></a>')
    assert [line.split(": ")[-1] for line in broken(tmp_path)] == [
        "there is no such file",
        "there is no such anchor",
    ]


def test_notebooks_can_be_downloaded(site: Path) -> None:
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for notebook in notebooks:
        links = page(site / "notebooks" / f"{notebook.stem}.html").links
        (download,) = [link for link in links if link.endswith(".ipynb")]
        assert (site / "notebooks" / download).read_bytes() == notebook.read_bytes()
    assert len(notebooks) == 3


@pytest.mark.parametrize("name", ["listen", "leaderboard"])
def test_a_page_that_stands_alone_and_its_document_link_to_each_other(name: str, site: Path) -> None:
    assert {"../index.html", f"../{name}.html"} <= set(page(site / name / "index.html").links)
    assert f"{name}/index.html" in page(site / f"{name}.html").links


class Search:
    """The search of the site: pages that contain all words of a query, as its script finds them."""

    def __init__(self, site: Path) -> None:
        from sphinx.search.en import SearchEnglish

        text = (site / "searchindex.js").read_text("utf-8")
        index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
        self._names: list[str] = index["docnames"]
        self._terms: list[dict[str, list[int] | int]] = [index["terms"], index["titleterms"]]
        self._language = SearchEnglish({})

    def pages(self, query: str) -> set[str]:
        words = self.words(query)
        assert words
        return set.intersection(*(self._containing(word.lower()) for word in words))

    def words(self, query: str) -> list[str]:
        """The words of a query that are searched for: not "the" or "is"."""
        return [word for word in re.findall(r"\w+", query) if self._language.word_filter(word.lower())]

    def _containing(self, word: str) -> set[str]:
        found: set[str] = set()
        for terms in self._terms:
            numbers = terms.get(self._language.stem(word), [])
            found |= {self._names[n] for n in ([numbers] if isinstance(numbers, int) else numbers)}
        return found


@pytest.fixture(scope="module")
def search(site: Path) -> Search:
    return Search(site)


def settings() -> Iterator[tuple[str, str]]:
    """Every setting, and the page of its part or of training."""
    yield from ((setting["name"], "settings") for setting in command_to_json("train")["settings"])
    yield from ((setting["name"], "reference") for setting in command_to_json("generate")["settings"])
    registry = open_registry()
    for entry in registry.shipped_entries():
        for setting in part_to_json(entry, registry)["settings"]:
            yield f"{entry.slot}.{setting['name']}", f"parts/{entry.slot}-{entry.name}"


def test_search_finds_every_setting(search: Search) -> None:
    assert [name for name, where in settings() if where not in search.pages(name)] == []
    assert search.pages("train.warmup") <= search.pages("warmup")
    assert search.pages("no_such_setting_at_all") == set()


@pytest.mark.parametrize(
    "words",
    [
        ["build", "decodr=lstm"],
        ["build", "attention=voices"],
        ["build", "sampler.voices=99"],
        ["train", "data=no_such_music"],
        ["generate", "no_such_model", "-o", "new.mid"],
        ["generate", "bach", "-o", "new.mid", "--bars", "4", "--seconds", "9"],
        ["generate", "bach", "-o", "new.mid", "--meter", "waltz"],
        ["midi", "check", "text.mid"],
        ["bench", "table", "no_such_study.toml"],
        ["plugin", "check", "attention.nothing"],
    ],
    ids=" ".join,
)
def test_search_finds_a_message_as_it_is_printed(
    words: list[str],
    search: Search,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mid").write_text("This is a letter and no music at all.")
    assert run(words) > 0
    message = capsys.readouterr().err.splitlines()[0].rpartition(": ")[2]
    given = {part for word in words for part in re.findall(r"\w+", word)}
    asked = " ".join(word for word in re.findall(r"[a-z]{3,}", message) if word not in given)
    assert "messages" in search.pages(asked), message


def test_search_finds_every_message_of_the_code(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from messages import GAP, messages

    texts = {text.replace(GAP, " ") for message in messages(ROOT) for text in (message.what, message.hint)}
    asked = sorted(text for text in texts if search.words(text))
    assert len(asked) > 300
    unsearchable = {text.strip() for text in texts if text not in asked}
    assert unsearchable <= {"", ":", "is not a"}  # these consist of what stands in their gaps
    assert [text for text in asked if "messages" not in search.pages(text)] == []


def test_the_reference_has_every_public_name(site: Path) -> None:
    described = {anchor for file in (site / "api").glob("*.html") for anchor in page(file).anchors}
    public = {f"{package.__name__}.{name}" for package in (zoo, zoo.parts) for name in package.__all__}
    assert {name for name in public if not name.endswith("__")} - described == set()


def test_every_part_has_a_page_with_its_results(site: Path) -> None:
    for entry in open_registry().shipped_entries():
        text = (site / "parts" / f"{entry.slot}-{entry.name}.html").read_text("utf-8")
        assert "No stored study contains this part." in text or re.search(
            r"\d\.\d{3}.*?\d+ of \d+", text, re.S
        )
        assert f"plugins/{entry.load().__module__.split('.')[1]}" in text
    assert {entry.slot for entry in open_registry().shipped_entries()} == set(SLOTS)


def test_its_sound_is_of_pretrained_models(site: Path) -> None:
    for name in ("bach", "baseline", "pop"):
        assert (site / "sound" / f"{name}.wav").read_bytes()[:4] == b"RIFF"
    assert "<audio" in (site / "parts" / "attention-copying.html").read_text("utf-8")
    assert "No pretrained model" in (site / "parts" / "attention-lags.html").read_text("utf-8")
