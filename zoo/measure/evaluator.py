"""The evaluator, which computes all scores in all tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from zoo.data.batches import BATCH_FRAMES, length_batches
from zoo.errors import DataError, Problem, ZooError
from zoo.measure.ensemble import mixture
from zoo.measure.evaluation import Evaluation, Term
from zoo.measure.interval import Floats
from zoo.model.counting import evaluation_mode
from zoo.model.random import generator
from zoo.model.threads import Threads, computing
from zoo.parts.interfaces import LogProb
from zoo.parts.kinds import combined_kind
from zoo.progress import Progress

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.model.model import Model

ROUNDING = 0.01
"""Nats that rounding errors may sum up to over a piece."""
CHANCE, CHANCE_ERRORS = 20.0, 6.0
"""Nats, and standard errors, by which chance may bring an estimate for a piece below 0."""


def evaluate(
    model: Model,
    corpus: Corpus,
    *,
    ensemble: Sequence[Model] = (),
    seed: int = 0,
    batch_frames: int = BATCH_FRAMES,
    progress: Progress | None = None,
    threads: Threads = "auto",
) -> Evaluation:
    """Score how well the model predicts every piece of the corpus, from the first frame to the last.

    Every frame has the same weight and padding is ignored. The model's state is reset before each piece.

    Args:
        model: any combination.
        corpus: the pieces, usually `corpus.split("test")`.
        ensemble: further models, whose probabilities of each frame are averaged with those of `model`; see
            `zoo.measure.ensemble`. Loudness is then not scored.
        seed: seed of the random draws in bounds and estimates.
        batch_frames: maximum number of frames per batch; does not change exact scores.
        progress: called after each batch with the number of frames scored so far and the total.
        threads: see `zoo.model.threads`.

    Raises:
        DataError: there is no piece, or the music lacks the plane that the encoder models.
        ZooError: a log-probability is not finite, or an exact one is above 0.
    """
    for each in (model, *ensemble):
        check_music(each, corpus)
    sums = _PieceSums(len(corpus.pieces))
    lengths = [piece.frames for piece in corpus.pieces]
    done = 0
    with evaluation_mode(model, *ensemble), computing(model, threads):
        for number, indices in enumerate(length_batches(lengths, batch_frames)):
            fragments = corpus.whole(indices).to(model.device)
            # Numbered by batch, so that a score does not depend on which batches were drawn before.
            rng = generator(seed, "evaluate", number, device=model.device)
            log_probs = model.log_probs(fragments, rng)
            if ensemble:
                log_probs = mixture([log_probs, *(other.log_probs(fragments, rng) for other in ensemble)])
            sums.add(indices, log_probs, fragments.mask)
            if "velocity" in log_probs and fragments.onset is not None:
                struck = fragments.onset[:, fragments.past + 1 :].sum(-1)
                sums.add_struck(indices, struck, fragments.mask)
            done += sum(lengths[index] for index in indices)
            if progress is not None:
                progress(done, sum(lengths))
    evaluation = sums.evaluation(corpus)
    _check_nats(evaluation)
    return evaluation


def check_music(model: Model, corpus: Corpus) -> None:
    """Check that the model can score this music, before any work is done.

    Raises:
        DataError: it is on another grid, there is no piece, or the model predicts onsets and it has none.
    """
    model.check_grid(corpus.grid, corpus.name)
    if not corpus.pieces:
        raise DataError(
            Problem("there is no piece to evaluate", corpus.name, "use another split=, or more music")
        )
    if model.encoder.plane not in corpus.planes:
        raise DataError(
            Problem(
                "this music contains sounding keys only, but the model predicts onsets",
                where=corpus.name,
                hint="use a model with an encoder of sounding keys (encoder=sounding), or other music",
            )
        )


class _PieceSums:
    """Sums per piece, accumulated over batches."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.terms: dict[str, Term] = {}
        self.struck: Floats | None = None
        self.remarks: dict[str, Floats] = {}

    def add(self, indices: list[int], log_probs: Mapping[str, LogProb], mask: Tensor) -> None:
        """Add the log-probabilities (B, T) of a batch of pieces."""
        for name, log_prob in log_probs.items():
            term = self.terms.setdefault(name, Term(np.zeros(self.pieces)))
            term.nats[indices] = -_sum_frames(log_prob.value, mask)
            variance = term.variance
            if log_prob.variance is not None:
                variance = np.zeros(self.pieces) if variance is None else variance
                variance[indices] = _sum_frames(log_prob.variance, mask)
            self.terms[name] = Term(term.nats, combined_kind((term.kind, log_prob.kind)), variance)
            for remark, frames in log_prob.notes.items():
                self.remarks.setdefault(remark, np.zeros(self.pieces))[indices] += _sum_frames(frames, mask)

    def add_struck(self, indices: list[int], struck: Tensor, mask: Tensor) -> None:
        """Add the number of struck notes per frame (B, T) of a batch of pieces."""
        self.struck = np.zeros(self.pieces) if self.struck is None else self.struck
        self.struck[indices] = _sum_frames(struck, mask)

    def evaluation(self, corpus: Corpus) -> Evaluation:
        """The evaluation of all pieces."""
        return Evaluation(
            titles=tuple(piece.title for piece in corpus.pieces),
            digests=tuple(piece.digest for piece in corpus.pieces),
            frames=np.array([piece.frames for piece in corpus.pieces], np.float64),
            terms=self.terms,
            struck=self.struck,
            remarks=self.remarks,
            families=tuple(piece.family for piece in corpus.pieces),
        )


def _sum_frames(frames: Tensor, mask: Tensor) -> Floats:
    """Sums (B,) over the unmasked frames (B, T), in double precision, on the CPU since MPS has none."""
    sums: Floats = frames.masked_fill(~mask, 0).cpu().double().sum(1).numpy()
    return sums


def _lowest(term: Term) -> Floats | float:
    """The lowest nats that a piece can have.

    The mean of a few draws of a probability is e**k times too large in less than one of e**k cases (Markov's
    inequality).
    """
    if term.kind == "exact":
        return -ROUNDING
    return -CHANCE - (0 if term.variance is None else CHANCE_ERRORS * np.sqrt(term.variance))


def _check_nats(evaluation: Evaluation) -> None:
    """Check that all nats are finite, and that they are those of probabilities.

    Estimates, and bounds that are estimated from a few draws, may be below 0 by chance, but not far below.

    Raises:
        ZooError: some are not; the hint is to check the parts.
    """
    problems = []
    for name, term in evaluation.terms.items():
        checks = [
            (~np.isfinite(term.nats), "not finite", "probability 0 to an event of the piece"),
            (term.nats < _lowest(term), "below 0", "a probability above 1"),
        ]
        for invalid, what, cause in checks:
            if invalid.any():
                hint = f"a part assigns {cause}, or its weights are damaged"
                problems.append(
                    Problem(
                        f"the nats of the {name} are {what} in {invalid.sum()} of {len(invalid)} pieces",
                        where=evaluation.titles[invalid.argmax()],
                        hint=f"{hint}; run `zoo plugin check` to test its contract",
                    )
                )
    if problems:
        raise ZooError(*problems)
