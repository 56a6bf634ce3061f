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
SLOTS_OF: dict[Term, tuple[Slot, ...]] = {
    "core": ("attention", "sampler"),
    "decoder": ("decoder",),
    "velocity": ("velocity",),
}
"""The slots whose parts a term trains."""
