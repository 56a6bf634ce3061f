"""The sampler `newcomer`: independent pitch classes."""

from torch import Generator, Tensor, nn

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import LogProb, Sampler, Sizes, State
from zoo.parts.masks import bernoulli_log_prob, flip, likely


class NewcomerSampler(Sampler):
    """An independent Bernoulli variable for each code, given the features."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.linear = nn.Linear(sizes.features, sizes.codes)

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self.log_prob(features, codes, generator).value

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact log-probability (B, T) in nats."""
        return LogProb(bernoulli_log_prob(self.linear(features), codes).sum(-1))

    def sample(
        self,
        features: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Codes (B, 1, C) of the next frame."""
        logits: Tensor = self.linear(features) / temperature
        return flip(likely(logits.sigmoid(), top_p), generator).to(features), state


@hookimpl
def zoo_parts() -> list[Description]:
    """The parts in this file."""
    return [Description("sampler", "newcomer", "Independent pitch classes", NewcomerSampler)]
