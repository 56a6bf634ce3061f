"""The number of threads: one for small models, unless set otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from zoo.model import threads
from zoo.model.build import build
from zoo.model.model import Model
from zoo.model.threads import LARGE, VARIABLES, chosen_threads, computing
from zoo.registry import open_registry, parse_recipe

CORES = 3


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process with three torch threads and no thread settings."""
    before = torch.get_num_threads()
    torch.set_num_threads(CORES)
    monkeypatch.setattr(threads, "_INHERITED", CORES)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def small() -> Model:
    return build(parse_recipe([], open_registry()))


@pytest.mark.usefixtures("cores")
def test_small_model_uses_one_thread_and_large_one_all(small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_threads(small) == 1
    size = sum(parameter.numel() for parameter in small.parameters())
    assert size < LARGE
    monkeypatch.setattr(threads, "LARGE", size)
    assert chosen_threads(small) == CORES


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("name", VARIABLES)
def test_environment_variables_take_precedence(
    small: Model, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(CORES))
    assert chosen_threads(small) == CORES


@pytest.mark.usefixtures("cores")
def test_explicit_settings_take_precedence(small: Model) -> None:
    torch.set_num_threads(2)
    assert chosen_threads(small) == 2
    assert chosen_threads(small, 5) == 5


@pytest.mark.usefixtures("cores")
def test_number_of_threads_is_restored(small: Model) -> None:
    def fail() -> Any:
        with computing(small) as count:
            assert count == torch.get_num_threads() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == CORES


LOAD = """
import os
from concurrent.futures import ThreadPoolExecutor

import zoo

before = os.fstat(1).st_ino
with ThreadPoolExecutor(4) as threads:
    models = list(threads.map(zoo.load, ["bach"] * 12))
print(len(models), os.fstat(1).st_ino == before)
"""


@pytest.mark.slow
def test_models_are_loaded_in_several_threads_at_once() -> None:
    """Each redirected standard output, and restored what another one had redirected it to."""
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("12 True\n", "")
