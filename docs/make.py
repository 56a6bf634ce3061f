"""Fills the marked regions of the documents, or with --check names the documents that are stale.

    <!-- parts -->             a table of all parts
    <!-- parts: in full -->    a section for each part: settings, ranges, sources
    <!-- file: PATH -->        a file of the repository
    <!-- run: zoo WORDS -->    what the command prints
    <!-- fails: zoo WORDS -->  the same of a command that must fail
    <!-- study: FILE -->       tables of a study; `compare`, `answer`, `summary` and `differences` likewise,
                               see docs/studies.py
    <!-- said: FILE DIGEST -->    text written by hand for tables of a study with these numbers, or, with
                               data=NAME before the digest, for those on some music
    <!-- picture: NAME -->     a picture of docs/pictures.py
    <!-- written: FILE NAME --> what a model of `zoo evaluate --json` in a file writes, beside unseen music
    <!-- reading: FILE -->     how the sets in a file of benchmarks/reading.py lie on their grids

A region ends with its name: `<!-- /parts -->`. The commands of a document run in
one empty folder of their own, where the files lie that the document has shown before.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pictures
import studies
from rich.console import Console

from zoo.cli.list import is_default
from zoo.cli.show import part_facts
from zoo.errors import ZooError
from zoo.measure.resemblance import Resemblance
from zoo.measure.table import resemblances
from zoo.parts import SLOTS, Fact
from zoo.registry import Entry, Registry, open_registry

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("README.md", "docs/*.md", "plugins/*/README.md")
PARTS = ROOT / "docs" / "parts.md"

REGION = re.compile(
    r"^<!-- (?P<kind>\w+)(: (?P<argument>.+?))? -->$\n(?P<body>.*?)^<!-- /(?P=kind) -->$", re.M | re.S
)
LANGUAGES = {".py": "python", ".toml": "toml"}


class StaleError(Exception):
    """A document cannot be made as it is marked."""


def main(words: Sequence[str]) -> int:
    """Make the documents, or check them; the exit code."""
    check = list(words) == ["--check"]
    if words and not check:
        print("usage: python docs/make.py [--check]", file=sys.stderr)
        return 2
    stale, outlived = [], []
    studies.read.cache_clear()
    for document in documents():
        page = Document(document, may_draw=not check)
        made = page.made()
        outlived += page.outlived
        if made != document.read_text("utf-8"):
            stale.append(document)
            if not check:
                document.write_text(made, "utf-8")
    for document in stale:
        print(f"{document.relative_to(ROOT)} {'is stale' if check else 'is new'}", file=sys.stderr)
    if check and stale:
        print("  `make docs` (python docs/make.py) makes it anew", file=sys.stderr)
    for words in outlived:
        print(words, file=sys.stderr)
    return int(bool(outlived) or (check and bool(stale)))


def documents() -> list[Path]:
    """Every document that may hold regions."""
    return sorted(path for place in PLACES for path in ROOT.glob(place))


@dataclass
class Document:
    """A document.

    Attributes:
        path: where it lies.
        may_draw: whether pictures that are stale are drawn anew.
        outlived: words of a person whose numbers have changed since, and what to do.
    """

    path: Path
    may_draw: bool = False
    outlived: list[str] = field(default_factory=list)

    def made(self) -> str:
        """Its text with all regions filled."""
        with tempfile.TemporaryDirectory() as folder:
            return REGION.sub(lambda region: self._filled(region, Path(folder)), self.path.read_text("utf-8"))

    @cached_property
    def stated(self) -> studies.Page:
        """The differences that it states."""
        regions = REGION.finditer(self.path.read_text("utf-8"))
        return studies.page([(one["kind"], one["argument"] or "") for one in regions], ROOT)

    def _filled(self, region: re.Match[str], folder: Path) -> str:
        kind, argument = region["kind"], region["argument"] or ""
        match kind, argument:
            case "parts", "":
                body = table(os.path.relpath(PARTS, self.path.parent))
            case "parts", "in full":
                body = in_full()
            case "file", _:
                body = shown(ROOT / argument, folder)
            case "run", _:
                body = output(argument, folder)
            case "fails", _:
                body = output(argument, folder, fails=True)
            case "picture", _:
                try:
                    body = pictures.picture(argument, ROOT, self.path, draw=self.may_draw)
                except LookupError as error:
                    raise StaleError(f"{self.path}: {error}") from error
            case "said", _:
                body = self._said(*argument.rsplit(maxsplit=1), words=region["body"].rstrip("\n"))
            case "written", _:
                body = written(*argument.rsplit(maxsplit=1))
            case "reading", _:
                body = reading(argument)
            case "study" | "compare" | "answer" | "summary" | "differences", _:
                body = self._of_study(kind, argument)
            case _:
                raise StaleError(f"{self.path}: there is no way to fill <!-- {kind}: {argument} -->")
        head = f"<!-- {kind}: {argument} -->" if argument else f"<!-- {kind} -->"
        return f"{head}\n{body}\n<!-- /{kind} -->"

    def _said(self, file: str, digest: str, *, words: str) -> str:
        """The words, as long as what they are about has not changed."""
        now = studies.digest(file, ROOT)
        if now != digest:
            what = f"{file} has other results than those that this text is about"
            self.outlived.append(
                f"{self.path}: {what}; change the text where it no longer fits and write {now}:\n{words}"
            )
        return words

    def _of_study(self, kind: str, argument: str) -> str:
        try:
            match kind:
                case "study":
                    return studies.study(argument, ROOT)
                case "compare":
                    return studies.compare(argument, ROOT, self.stated)
                case "answer":
                    return studies.answer(argument, ROOT, self.stated)
                case "summary":
                    return studies.summary(argument, ROOT, self.stated)
                case _:
                    return studies.differences(self.stated)
        except (studies.ArgumentError, ZooError) as error:
            raise StaleError(f"{self.path}: <!-- {kind}: {argument} -->: {error}") from error


def shown(file: Path, folder: Path) -> str:
    """The file as a block, and a copy of it in the folder."""
    text = file.read_text("utf-8")
    (folder / file.name).write_text(text, "utf-8")
    return f"```{LANGUAGES.get(file.suffix, '')}\n{text.rstrip()}\n```"


def output(command: str, folder: Path, *, fails: bool = False) -> str:
    """What a zoo command prints on a page of 80 columns, as a block.

    Raises:
        StaleError: it fails, or does not although it must.
    """
    program, *words = shlex.split(command)
    assert program == "zoo", command
    page = {**os.environ, "COLUMNS": "80", "ZOO_PLUGINS": "", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *words],
        cwd=folder,
        env=page,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if bool(done.returncode) != fails:
        raise StaleError(f"`{command}` ends with exit code {done.returncode}:\n{done.stdout}")
    return console(done.stdout, f"$ {command}")


def written(file: str, name: str) -> str:
    """A model's table of resemblance on a page of 80 columns, as a block."""
    rows = json.loads((ROOT / file).read_text("utf-8"))["rows"]
    kept = [(row["name"], Resemblance.from_json(row["resemblance"])) for row in rows if row["name"] == name]
    if not kept:
        raise StaleError(f"{file} knows nothing of {name}")
    printed = io.StringIO()
    page = Console(file=printed, width=80)
    for part in resemblances(kept):
        page.print(part)
    return console(printed.getvalue())


def reading(file: str) -> str:
    """A row for each set: how it lies on its grid, and what its splits share."""
    heads = (
        "set",
        "music",
        "pieces",
        "families",
        "leaks",
        "on the grid",
        "merged",
        "place in the bar",
        "residual",
    )
    rows = [
        "| " + " | ".join(heads) + " |",
        "| --- | --- |" + " ---: |" * (len(heads) - 2),
    ]
    for name, found in json.loads((ROOT / file).read_text("utf-8")).items():
        rows.append("| " + " | ".join([name, found["digest"][:12], *_reading_cells(found)]) + " |")
    return "\n".join(rows)


def _reading_cells(found: dict[str, Any]) -> Iterator[str]:
    summary, residual = found["summary"], found["residual"]
    yield from (f"{summary['pieces']:,}", f"{found['families']:,}", f"{found['leaks']:,}")
    if summary["spread"] is None:  # onsets are not known
        yield from ("–",) * 4
        return
    merged = sum(summary["losses"].get(kind, 0) for kind in ("merged", "struck again"))
    yield f"{1 - summary['off_grid']:.1%}"
    yield f"{merged / summary['notes']:.2%}"
    yield f"{summary['spread']:.3f} / {summary['spread_inside']:.3f}"
    yield f"{residual['onset']:.3f} / {residual['sounding']:.3f}"


def console(printed: str, *command: str) -> str:
    """What a terminal shows, as a block."""
    body = "\n".join(line.rstrip() for line in printed.splitlines()).strip("\n")
    return "\n".join(["```console", *command, body, "```"])


def table(link: str) -> str:
    """One row for each part; those that stand by default are set in bold."""
    registry = open_registry()
    rows = ["| slot | part | what it is |", "| --- | --- | --- |"]
    for entry in registry.shipped_entries():
        anchor = f"{link}#{entry.slot}{entry.name}"
        name = f"**{entry.name}**" if is_default(entry, registry) else entry.name
        rows.append(f"| {entry.slot} | [{name}]({anchor}) | {cell(entry.description.summary)} |")
    return "\n".join(rows)


def in_full() -> str:
    """Slot by slot, everything the parts say of themselves."""
    registry = open_registry()
    blocks = []
    for slot in SLOTS:
        blocks.append(f"## {slot}")
        for entry in registry.shipped_entries(slot):
            blocks += section(entry, registry)
    return "\n\n".join(blocks)


def section(entry: Entry, registry: Registry) -> Iterator[str]:
    """The blocks of one part."""
    facts = part_facts(entry, registry)
    yield f"### {entry.slot}={entry.name}"
    yield f"**{facts['summary']}.**"
    yield prose(entry.load())
    if facts["settings"]:
        yield "\n".join(settings(facts))
    yield "\n".join(f"- {line}" for line in notes(facts, is_default(entry, registry)))


def prose(part: type) -> str:
    """A class's docstring up to its first list of attributes."""
    text = inspect.getdoc(part) or ""
    return re.split(r"\n\n(?=[A-Z]\w+:\n)", text)[0]


def settings(facts: dict[str, Any]) -> Iterator[str]:
    """The rows of a part's settings."""
    yield "| setting | default | takes | what it is |"
    yield "| --- | --- | --- | --- |"
    for setting in facts["settings"]:
        name = f"`{facts['slot']}.{setting['name']}`" + (" (live)" if setting["live"] else "")
        rest = " | ".join(map(cell, (setting["takes"], setting["help"])))
        yield f"| {name} | `{setting['default']}` | {rest} |"


def notes(facts: dict[str, Any], default: bool) -> Iterator[str]:
    """What a part gives, where it comes from, and what to know of it."""
    if default:
        yield "default of the slot"
    if facts["gives"]:
        yield "gives " + ", ".join(said(name, fact) for name, fact in facts["gives"].items())
    if facts["citation"]:
        yield f"source: {facts['citation']}"
    if facts["status"] != "stable":
        yield str(facts["status"])
    yield f"plugin `{facts['plugin']}`"


def said(name: str, fact: Fact) -> str:
    """A fact in words: "12 codes", "plane onset"."""
    return f"{name} {fact}" if isinstance(fact, str) else f"{fact} {name}"


def cell(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StaleError as error:
        sys.exit(str(error))
