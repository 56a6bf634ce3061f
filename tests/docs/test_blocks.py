"""No output in a document is unchecked, its commands are valid, and its Python runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

import zoo as zoo_package
from zoo.cli.main import run, zoo
from zoo.cli.takes import command_to_json
from zoo.errors import ZooError
from zoo.music.midi import write_midi
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe
from zoo.train.settings import TrainSettings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "plugins/*/README.md")
    for path in ROOT.glob(pattern)
)
REGION = re.compile(r"^<!-- (\w+)(: .+?)? -->$\n.*?^<!-- /\1 -->$", re.M | re.S)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
OTHER_KEYS = ("train.", "data=", "seed=", "grid=", "pedal=", "family=")
SHELL = (".", "make", "pip", "pipx", "python", "torchrun", "uv", "zoo")


def by_hand(page: str) -> str:
    """The text of a page without the regions that docs/make.py fills."""
    return REGION.sub("", (ROOT / page).read_text("utf-8"))


def blocks(page: str, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(by_hand(page)) if name == language]


def commands(page: str) -> Iterator[str]:
    """Lines of the shell, in indented blocks and in those marked `sh`; none of them is output."""
    text = by_hand(page)
    indented = "\n".join(line[4:] for line in FENCE.sub("", text).splitlines() if line.startswith("    "))
    for block in (indented, *blocks(page, "sh")):
        yield from filter(None, block.replace("\\\n", " ").splitlines())


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_code_or_is_filled_by_make(page: str) -> None:
    assert {language for language, _ in FENCE.findall(by_hand(page))} <= {"python", "sh", "toml"}
    assert [line for line in commands(page) if line.split()[0] not in SHELL] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_valid(page: str) -> None:
    for line in commands(page):
        words = shlex.split(line.partition(" > ")[0], comments=True)
        if "zoo" in words:
            check(words[words.index("zoo") + 1 :])


def check(words: list[str]) -> None:
    """Parse a command without running it."""
    command: click.Command = zoo
    context = click.Context(zoo, info_name="zoo")
    while isinstance(command, click.Group) and words:
        name, subcommand, words = command.resolve_command(context, words)
        assert subcommand is not None
        command, context = subcommand, click.Context(subcommand, context, name)
    command.make_parser(context).parse_args(list(words))
    known = {setting["name"] for setting in command_to_json("train")["settings"]}
    assert [word for word in words if word.startswith("train.") and word.partition("=")[0] not in known] == []
    if command.name in ("build", "train"):
        named = [word for word in words if word in open_registry().menu.recipes]
        slots = [word for word in words if re.match(r"[a-z.]+=", word) and not word.startswith(OTHER_KEYS)]
        slots = [*named, *slots]
        if not any(re.search(r"=(\./|@)", word) for word in slots):
            parse_recipe(" ".join(slots), open_registry(), sections={"train": TrainSettings})


@pytest.mark.parametrize("page", ["docs/python.md", "docs/listen.md"])
def test_its_python_runs(page: str, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a few songs instead of the chorales, and trainings of two steps."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("songs").symlink_to(songs)
    onset = np.zeros((64, 88), np.bool_)
    onset[::4, 40] = True
    roll = Roll(onset, onset, np.where(onset, 64, 0).astype(np.uint8))
    for name in ("song.mid", "opening.mid"):
        write_midi(roll, tmp_path / name)
    (tmp_path / "my_run").symlink_to(ROOT / "zoo" / "pretrained" / "bach")
    zoo_package.build(attention="none").save("small")
    assert run(["export", "small", "attention", "-o", "part.pt2"]) == 0
    names = {"first": roll, "second": roll}
    for code in blocks(page, "python"):
        small = re.sub(r'((?:fit|evaluate|open_corpus)\(|data=)"bach"', r'\1"songs"', code)
        exec(re.sub(r"minutes=\d+", "steps=2", small), names)


def test_invalid_commands_are_rejected() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 50
    check(["generate", "my_run", "-o", "new.mid", "--seed", "3"])
    for words in (
        ["generat", "my_run"],
        ["generate", "my_run", "--sed", "3"],
        ["train", "train.minute=2"],
        ["train", "decodr=lstm"],
        ["build", "decoder=lstn"],
    ):
        with pytest.raises((click.UsageError, AssertionError, ZooError)):
            check(words)
