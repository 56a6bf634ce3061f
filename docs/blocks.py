"""Blocks of code and output: a file, what a command prints, a table of `zoo evaluate`."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from regions import RegionError
from zoo.measure.printing import FittedTable
from zoo.measure.resemblance import Resemblance
from zoo.measure.table import resemblances

LANGUAGES = {".py": "python", ".toml": "toml"}


def show_file(file: Path, folder: Path) -> str:
    """The file as a block, and a copy of it in the folder."""
    text = file.read_text("utf-8")
    (folder / file.name).write_text(text, "utf-8")
    return f"```{LANGUAGES.get(file.suffix, '')}\n{text.rstrip()}\n```"


def run_command(command: str, folder: Path, *, fails: bool = False) -> str:
    """The output of a zoo command, 80 columns wide, as a block.

    Raises:
        RegionError: it fails, or does not although it must.
    """
    program, *words = shlex.split(command)
    assert program == "zoo", command
    environment = {**os.environ, "COLUMNS": "80", "ZOO_PLUGINS": "", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.run(
        [sys.executable, "-m", "zoo", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if bool(process.returncode) != fails:
        raise RegionError(f"`{command}` ends with exit code {process.returncode}:\n{process.stdout}")
    return _console_block(process.stdout, f"$ {command}")


def show_resemblance(file: Path, name: str) -> str:
    """A model's table of resemblance, from a file of `zoo evaluate --json`, on a page of 80 columns."""
    rows = json.loads(file.read_text("utf-8"))["rows"]
    stored = [(row["name"], Resemblance.from_json(row["resemblance"])) for row in rows if row["name"] == name]
    if not stored:
        raise RegionError(f"{file} has no row {name}")
    printed = io.StringIO()
    console = Console(file=printed, width=80)
    for table in resemblances(stored):
        console.print(FittedTable(table))
    return _console_block(printed.getvalue())


def _console_block(printed: str, *command: str) -> str:
    body = "\n".join(line.rstrip() for line in printed.splitlines()).strip("\n")
    return "\n".join(["```console", *command, body, "```"])
