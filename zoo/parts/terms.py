"""The three terms of the loss, which are trained independently.

Attention and sampler are trained on codes, the decoder on keys given the true codes, and velocity on loudness
given the struck keys. The terms share no parameters, so the training of a term depends only on its own parts
and on the encoder.
"""

from __future__ import annotations

from typing import Literal, get_args

from zoo.parts.description import Slot

Term = Literal["core", "decoder", "velocity"]
TERMS: tuple[Term, ...] = get_args(Term)
OF_SCORE: tuple[Term, ...] = ("core", "decoder")
"""The terms of the score that ranks models; velocity has a score of its own, per note."""
SLOTS_OF: dict[Term, tuple[Slot, ...]] = {
    "core": ("attention", "sampler"),
    "decoder": ("decoder",),
    "velocity": ("velocity",),
}
"""The slots whose parts a term trains."""
