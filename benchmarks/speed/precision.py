"""Training in float32 and in bfloat16: processor time, and nats of the validation pieces after equal steps.

    python benchmarks/speed/precision.py [STEPS] [SEEDS]

Trains the recipe `strong` on bach with one thread. Results are stored in results/precision.json.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from results import write

import zoo

MODEL = "strong"
SETTINGS: dict[str, Any] = {
    "optimizer": "adamw",
    "decay": 0.03,
    "warmup": 50,
    "schedule": "cosine",
    "lr": 0.004,
    "ema": 0.99,
    "group_by_length": True,
}
"""The settings of training in the recipe."""


class Stopwatch(zoo.Callback):
    """Processor time of the steps, without validations."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on_step_begin(self, learner: Any) -> None:
        self.began = time.process_time()

    def on_step_end(self, learner: Any, event: Any) -> None:
        self.seconds += time.process_time() - self.began


def main(steps: str = "200", seeds: str = "2") -> None:
    corpus, rows = zoo.open_corpus("bach"), []
    for seed in range(int(seeds)):
        for precision in ("float32", "bf16"):
            model = zoo.build(MODEL, seed=seed)
            watch = Stopwatch()
            chosen = SETTINGS | {"steps": steps, "precision": precision, "threads": 1}
            result = model.fit(corpus, seed=seed, callbacks=[watch], **chosen)
            row = {
                "precision": precision,
                "seed": seed,
                "processor_seconds": round(watch.seconds, 1),
                "nats": {term: round(nats, 4) for term, nats in result.best.items()},
            }
            rows.append(row)
            print(row, flush=True)
            write("precision", {"model": MODEL, "steps": int(steps), "rows": rows})


if __name__ == "__main__":
    main(*sys.argv[1:])
