"""A sampler that is a restricted Boltzmann machine with biases that follow the music."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import LogProb, Sampler, Sizes

from .boltzmann import Boltzmann
from .machine import FreeMachine, draw_exactly
from .settings import RBMSamplerSettings


class RBMSampler(Boltzmann, Sampler):
    """Draws the codes of a frame jointly: hidden units model which codes go together.

    The biases of codes and hidden units are linear functions of the features; the weights are the same in all
    frames. With `encoder=keys` and a recurrent attention this is the RNN-RBM.

    With few hidden units sampling and scoring are exact. With more, frames are drawn by block Gibbs sampling,
    starting from the frame before, and scored by annealed importance sampling, which gives an estimate and
    its variance.
    """

    def __init__(self, settings: RBMSamplerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.visible = nn.Linear(sizes.features, sizes.codes)
        self.hidden = nn.Linear(sizes.features, settings.hidden)
        self.weight = nn.Parameter(0.01 * torch.randn(settings.hidden, sizes.codes))
        self.keep_particles(sizes.codes)

    def start(self, batch: int) -> Tensor:
        """Silence, (B, 1, C), from which Gibbs sampling of the first frame starts."""
        return self.here.new_zeros(batch, 1, self.sizes.codes)

    def machine(self, features: Tensor) -> FreeMachine:
        """The machines of all frames, in rows (B * T, ...)."""
        rows = features.flatten(0, 1)
        return FreeMachine(self.weight, self.visible(rows), self.hidden(rows))

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """Free energy of the music minus that of samples from the machine, (B, T)."""
        return self.contrast(self.machine(features), codes.flatten(0, 1), generator).view(codes.shape[:2])

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Log-probabilities (B, T): exact, or an estimate."""
        value, variance = self.score(self.machine(features), codes.flatten(0, 1), generator)
        if variance is None:
            return LogProb(value.view(codes.shape[:2]))
        return LogProb(value.view(codes.shape[:2]), "estimate", variance.view(codes.shape[:2]))

    def sample(
        self,
        features: Tensor,
        state: Tensor,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, Tensor]:
        """Codes (B, 1, C); the temperature divides all energies.

        With `top_p` below 1, hidden units and codes are drawn by nucleus sampling.
        """
        machine = self.machine(features).heated(temperature)
        if self.exact:
            codes = draw_exactly(machine, generator, top_p)
        else:
            codes = machine.gibbs(state.flatten(0, 1), self.settings.gibbs, generator, top_p)
        return codes.unsqueeze(1), codes.unsqueeze(1)

    def follow(self, features: Tensor, codes: Tensor, state: Tensor, generator: Generator) -> Tensor:
        """The last of the known frames."""
        return codes[:, -1:]
