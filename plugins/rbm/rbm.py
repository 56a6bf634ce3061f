"""The octaves of a Boltzmann machine, whose biases follow the music."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import Decoder, LogProb, Sizes
from zoo.parts.layers import LSTM
from zoo.parts.masks import folds_to

from .machine import Machine, annealed_log_partition, draw_exactly, log_partition
from .settings import EXACT, RBMSettings

Memory = tuple[Tensor, Tensor]


class RBM(Decoder):
    """Draws the keys of a frame together: hidden units stand for what goes with what.

    An LSTM hears the codes of a frame and the keys of the one before and sets the biases of a
    restricted Boltzmann machine; its weights are the same in all frames. It learns by contrastive
    divergence (Hinton 2002) or its persistent form (Tieleman 2008), where each frame's negative phase
    starts from a particle that an earlier step left.

    With few hidden units everything is exact. With more, frames are drawn by block Gibbs sampling and
    scored by annealed importance sampling, an estimate with its variance.
    """

    membership: Tensor
    fantasies: Tensor

    def __init__(self, settings: RBMSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.lstm = LSTM(sizes.codes + sizes.keys, settings.lstm)
        self.visible = nn.Linear(settings.lstm, sizes.keys)
        self.hidden = nn.Linear(settings.lstm, settings.hidden)
        self.weight = nn.Parameter(0.01 * torch.randn(settings.hidden, sizes.keys))
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)
        if settings.training == "pcd":
            self.register_buffer("fantasies", torch.zeros(settings.particles, sizes.keys))

    @property
    def exact(self) -> bool:
        """Whether the hidden units are few enough to sum over all their states."""
        return int(self.settings.hidden) <= EXACT

    def start(self, batch: int) -> Memory:
        """An empty memory."""
        return self.lstm.start(batch)

    def machine(self, codes: Tensor, previous: Tensor, state: Memory) -> tuple[Machine, Memory]:
        """The machines of all frames, in rows (B * T, ...), and the state after the last frame."""
        outline, state = self.lstm(torch.cat([codes, previous], dim=-1), state)
        machine = Machine(
            weight=self.weight,
            visible=self.visible(outline).flatten(0, 1),
            hidden=self.hidden(outline).flatten(0, 1),
            codes=codes.flatten(0, 1),
            membership=self.membership,
        )
        return machine, state

    def loss(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> Tensor:
        """Free energy of the music over that of what the machine makes of it, (B, T)."""
        machine, _ = self.machine(codes, previous, self.start(codes.shape[0]))
        heard = keys.flatten(0, 1)
        with torch.no_grad():
            dreamt = self._dream(machine, heard, generator)
        return (machine.free_energy(heard) - machine.free_energy(dreamt)).view(codes.shape[:2])

    def _dream(self, machine: Machine, heard: Tensor, generator: Generator) -> Tensor:
        if self.settings.training == "cd":
            return machine.gibbs(heard, self.settings.steps, generator)
        particles = len(self.fantasies)
        chosen = torch.randint(particles, (len(heard),), generator=generator, device=heard.device)
        dreamt = machine.gibbs(self.fantasies[chosen], self.settings.steps, generator)
        # A particle that several frames started from is left by the last of them, whichever thread ends
        # last: assigning by index would not say which.
        frames = torch.arange(len(heard), device=heard.device)
        last = torch.full((particles,), -1, device=heard.device).scatter_reduce(0, chosen, frames, "amax")
        self.fantasies[last >= 0] = dreamt[last[last >= 0]].to(self.fantasies)
        return dreamt

    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Nats (B, T) over the key sets that fold to the codes; exact, or an estimate with its variance."""
        machine, _ = self.machine(codes, previous, self.start(codes.shape[0]))
        heard = keys.flatten(0, 1)
        chosen = -machine.free_energy(heard)
        folds = folds_to(heard, machine.codes, self.membership)
        if self.exact:
            value = (chosen - log_partition(machine)).masked_fill(~folds, -torch.inf)
            return LogProb(value.view(codes.shape[:2]))
        total, variance = annealed_log_partition(
            machine, self.settings.chains, self.settings.temperatures, generator
        )
        value = (chosen - total).masked_fill(~folds, -torch.inf)
        return LogProb(value.view(codes.shape[:2]), "estimate", variance.view(codes.shape[:2]))

    def sample(
        self, codes: Tensor, previous: Tensor, state: Memory, generator: Generator, temperature: float = 1.0
    ) -> tuple[Tensor, Memory]:
        """Keys (B, 1, K) that fold to the codes; the temperature divides all energies."""
        machine, state = self.machine(codes, previous, state)
        machine = machine.heated(temperature)
        if self.exact:
            keys = draw_exactly(machine, generator)
        else:
            keys = machine.gibbs(previous.flatten(0, 1), self.settings.gibbs, generator)
        return keys.unsqueeze(1), state

    def follow(self, codes: Tensor, previous: Tensor, state: Memory) -> Memory:
        """The memory after known frames."""
        return self.machine(codes, previous, state)[1]
