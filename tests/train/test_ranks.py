"""Data-parallel training: several ranks learn what one process does on the joined batches."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.data import Corpus
from zoo.errors import UsageError, ZooError
from zoo.model.weights import unpack
from zoo.train.batches import TrainingBatches
from zoo.train.events import Event, Started, Stepped
from zoo.train.fit import fit
from zoo.train.learner import Learner
from zoo.train.lock import lock_folder
from zoo.train.ranks import ALONE, Ranks, joined
from zoo.train.run import Run

from .conftest import FAST, TINY
from .test_run import assert_same

Make = Callable[..., Any]
fork = multiprocessing.get_context("fork")
STEPS = 8
KILLED = -signal.SIGKILL
VOICES = "sampler.objective=bound"


def start(act: Callable[[Ranks], None], count: int = 2) -> list[int | None]:
    """Run a function on several ranks, as torchrun does; returns their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def rank(number: int) -> None:
        os.environ |= {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(count)}
        try:
            with joined() as ranks:
                act(ranks)
        except ZooError as error:
            print(f"rank {number}: {error}", file=sys.stderr, flush=True)
            os._exit(error.exit_code)
        except KeyboardInterrupt:
            os._exit(130)

    children = [fork.Process(target=rank, args=(number,)) for number in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    codes = [child.exitcode for child in children]
    for child in children:
        child.kill()
    return codes


@pytest.fixture(scope="session")
def train(corpus: Corpus, tiny: Make, fast: Make) -> Callable[..., None]:
    """Train a tiny model in a folder, on one of several ranks or alone."""

    def train_rank(folder: Path, ranks: Ranks = ALONE, listen: Any = None, **more: Any) -> None:
        settings = fast(**{"steps": STEPS, **more})
        if not ranks.is_first:
            fit(tiny(VOICES, seed=ranks.number), corpus, settings, ranks=ranks)
            return
        with lock_folder(folder) as place:
            fit(tiny(VOICES), corpus, settings, Run(place), listen, resume=True, ranks=ranks)

    return train_rank


@pytest.fixture(scope="session")
def unbroken(train: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two ranks without interruption."""
    folder = tmp_path_factory.mktemp("ranks") / "unbroken"
    assert start(lambda ranks: train(folder, ranks)) == [0, 0]
    return folder


@pytest.mark.parametrize("count", [2, 3])
def test_the_gradient_is_that_of_the_joined_batches(
    corpus: Corpus, tiny: Make, fast: Make, tmp_path: Path, count: int
) -> None:
    """With partly padded fragments, the mean of the ranks' means is a different gradient."""

    def gradients(ranks: Ranks = ALONE, **more: Any) -> dict[str, Any]:
        settings = fast(frames=28, stride=28, batch=3, clip=1e9, **more)
        learner = Learner(tiny(VOICES), settings, 0, ranks)
        batches = TrainingBatches(corpus.split("train"), settings, 0, ranks).at(0)
        losses = learner.learn(batches)
        tensors = {name: p.grad for name, p in learner.model.named_parameters() if p.grad is not None}
        return {"losses": losses, "frames": learner.frames, "gradients": tensors, "own": len(batches)}

    codes = start(lambda ranks: torch.save(gradients(ranks), tmp_path / f"{ranks.number}.pt"), count)
    assert codes == [0] * count
    alone = gradients(accumulate=count)
    assert alone["own"] == count
    for number in range(count):
        shared = torch.load(tmp_path / f"{number}.pt")
        assert shared["own"] < alone["own"]
        assert shared["frames"] == alone["frames"]
        assert shared["losses"] == pytest.approx(alone["losses"], abs=1e-6)
        assert shared["gradients"].keys() == alone["gradients"].keys()
        for name, gradient in shared["gradients"].items():
            torch.testing.assert_close(gradient, alone["gradients"][name], rtol=0, atol=1e-6)


def test_two_ranks_learn_what_one_does_on_twice_the_batches(
    train: Make, unbroken: Path, run_folder: Path
) -> None:
    train(run_folder, accumulate=2)
    assert_same(run_folder, unbroken)


def test_the_first_rank_counts_the_frames_of_all_ranks(train: Make, run_folder: Path) -> None:
    events: list[Event] = []

    def act(ranks: Ranks) -> None:
        train(run_folder, ranks, events.append, steps=2)
        if ranks.is_first:
            started = next(event for event in events if isinstance(event, Started))
            steps = [event for event in events if isinstance(event, Stepped)]
            assert started.ranks == 2
            assert all(event.frames > FAST["batch"] * FAST["frames"] for event in steps)
        else:
            assert not events

    assert start(act) == [0, 0]


@pytest.mark.parametrize("victim", [0, 1])
def test_when_a_rank_is_killed_the_other_ends_and_the_run_resumes(
    train: Make,
    unbroken: Path,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    victim: int,
) -> None:
    learn = Learner.learn

    def act(ranks: Ranks) -> None:
        def die(learner: Learner, *inputs: Any) -> Any:
            if learner.step == 5 and ranks.number == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            return learn(learner, *inputs)

        monkeypatch.setattr(Learner, "learn", die)
        train(run_folder, ranks)

    began = time.monotonic()
    codes = start(act)
    assert time.monotonic() - began < 60
    assert codes[victim] == KILLED
    assert codes[1 - victim] == ZooError.exit_code
    assert "another rank has ended" in capfd.readouterr().err
    assert start(lambda ranks: train(run_folder, ranks)) == [0, 0]
    assert_same(run_folder, unbroken)


def test_a_signal_to_one_rank_saves_and_ends_all(
    train: Make, unbroken: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Learner.learn

    def act(ranks: Ranks) -> None:
        def interrupt(learner: Learner, *inputs: Any) -> Any:
            if learner.step == 4 and ranks.number == 1:
                os.kill(os.getpid(), signal.SIGINT)
            return learn(learner, *inputs)

        monkeypatch.setattr(Learner, "learn", interrupt)
        train(run_folder, ranks)

    assert start(act) == [130, 130]
    assert unpack((run_folder / "last.safetensors").read_bytes(), "last").about["step"] == 5
    assert start(lambda ranks: train(run_folder, ranks)) == [0, 0]
    assert_same(run_folder, unbroken)


def test_a_run_goes_on_with_as_many_ranks_only(train: Make, unbroken: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="number of ranks: is now 1, but the run was started with 2"
    ) as caught:
        train(unbroken)
    hint = "start it with torchrun --nproc-per-node 2 --no-python zoo train ..."
    assert caught.value.problems[-1].hint == hint


def test_an_error_of_the_first_rank_ends_the_others(train: Make, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    assert start(lambda ranks: train(tmp_path / "other", ranks)) == [2, 1]


def test_a_budget_in_minutes_ends_all_ranks_at_one_step(
    train: Make, corpus: Corpus, tiny: Make, fast: Make, tmp_path: Path
) -> None:
    def act(ranks: Ranks) -> None:
        history = fit(tiny(), corpus, fast(minutes=0.02), ranks=ranks)
        (tmp_path / f"{ranks.number}").write_text(f"{history.step} {history.seconds}")

    assert start(act) == [0, 0]
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()


@pytest.mark.slow
def test_torchrun_starts_ranks_that_import_nothing_from_the_current_folder(
    songs: Path, tmp_path: Path
) -> None:
    for name in ("zoo", "torch", "click", "antigravity"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')\n")
    torchrun = shutil.which("torchrun", path=Path(sys.executable).parent)
    assert torchrun is not None
    words = [*TINY.split(), *(f"train.{name}={value}" for name, value in FAST.items()), f"data={songs}"]
    command = [str(Path(sys.executable).parent / "zoo"), "train", *words]
    done = subprocess.run(
        [torchrun, "--nproc-per-node", "2", "--no-python", *command, "train.steps=4", "-o", "run"],
        cwd=tmp_path,
        env=os.environ | {"ZOO_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("training on cpu with 1 thread on each of 2 ranks") == 1
    assert done.stdout.count("4 steps in ") == 1
    assert (tmp_path / "run" / "bundle" / "config.json").exists()


LEAVE = """
from pathlib import Path
from zoo.train.ranks import joined

try:
    with joined():
        import torch._dynamo  # as the optimizers of torch do
        {last}
except KeyError:
    pass
names = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").iterdir()]
assert not any("gloo" in name for name in names), names
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are named in /proc on Linux only")
@pytest.mark.parametrize("last", ["pass", "{}['an error']"])
def test_no_thread_of_a_rank_outlives_the_training_and_aborts_its_exit(last: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    together = {"TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    together |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", LEAVE.format(last=last)],
            env=os.environ | together | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert [(rank.communicate()[1], rank.returncode) for rank in ranks] == [("", 0), ("", 0)]
