"""A decoder that is a restricted Boltzmann machine with biases that follow the music."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import Decoder, LogProb, Sizes
from zoo.parts.layers import LSTM
from zoo.parts.masks import folds_to

from .boltzmann import Boltzmann
from .machine import Machine, draw_exactly
from .settings import RBMSettings

Memory = tuple[Tensor, Tensor]


class RBM(Boltzmann, Decoder):
    """Draws the keys of a frame jointly: hidden units model which keys go together.

    From the codes of a frame and the keys of the one before, an LSTM sets the biases of a restricted
    Boltzmann machine; its weights are the same in all frames.

    With few hidden units sampling and scoring are exact. With more, frames are drawn by block Gibbs sampling
    and scored by annealed importance sampling, which gives an estimate and its variance.
    """

    membership: Tensor

    def __init__(self, settings: RBMSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.lstm = LSTM(sizes.codes + sizes.keys, settings.lstm)
        self.visible = nn.Linear(settings.lstm, sizes.keys)
        self.hidden = nn.Linear(settings.lstm, settings.hidden)
        self.weight = nn.Parameter(0.01 * torch.randn(settings.hidden, sizes.keys))
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)
        self.keep_particles(sizes.keys)

    def start(self, batch: int) -> Memory:
        """A zero state."""
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
        """Free energy of the music minus that of samples from the machine, (B, T)."""
        machine, _ = self.machine(codes, previous, self.start(codes.shape[0]))
        return self.contrast(machine, keys.flatten(0, 1), generator).view(codes.shape[:2])

    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Log-probabilities (B, T) among the key sets that fold to the codes: exact, or an estimate."""
        machine, _ = self.machine(codes, previous, self.start(codes.shape[0]))
        data = keys.flatten(0, 1)
        value, variance = self.score(machine, data, generator)
        value = value.masked_fill(~folds_to(data, machine.codes, self.membership), -torch.inf)
        if variance is None:
            return LogProb(value.view(codes.shape[:2]))
        return LogProb(value.view(codes.shape[:2]), "estimate", variance.view(codes.shape[:2]))

    def sample(
        self,
        codes: Tensor,
        previous: Tensor,
        state: Memory,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, Memory]:
        """Keys (B, 1, K) that fold to the codes; the temperature divides all energies.

        With `top_p` below 1, hidden units and keys are drawn by nucleus sampling.
        """
        machine, state = self.machine(codes, previous, state)
        machine = machine.heated(temperature)
        if self.exact:
            keys = draw_exactly(machine, generator, top_p)
        else:
            first = (previous > 0).to(previous).flatten(0, 1)
            keys = machine.gibbs(first, self.settings.gibbs, generator, top_p)
        return keys.unsqueeze(1), state

    def follow(self, codes: Tensor, previous: Tensor, state: Memory) -> Memory:
        """The state after known frames."""
        return self.machine(codes, previous, state)[1]


class LoudnessRBM(RBM):
    """An RBM whose LSTM receives how loud the previous keys were.

    An accent may lead to other keys than a quiet note. With `velocity=lstm velocity.struck=false`, whose LSTM
    has the same input, it is the original's last decoder: there one LSTM predicts both keys and loudness;
    here each part has an LSTM of its own, so that they are trained independently.

    Training needs music with velocities. Music without them is scored as if every key had velocity 64.
    """

    uses_loudness = True
