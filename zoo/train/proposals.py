"""Training settings that the parts of a recipe propose in their descriptions.

What a user types wins, then what a named recipe or a file says, then the proposals, then the defaults. A part
proposes the learning rate of its own term of the loss. All other settings are shared by the terms: if several
parts propose one, the first of them counts, in the order of the slots. So does the attention's learning rate
before the sampler's, since both belong to the core.

Studies ignore proposals, since all rows of a study are trained in the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zoo.parts import SLOTS, Slot
from zoo.parts.terms import SLOTS_OF, TERMS
from zoo.registry import Choice, Entry, Recipe
from zoo.registry.values import write_value
from zoo.train.settings import TrainSettings


@dataclass(frozen=True)
class Proposal:
    """A training setting that a part proposes.

    Attributes:
        name: the setting, such as `lr_core`.
        value: its value.
        part: the part, such as `attention=transformer`.
    """

    name: str
    value: Any
    part: str

    def __str__(self) -> str:
        return f"train.{self.name}={write_value(self.value)}"


def proposals_of(entry: Entry) -> list[Proposal]:
    """What a part proposes."""
    term = next((term for term in TERMS if entry.slot in SLOTS_OF[term]), "")
    part = f"{entry.slot}={entry.portable}"
    return [
        Proposal(f"lr_{term}" if name == "lr" else name, value, part)
        for name, value in entry.description.training.items()
    ]


def with_proposals(
    settings: TrainSettings, parts: Mapping[Slot, Choice]
) -> tuple[TrainSettings, list[Proposal]]:
    """The training settings, with those that were not given set to what the parts propose.

    Args:
        settings: the settings as parsed, so that `model_fields_set` names those that were given.
        parts: the parts of the recipe.

    Returns:
        The settings, and the proposals that count.
    """
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    accepted: dict[str, Proposal] = {}
    for slot in SLOTS:
        for proposal in proposals_of(parts[slot].entry):
            if not _is_given(proposal.name, given):
                accepted.setdefault(proposal.name, proposal)
    proposed = {proposal.name: proposal.value for proposal in accepted.values()}
    return (TrainSettings(**{**given, **proposed}) if proposed else settings), list(accepted.values())


def _is_given(name: str, given: Collection[str]) -> bool:
    """Whether a setting was given; `train.lr` gives the learning rate of all terms."""
    return name in given or (name.startswith("lr_") and "lr" in given)


def propose(recipe: Recipe) -> tuple[Recipe, list[Proposal]]:
    """The recipe of a training with the proposals of its parts, and those that count."""
    settings, accepted = with_proposals(recipe.sections["train"], recipe.parts)
    return replace(recipe, sections={**recipe.sections, "train": settings}), accepted


def train_words(settings: Mapping[str, Any], parts: Mapping[Slot, Choice]) -> list[str]:
    """The words that give these training settings to a recipe with these parts.

    Args:
        settings: values by name; all others have their defaults, whatever the parts propose.
        parts: the parts of the recipe.
    """
    values = TrainSettings.model_construct(**settings)
    unasked, _ = with_proposals(TrainSettings(), parts)
    return [
        f"train.{name}={write_value(getattr(values, name))}"
        for name in TrainSettings.model_fields
        if getattr(values, name) != getattr(unasked, name)
    ]
