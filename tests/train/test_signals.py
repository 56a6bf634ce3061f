"""Signals: training is saved, and no partial files are left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
WORDS = (
    "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4 train.batch=4 "
    "train.frames=16 train.stride=8 train.past=4 train.validate_every=1000000 train.device=cpu"
)
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a command in a new process, in an empty folder with the tunes in `songs`."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("songs").symlink_to(songs)
    processes: list[subprocess.Popen[str]] = []

    def start_command(words: str, ignored: int | None = None, **options: int) -> subprocess.Popen[str]:
        def prepare() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, "-m", "zoo", *words.split()]
        processes.append(subprocess.Popen(command, text=True, preexec_fn=prepare, **streams))  # type: ignore[call-overload]
        return processes[-1]

    yield start_command
    for process in processes:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def leave_terminal(start: Start, ignored: int | None = None, **options: int) -> subprocess.Popen[str]:
    """Start a training on a terminal, and close the terminal after some steps."""
    ours, theirs = pty.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = start(f"train {WORDS} data=songs train.steps=1000000 -o run", ignored, **terminal, **options)
    os.close(theirs)
    os.set_blocking(ours, False)

    def saw_steps() -> bool:
        with suppress(BlockingIOError):
            os.read(ours, 1 << 16)  # a terminal that is not read blocks its writer
        return steps() > 3

    wait_until(saw_steps)
    os.close(ours)
    return process


def steps() -> int:
    metrics = Path("run/metrics.jsonl")
    return metrics.read_text().count("stepped") if metrics.exists() else 0


def assert_resumable() -> None:
    """Resume the run for one more step and check that it finishes."""
    saved_steps = steps()
    words = f"train -o run --resume train.steps={saved_steps + 1} --json"
    process = subprocess.run(
        [sys.executable, "-m", "zoo", *words.split()], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert steps() == saved_steps + 1
    assert Path("run/bundle/manifest.json").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_saves_the_run(name: str, start: Start) -> None:
    process = start(f"train {WORDS} data=songs train.steps=1000000 -o run")
    wait_until(lambda: steps() > 3)
    process.send_signal(signal.Signals[name])
    _, err = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.Signals[name]
    assert "Stopped and saved. Continue with: zoo train -o run --resume" in err
    assert "Traceback" not in err
    assert not Path("run/holder.json").exists()
    assert_resumable()


def test_several_signals_save_the_run_as_one_does(start: Start) -> None:
    process = start(f"train {WORDS} data=songs train.steps=1000000 -o run")
    wait_until(lambda: steps() > 3)
    for name in ("SIGTERM", "SIGTERM", "SIGHUP", "SIGTERM"):
        process.send_signal(signal.Signals[name])
        time.sleep(0.003)
    _, err = process.communicate(timeout=300)
    assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGHUP)
    assert "Stopped and saved. Continue with: zoo train -o run --resume" in err
    assert "Traceback" not in err
    assert_resumable()


def test_signals_that_arrive_at_once_are_one() -> None:
    script = (
        "import os, signal\n"
        "from zoo.cli.signals import Stopped, hear_signals\n"
        "hear_signals()\n"
        "both = {signal.SIGTERM, signal.SIGHUP}\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, both)\n"
        "for number in both: os.kill(os.getpid(), number)\n"
        "try: signal.pthread_sigmask(signal.SIG_UNBLOCK, both)\n"
        "except Stopped: print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr.strip()) == ("stopped", "")


def test_a_signal_between_the_last_step_and_the_bundle_says_how_to_write_it(start: Start) -> None:
    Path("late.py").write_text(
        "import signal, sys\n"
        "import zoo.measure.validation as validation\n"
        "from zoo.cli.main import main\n"
        "validation.with_score = lambda *given: signal.raise_signal(signal.SIGINT)\n"
        "sys.argv[0] = 'zoo'\n"
        "main()\n"
    )
    words = [*f"train {WORDS} data=songs train.steps=2 -o run".split()]
    stopped = subprocess.run([sys.executable, "late.py", *words], capture_output=True, text=True, check=False)
    assert stopped.returncode == 130, stopped.stderr
    assert "Stopped before the bundle was written. Write it with: zoo train -o run --resume" in stopped.stderr
    command = [sys.executable, "-m", "zoo", "generate", "run", "-o", "new.mid"]
    generated = subprocess.run(command, capture_output=True, text=True, check=False)
    assert generated.returncode == 5
    assert "run: this run has no bundle" in generated.stderr
    assert "`zoo train -o run --resume` finishes the run and writes it" in generated.stderr
    assert start("train -o run --resume").wait(timeout=300) == 0
    assert Path("run/bundle/manifest.json").exists()


def test_a_closed_terminal_saves_the_run(start: Start) -> None:
    process = leave_terminal(start, start_new_session=True)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=300) == 128 + signal.SIGHUP
    assert_resumable()


def test_training_continues_without_a_place_for_its_progress(start: Start) -> None:
    """A full disk of a log, and a program that reads a pipe and exits, such as `head`."""
    words = f"train {WORDS.replace('1000000', '2')} data=songs train.steps=6 -o"
    ours, theirs = os.pipe()
    os.close(ours)
    with Path("/dev/full").open("w") as full:
        processes = [start(f"{words} full", stderr=full.fileno()), start(f"{words} pipe", stderr=theirs)]
        os.close(theirs)
        for process, name in zip(processes, ("full", "pipe"), strict=True):
            out, _ = process.communicate(timeout=300)
            assert process.returncode == 0
            assert f"{name}/bundle: the best weights" in out
            assert Path(name, "bundle", "manifest.json").exists()


def test_training_continues_after_its_terminal_was_closed(start: Start) -> None:
    """The shell has disowned it, so no signal arrives."""
    process = leave_terminal(start, signal.SIGHUP)
    count = steps()
    wait_until(lambda: steps() > count + 10)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == 128 + signal.SIGTERM
    assert_resumable()


def test_training_continues_under_nohup(start: Start) -> None:
    process = start(f"train {WORDS} data=songs train.steps=1000000 -o run", ignored=signal.SIGHUP)
    wait_until(lambda: steps() > 3)
    process.send_signal(signal.SIGHUP)
    count = steps()
    wait_until(lambda: steps() > count + 3)
    assert process.poll() is None


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_no_partial_files(name: str, start: Start) -> None:
    built = start(f"build {WORDS.split(' train.')[0]} -o bundle")
    assert built.wait(timeout=300) == 0
    processes = [
        start("generate bundle -o out.mid --frames 60000"),
        start("data scan bach grid=7"),
    ]
    time.sleep(4)  # at an arbitrary point of their work
    for process in processes:
        process.send_signal(signal.Signals[name])
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 128 + signal.Signals[name]
        assert "Traceback" not in err
    assert not [path for path in Path().rglob("*") if ".part" in path.name or path.suffix == ".mid"]
