"""The rate of training beside other busy processes.

    python benchmarks/speed/busy.py [ROUNDS]

Trains the baseline on synthetic music for some seconds at a time, in turn alone and beside two processes that
never wait. Results are stored in results/busy.json.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conftest import song
from results import write

import zoo
from zoo.model.threads import computing
from zoo.train.batches import TrainingBatches
from zoo.train.learner import Learner
from zoo.train.settings import TrainSettings

SECONDS = 4.0
BUSY = "while True: pass"


def main(rounds: str = "5") -> None:
    corpus = zoo.Corpus.from_rolls([song(number, 256) for number in range(16)])
    model = zoo.build("sampler.objective=bound").model
    settings = TrainSettings()
    learner, batches = Learner(model, settings, seed=0), TrainingBatches(corpus, settings, seed=0)
    rows = []
    with computing(model) as threads:
        for number in range(int(rounds)):
            for others in (0, 2):
                with busy(others):
                    rows.append({"round": number, "others": others} | trained(learner, batches))
                print(rows[-1], flush=True)
    write("busy", {"threads": threads, "rows": rows})


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Run some processes that never wait."""
    # In sessions of their own: Linux divides the processor among sessions first.
    words = [sys.executable, "-c", BUSY]
    processes = [subprocess.Popen(words, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def trained(learner: Learner, batches: TrainingBatches) -> dict[str, Any]:
    """Frames that are trained on in a second, and in a second of processor time."""
    frames, began, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < SECONDS:
        learner.learn(batches.at(0))
        frames += learner.frames
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    return {
        "frames_per_second": round(frames / seconds),
        "frames_per_processor_second": round(frames / processor),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
