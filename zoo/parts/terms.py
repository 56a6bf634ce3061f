"""The three terms of the loss, which are trained apart.

Attention and sampler learn codes, the decoder learns keys given the true codes, velocity learns loudness
given the struck keys. They share no parameter, so what a term learns does not depend on the parts of the
others: only on its own, and on the encoder.
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
"""The parts that a term trains."""
