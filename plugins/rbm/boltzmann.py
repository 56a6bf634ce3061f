"""What a decoder and a sampler share that are Boltzmann machines: how they are trained and scored."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from zoo.parts.interfaces import Part

from .machine import Energies, annealed_log_partition, log_partition
from .settings import EXACT


class Boltzmann(Part):
    """A part that sets the biases of a machine in each frame.

    It is trained by contrastive divergence (Hinton 2002) or by persistent contrastive divergence (Tieleman
    2008), where the negative phase of each frame starts from a particle of an earlier step.
    """

    fantasies: Tensor
    weight: Tensor

    def keep_particles(self, keys: int) -> None:
        """Make the particles of persistent contrastive divergence, of that many keys, if it is used."""
        if self.settings.training == "pcd":
            self.register_buffer("fantasies", torch.zeros(self.settings.particles, keys))

    @property
    def exact(self) -> bool:
        """Whether the hidden units are few enough to sum over all their states."""
        return int(self.settings.hidden) <= EXACT

    def contrast(self, machine: Energies, data: Tensor, generator: Generator) -> Tensor:
        """Free energy of the music (N, K) minus that of samples from the machine, (N,)."""
        with torch.no_grad():
            samples = self._negative_phase(machine, data, generator)
        return machine.free_energy(data) - machine.free_energy(samples)

    def score(self, machine: Energies, data: Tensor, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities (N,) of keys (N, K), and the sampling variance (N,) if they are estimated.

        They are differences of energies. If weights are so large that rounding would cancel what differs, as
        edited ones can be, all keys would seem to be certain: such a machine is computed in double precision,
        and if that is too coarse, all keys get -inf.
        """
        if not bool(machine.is_precise().all()) and self.device.type != "mps":  # which has no doubles
            machine, data = machine.double(), data.double()
        total, variance = self._log_partition(machine, generator)
        value = (-machine.free_energy(data) - total).masked_fill(~machine.is_precise(), -torch.inf)
        dtype = self.weight.dtype
        return value.to(dtype), None if variance is None else variance.to(dtype)

    def _log_partition(self, machine: Energies, generator: Generator) -> tuple[Tensor, Tensor | None]:
        if self.exact:
            return log_partition(machine), None
        return annealed_log_partition(machine, self.settings.chains, self.settings.temperatures, generator)

    def _negative_phase(self, machine: Energies, data: Tensor, generator: Generator) -> Tensor:
        if self.settings.training == "cd":
            return machine.gibbs(data, self.settings.steps, generator)
        particles = len(self.fantasies)
        chosen = torch.randint(particles, (len(data),), generator=generator, device=data.device)
        samples = machine.gibbs(self.fantasies[chosen], self.settings.steps, generator)
        # If several frames started from the same particle, the last frame updates it. Plain assignment by
        # index would leave the choice to the order of threads.
        frames = torch.arange(len(data), device=data.device)
        last = torch.full((particles,), -1, device=data.device).scatter_reduce(0, chosen, frames, "amax")
        self.fantasies[last >= 0] = samples[last[last >= 0]].to(self.fantasies)
        return samples
