"""The README: short first screen, working code and commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from zoo.cli.list import is_default
from zoo.cli.main import run
from zoo.music.midi import read_midi
from zoo.registry import open_registry

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
LONGEST = 150
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21", reason="the chorales need the extra `data`")
    monkeypatch.chdir(tmp_path)


def shorter(text: str) -> str:
    """The same training, but for a few steps instead of two minutes."""
    short, count = re.subn(r"minutes=2\b", "steps=3", text)
    assert count == 1
    return short


def test_it_is_short() -> None:
    assert README.count("\n") <= LONGEST
    screen = README[: README.index("## Install")]
    assert screen.count("\n") < 35
    assert re.findall(r"!\[.*?\]\((.*?)\)", screen) == ["docs/pictures/parts.svg", "docs/pictures/music.png"]
    rows = [line for line in README.splitlines() if line.startswith("|")]
    assert rows[1].startswith("| ---")
    assert len(rows[2:]) <= 8


def test_its_table_lists_every_part_and_marks_the_defaults() -> None:
    entries = open_registry().shipped_entries()
    listed = re.findall(r"^\| (\w+) \| (.*) \|$", README, re.M)
    shown = {(slot, name.strip("*")) for slot, names in listed[1:] for name in names.split(", ")}
    assert shown == {(entry.slot, entry.name) for entry in entries}
    default = {(slot, name) for slot, names in listed[1:] for name in re.findall(r"\*\*(\w+)\*\*", names)}
    assert default == {(entry.slot, entry.name) for entry in entries if is_default(entry, open_registry())}


def test_its_python_generates_a_piece() -> None:
    code = re.search(r"```python\n(.*?)```", README, re.S)
    assert code is not None
    exec(shorter(code[1]), {})
    assert read_midi("out.mid").frames > 0


def test_its_first_commands_train_and_compose() -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    shell = README.split("Or in a shell:")[1].split("## Install")[0]
    commands = [shlex.split(line)[1:] for line in shorter(shell).splitlines() if line.startswith("    ")]
    assert [words[0] for words in commands] == ["train", "generate"]
    pretrained = re.search(r"`zoo (generate bach [^`]*)`", shell)
    assert pretrained is not None
    commands.append(pretrained[1].split())
    assert [run(words) for words in commands] == [0, 0, 0]
    assert read_midi("new.mid").frames > 0
    assert '<button class="play">' in Path("chorale.html").read_text("utf-8")
    assert Path("new.png").read_bytes().startswith(b"\x89PNG")


def test_its_plugin_is_written_checked_and_trained() -> None:
    section = README.split("## Write a plugin")[1].split("## Documentation")[0]
    lines = [line.partition("  #")[0] for line in section.splitlines() if line.startswith("    ")]
    commands = [shlex.split(line)[1:] for line in lines]
    assert [words[0] for words in commands] == ["plugin", "plugin", "train"]
    commands[-1].append("train.steps=2")
    assert [run(words) for words in commands] == [0, 0, 0]


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_its_links_lead_somewhere(page: str) -> None:
    file = ROOT / page
    missing = [link for link in LINK.findall(file.read_text("utf-8")) if not (file.parent / link).exists()]
    assert not missing
