"""What ends a command from outside: a training is saved, and nothing is left half written."""

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
    """Start a command in a process of its own, in an empty folder with the tunes in `songs`."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("songs").symlink_to(songs)
    begun: list[subprocess.Popen[str]] = []

    def go(words: str, ignored: int | None = None, **more: int) -> subprocess.Popen[str]:
        def prepare() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        command = [sys.executable, "-m", "zoo", *words.split()]
        begun.append(subprocess.Popen(command, text=True, preexec_fn=prepare, **streams))  # type: ignore[call-overload]
        return begun[-1]

    yield go
    for process in begun:
        process.kill()
        process.communicate()


def until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def steps() -> int:
    metrics = Path("run/metrics.jsonl")
    return metrics.read_text().count("stepped") if metrics.exists() else 0


def resumed() -> None:
    """The run goes on from where it was saved, and comes to its end."""
    at = steps()
    words = f"train -o run --resume train.steps={at + 1} --json"
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *words.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert steps() == at + 1
    assert Path("run/bundle/manifest.json").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_training_that_is_told_to_end_is_saved(name: str, start: Start) -> None:
    process = start(f"train {WORDS} data=songs train.steps=1000000 -o run")
    until(lambda: steps() > 3)
    process.send_signal(signal.Signals[name])
    _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.Signals[name]
    assert "Stopped and saved. Continue with: zoo train -o run --resume" in err
    assert "Traceback" not in err
    assert not Path("run/holder.json").exists()
    resumed()


def test_a_training_whose_terminal_goes_away_is_saved(start: Start) -> None:
    ours, theirs = pty.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = start(
        f"train {WORDS} data=songs train.steps=1000000 -o run", **terminal, start_new_session=True
    )
    os.close(theirs)
    os.set_blocking(ours, False)

    def saw_steps() -> bool:
        with suppress(BlockingIOError):
            os.read(ours, 1 << 16)  # a terminal that is not read stops who writes to it
        return steps() > 3

    until(saw_steps)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == 128 + signal.SIGHUP
    resumed()


def test_under_nohup_a_training_goes_on(start: Start) -> None:
    process = start(f"train {WORDS} data=songs train.steps=1000000 -o run", ignored=signal.SIGHUP)
    until(lambda: steps() > 3)
    process.send_signal(signal.SIGHUP)
    at = steps()
    until(lambda: steps() > at + 3)
    assert process.poll() is None


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_music_that_is_written_or_read_when_it_must_end_leaves_nothing_half_done(
    name: str, start: Start
) -> None:
    built = start(f"build {WORDS.split(' train.')[0]} -o bundle")
    assert built.wait(timeout=120) == 0
    begun = [
        start("generate bundle -o out.mid --frames 60000"),
        start("data scan bach grid=7"),
    ]
    time.sleep(4)  # into the midst of its work, wherever that is
    for process in begun:
        process.send_signal(signal.Signals[name])
    for process in begun:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 128 + signal.Signals[name]
        assert "Traceback" not in err
    assert not [path for path in Path().rglob("*") if ".part" in path.name or path.suffix == ".mid"]
