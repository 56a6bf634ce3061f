"""What a user may set of the Boltzmann machine."""

from __future__ import annotations

from typing import Literal

from zoo.parts import Settings, setting

EXACT = 14
"""Hidden units up to which sums over all their states are affordable: 16,384 states a frame."""


class RBMSettings(Settings):
    """The width of the machine, how it learns, and how closely it is drawn from and scored."""

    lstm: int = setting(100, "width of the LSTM that sets the biases of each frame", ge=1, le=4096)
    hidden: int = setting(36, f"hidden units; up to {EXACT} are drawn and scored exactly", ge=1, le=1024)
    training: Literal["cd", "pcd"] = setting(
        "cd", "start the negative phase from the data, or from particles kept between steps"
    )
    steps: int = setting(1, "Gibbs steps of the negative phase, the k of CD-k", ge=1, le=1000)
    particles: int = setting(1024, "particles kept by persistent training", ge=1, le=1_000_000)
    gibbs: int = setting(30, "Gibbs steps before a frame is drawn", live=True, ge=1, le=100_000)
    chains: int = setting(8, "annealed chains a frame is scored with", live=True, ge=2, le=10_000)
    temperatures: int = setting(40, "temperatures that each chain passes", live=True, ge=2, le=100_000)
