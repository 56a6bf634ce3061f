"""A zoo of toy parts, so that outputs do not depend on the shipped parts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest

from zoo.parts import Description, Settings, hookimpl, setting
from zoo.registry.menu import Menu

Run = Callable[..., "Output"]


class Output:
    """The exit code and output of a command line."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


class Deep(Settings):
    hidden: int = setting(100, "hidden units", ge=1, le=4096)
    kind: Literal["plain", "wide"] = setting("plain", "kind of LSTM", live=True)


class Toys:
    @staticmethod
    @hookimpl
    def zoo_parts() -> list[Description]:
        return [
            Description("encoder", "fold", "Octaves folded", "a:B", gives=lambda settings: {"codes": 12}),
            Description("attention", "history", "Looks back, [b]boldly[/b]", "a:B"),
            Description("sampler", "voices", "One note at a time, given those before it", "a:B"),
            Description("decoder", "lstm", "Remembers", "a:B", settings=Deep, citation="Hochreiter 1997"),
            Description("decoder", "rbm", "Balances", "a:B", settings=Deep, status="experimental"),
            Description("velocity", "none", "Even", "a:B"),
        ]


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The toy parts instead of the shipped ones, and no third-party plugins."""
    module = ModuleType("toy_plugin")
    module.__file__ = "/zoo/toys.py"
    module.zoo_parts = Toys.zoo_parts  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_plugin", module)
    monkeypatch.setattr("zoo.registry.registry.installed_sources", lambda users: [])
    defaults = {
        "encoder": "fold",
        "attention": "history",
        "sampler": "voices",
        "decoder": "lstm",
        "velocity": "none",
    }
    menu = Menu(tmp_path / "registry.toml", {"toys": "toy_plugin"}, defaults, {"deep": "decoder=rbm"})
    monkeypatch.setattr("zoo.registry.registry.shipped_menu", lambda: menu)
    monkeypatch.setattr("zoo.__version__", "0.1.0")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command line in this process, in an empty folder, with 80 columns."""
    from zoo.cli import console, main

    monkeypatch.setattr(console.stdout, "width", 80)
    monkeypatch.setattr(console.stderr, "width", 80)
    for variable in ("ZOO_PLUGINS", "ZOO_LOCAL", "ZOO_STRICT", "ZOO_TRACE"):
        # Set first, so that monkeypatch also undoes what a command sets.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*words: str) -> Output:
        code = main.run(words)
        out, err = capsys.readouterr()
        return Output(code, "\n".join(line.rstrip() for line in out.splitlines()), err)

    return run
