"""Completion, tested in real shells at an interactive prompt."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import click
import pytest
from click.shell_completion import ShellComplete

from zoo.cli.completion import Bash, Fish, Zsh
from zoo.cli.words import recipe_words
from zoo.errors import UsageError
from zoo.parts import Settings, setting
from zoo.registry.menu import read_menu

TYPED = {
    "zoo sh": "zoo show ",
    "zoo list atten": "zoo list attention ",
    "zoo show attention.hist": "zoo show attention.history ",
    "zoo build dec": "zoo build decoder=",
    "zoo build decoder=": "zoo build decoder=",
    "zoo build decoder=l": "zoo build decoder=lstm ",
    "zoo build velocity=none decoder=l": "zoo build velocity=none decoder=lstm ",
    "zoo build decoder=lstm dec": "zoo build decoder=lstm decoder.",
    "zoo build decoder.hid": "zoo build decoder.hidden=",
    "zoo build sampler.objective=b": "zoo build sampler.objective=bound ",
    "zoo build nothing.": "zoo build nothing.",
}
"""What is typed before the tab key -> the command line after it."""

LINE = re.compile(rb"<<(.*?)>>")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH whose `zoo` is the one under test."""
    script = tmp_path / "zoo"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m zoo "$@"\n')
    script.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


class Terminal:
    """A shell in a pseudo-terminal."""

    def __init__(self, command: Sequence[str], path: str) -> None:
        self.screen, end = pty.openpty()
        self.child = subprocess.Popen(
            command,
            stdin=end,
            stdout=end,
            stderr=end,
            env={**os.environ, "PATH": path, "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(end)

    def type(self, keys: str) -> None:
        os.write(self.screen, keys.encode())

    def wait_for(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        seen = b""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            if select.select([self.screen], [], [], 1)[0]:
                seen += os.read(self.screen, 65536)
            if match := pattern.search(seen):
                return match
        raise AssertionError(f"{pattern!r} never appeared in {seen!r}")

    def close(self) -> None:
        self.type("exit\n")
        self.child.wait(timeout=300)
        os.close(self.screen)


BASH = r"""PS1=; bind 'set bell-style none'; bind 'set page-completions off'
bind -x '"\C-p": printf "<""<%s>>\n" "$READLINE_LINE"'
eval "$(zoo completion bash)"; echo REA''DY
"""
ZSH = r"""PS1=; autoload -U compinit; compinit -u -D; bindkey -e; setopt nobeep
probe() { print -r -- "<""<$BUFFER>>" }; zle -N probe; bindkey '^P' probe
eval "$(zoo completion zsh)"; echo REA''DY
"""
SHELLS = {"bash": (["bash", "--norc", "--noprofile", "-i"], BASH), "zsh": (["zsh", "-f", "-i"], ZSH)}


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, path: str) -> Iterator[Terminal]:
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    command, setup = SHELLS[request.param]
    terminal = Terminal(command, path)
    terminal.type(setup)
    terminal.wait_for(re.compile(rb"READY\r"))
    yield terminal
    terminal.close()


@pytest.mark.slow
def test_at_a_prompt(terminal: Terminal) -> None:
    completions = {}
    for line in TYPED:
        terminal.type(f"{line}\t\x10")
        completions[line] = terminal.wait_for(LINE)[1].decode()
        terminal.type("\x15")
    assert completions == TYPED


def test_in_fish(path: str) -> None:
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    command = "zoo completion fish | source; complete -C 'zoo build decoder=l'; complete -C 'zoo build dec'"
    process = subprocess.run(
        ["fish", "--no-config", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=True,
    )
    assert [line.split("\t")[0] for line in process.stdout.splitlines()] == ["decoder=lstm", "decoder="]


def test_a_mistake_before_the_cursor_keeps_completion_quiet(path: str) -> None:
    environment = {**os.environ, "PATH": path, "_ZOO_COMPLETE": "bash_complete"}
    for line in ("zoo build decoder=zzz decoder.", "zoo build @gone.toml dec", "zoo build 'dec"):
        process = subprocess.run(
            ["zoo"], env={**environment, "COMP_LINE": line}, capture_output=True, text=True, check=False
        )
        assert process.stderr == ""


class Keys(Settings):
    data: str = setting("bach", "the corpus")


class Train(Settings):
    compile: bool = setting(False, "whether to compile")
    lr: float = setting(0.01, "how far each step goes")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("tr", ["train."]),
        ("train.", ["train.compile=", "train.lr="]),
        ("train.compile=", ["train.compile=true", "train.compile=false"]),
        ("train.lr=", ["train.lr=0.01"]),
        ("da", ["data="]),
        ("data=", ["data=bach"]),
        ("de", ["decoder=", "deep"]),
        ("deep de", ["decoder.", "deep"]),
        ("decoder=", ["decoder=lstm", "decoder=rbm"]),
        ("velocity.", []),
        ("decoder=rbm decoder.kind=", ["decoder.kind=plain", "decoder.kind=wide"]),
        ("decoder=zzz decoder.", []),
        ("nothing.", []),
    ],
)
def test_a_recipe_with_keys_and_sections(typed: str, words: list[str]) -> None:
    @click.command()
    @recipe_words(Keys, {"train": Train})
    def train(words: tuple[str, ...]) -> None:
        """Train."""

    *before, unfinished = typed.split(" ")
    completions = Bash(train, {}, "zoo", "_ZOO_COMPLETE").get_completions(before, unfinished)
    assert [item.value for item in completions] == words


class Odd(Settings):
    name: Literal["plain", "$(touch x)", "two words", "a\nplain,b", "c;d", "`e`"] = setting("plain", "a name")
    other: str = setting("x", "two lines:\n\x1b[2Jzoo")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("shell", [Bash, Zsh, Fish])
def test_no_word_that_a_shell_would_run_is_offered(shell: type[ShellComplete]) -> None:
    @click.command()
    @recipe_words(Odd)
    def odd(words: tuple[str, ...]) -> None:
        """Odd."""

    complete = shell(odd, {}, "zoo", "_ZOO_COMPLETE").get_completions
    assert [item.value for item in complete([], "name=")] == ["name=plain"]
    assert [item.help for item in complete([], "other")] == ["two lines:\\n\\x1b[2Jzoo"]


def test_a_name_in_the_menu_of_a_folder_is_not_offered_as_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("base$(touch${IFS}x)", "base\nplain,x", "base;x", "base x", "-base", ""):
        Path("registry.toml").write_text(f"[recipes]\n{json.dumps(name)} = 'decoder=rbm'\n")
        with pytest.raises(UsageError, match=r"is not a name for \[recipes\]"):
            read_menu(Path("registry.toml"))
        assert recipe_completions("base") == []
    Path("registry.toml").write_text("[recipes]\n'base-2.ü' = 'decoder=rbm'\n")
    assert recipe_completions("base-") == ["base-2.ü"]


def recipe_completions(typed: str) -> list[str]:
    @click.command()
    @recipe_words()
    def build(words: tuple[str, ...]) -> None:
        """Build."""

    return [item.value for item in Bash(build, {}, "zoo", "_ZOO_COMPLETE").get_completions([], typed)]
