"""Fill the marked regions of the documents, or with --check name the documents that are stale.

    <!-- parts -->                    a table of all parts
    <!-- parts: in full -->           a section for each part: settings, ranges, sources
    <!-- settings: COMMAND -->        the settings of `zoo train` or the options of `zoo generate`
    <!-- exits -->                    the exit codes
    <!-- limits -->                   how much of each kind of input is read
    <!-- file: PATH -->               a file of the repository
    <!-- run: zoo WORDS -->           what the command prints
    <!-- fails: zoo WORDS -->         the same of a command that must fail
    <!-- study: FILE -->              tables of a study; `compare` and `differences` likewise, see studies.py
    <!-- answer: NAME -->             sentences that results choose; `summary` likewise, see questions.py
    <!-- prose: FILE DIGEST -->       text written by hand for tables of a study with these numbers, or, with
                                      data=NAME before the digest, for those on some music
    <!-- picture: NAME -->            a picture, see pictures.py
    <!-- resemblance: FILE NAME -->   how music of a model in a file of `zoo evaluate --json` compares
    <!-- finetuning: FILE -->         the results of studies/finetuning.py
    <!-- speed: NAME -->              a table of the speed benchmarks, see speed_tables.py
    <!-- corpora: FILE -->            how the sets in a file of studies/reading.py lie on their grids

A region ends with its kind: `<!-- /parts -->`. The commands of a document run in one empty folder of their
own, which also contains the files that the document has shown before.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import comparisons
import pictures
import questions
import studies
from blocks import run_command, show_file, show_resemblance
from commands import table_of_command, table_of_exit_codes
from comparisons import Comparison, Page
from corpora import table_of_corpora
from finetuning_table import table_of_finetuning
from limits import table_of_limits
from part_tables import sections_of_parts, table_of_parts
from questions import Questions
from regions import Region, RegionError, fill, regions
from speed_tables import table_of_speed
from zoo.errors import ZooError

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("README.md", "docs/*.md", "plugins/*/README.md")
PARTS = ROOT / "docs" / "parts.md"


def main(words: Sequence[str]) -> int:
    """Make the documents, or check them; the exit code."""
    check = list(words) == ["--check"]
    if words and not check:
        print("usage: python docs/make.py [--check]", file=sys.stderr)
        return 2
    comparisons.read.cache_clear()
    stale, outdated = [], []
    for path in documents():
        document = Document(path, may_draw=not check)
        text = document.filled()
        outdated += document.outdated_prose
        if text != path.read_text("utf-8"):
            stale.append(path)
            if not check:
                path.write_text(text, "utf-8")
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'is stale' if check else 'was updated'}", file=sys.stderr)
    if check and stale:
        print("  `make docs` (python docs/make.py) updates it", file=sys.stderr)
    for message in outdated:
        print(message, file=sys.stderr)
    return int(bool(outdated) or (check and bool(stale)))


def documents() -> list[Path]:
    """Every document that may contain regions."""
    return sorted(path for place in PLACES for path in ROOT.glob(place))


@dataclass
class Document:
    """A document.

    Attributes:
        path: its file.
        may_draw: whether stale pictures are drawn again; otherwise they are an error.
        outdated_prose: for each text whose study has other results now, what to do and the text.
    """

    path: Path
    may_draw: bool = False
    outdated_prose: list[str] = field(default_factory=list)

    def filled(self) -> str:
        """Its text with all regions filled.

        Raises:
            RegionError: a region cannot be filled; names the document.
        """
        with tempfile.TemporaryDirectory() as folder:
            return fill(self.path.read_text("utf-8"), lambda region: self._fill(region, Path(folder)))

    @cached_property
    def _questions(self) -> Questions:
        return Questions.beside(self.path)

    @cached_property
    def _page(self) -> Page:
        """The differences that the document states."""
        return Page.of(self._comparisons(), ROOT)

    def _comparisons(self) -> Iterator[Comparison]:
        for region in regions(self.path.read_text("utf-8")):
            match region.kind:
                case "compare":
                    yield Comparison.parse(region.argument)
                case "answer" | "summary":
                    yield self._questions.find(region.kind, region.argument).comparison

    def _fill(self, region: Region, folder: Path) -> str:
        try:
            return self._body(region, folder)
        except (RegionError, ZooError) as error:
            raise RegionError(f"{self.path}: <!-- {region.kind}: {region.argument} -->: {error}") from error

    def _body(self, region: Region, folder: Path) -> str:
        argument = region.argument
        match region.kind:
            case "parts" if not argument:
                return table_of_parts(os.path.relpath(PARTS, self.path.parent))
            case "parts" if argument == "in full":
                return sections_of_parts()
            case "settings":
                return table_of_command(argument)
            case "exits":
                return table_of_exit_codes()
            case "limits":
                return table_of_limits()
            case "file":
                return show_file(ROOT / argument, folder)
            case "run" | "fails" as kind:
                return run_command(argument, folder, fails=kind == "fails")
            case "picture":
                return pictures.show_picture(argument, ROOT, self.path, draw=self.may_draw)
            case "resemblance":
                file, name = argument.rsplit(maxsplit=1)
                return show_resemblance(ROOT / file, name)
            case "finetuning":
                return table_of_finetuning(ROOT / argument)
            case "speed":
                return table_of_speed(argument, ROOT)
            case "corpora":
                return table_of_corpora(ROOT / argument)
            case "prose":
                self._check_prose(region)
                return region.body
            case "study" | "compare" | "differences" | "answer" | "summary":
                return self._compare(region)
            case _:
                raise RegionError("there is no way to fill this region")

    def _compare(self, region: Region) -> str:
        match region.kind:
            case "study":
                return studies.study_tables(Comparison.parse(region.argument), ROOT)
            case "compare":
                return studies.difference_table(Comparison.parse(region.argument), self._page, ROOT)
            case "answer":
                question = self._questions.find("answer", region.argument)
                return questions.answer(question, self._page, ROOT)
            case "summary":
                question = self._questions.find("summary", region.argument)
                return questions.summary(question, self._page, ROOT)
            case _:
                return studies.count_differences(self._page)

    def _check_prose(self, region: Region) -> None:
        """Note the text if the numbers that it is about have changed."""
        file, digest = region.argument.rsplit(maxsplit=1)
        now = studies.digest(Comparison.parse(file), ROOT)
        if now != digest:
            self.outdated_prose.append(
                f"{self.path}: the results of {file} have changed since this text was written; "
                f"correct the text where needed and set its digest to {now}:\n{region.body}"
            )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RegionError as error:
        sys.exit(str(error))
