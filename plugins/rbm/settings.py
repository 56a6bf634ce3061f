"""Settings of the Boltzmann machines."""

from __future__ import annotations

from typing import Literal

from zoo.parts import Settings, setting

EXACT = 14
"""The most hidden units whose states are enumerated: 16,384 states per frame."""
HIDDEN = f"hidden units; up to {EXACT} are drawn and scored exactly"


class MachineSettings(Settings):
    """Training objective, and the accuracy of sampling and scoring."""

    training: Literal["cd", "pcd"] = setting(
        "cd", "contrastive divergence, or its persistent form with particles kept between training steps"
    )
    steps: int = setting(1, "Gibbs steps of the negative phase: the k of CD-k", ge=1, le=1000)
    particles: int = setting(1024, "particles of persistent contrastive divergence", ge=1, le=1_000_000)
    gibbs: int = setting(30, "Gibbs steps per generated frame", live=True, ge=1, le=100_000)
    chains: int = setting(8, "annealed chains per scored frame", live=True, ge=2, le=10_000)
    temperatures: int = setting(40, "temperatures of each annealed chain", live=True, ge=2, le=100_000)


class RBMSettings(MachineSettings):
    """Widths of the decoder, training objective, and the accuracy of sampling and scoring."""

    lstm: int = setting(100, "width of the LSTM that sets the biases of each frame", ge=1, le=4096)
    hidden: int = setting(36, HIDDEN, ge=1, le=1024)


class RBMSamplerSettings(MachineSettings):
    """Width of the sampler, training objective, and the accuracy of sampling and scoring."""

    hidden: int = setting(64, HIDDEN, ge=1, le=1024)
    temperatures: int = setting(200, "temperatures of each annealed chain", live=True, ge=2, le=100_000)
