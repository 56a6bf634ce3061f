"""Building: from a recipe to a model that is known to run, the composer's third gate included."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from zoo.errors import PluginError, Problem
from zoo.model.model import Model
from zoo.model.probe import probe
from zoo.model.random import seeded_init
from zoo.parts import SLOTS, Slot
from zoo.parts.interfaces import Attention, Decoder, Encoder, Part, Sampler, Sizes, Velocity
from zoo.registry import Choice, Entry, Recipe
from zoo.registry.entry import remedy
from zoo.registry.guard import guarded

META = torch.device("meta")
"""Where tensors have a shape and no content."""

INTERFACES: dict[Slot, type[Part]] = {
    "encoder": Encoder,
    "attention": Attention,
    "sampler": Sampler,
    "decoder": Decoder,
    "velocity": Velocity,
}


def build(recipe: Recipe, seed: int = 0) -> Model:
    """The model a recipe describes, its first weights drawn from the seed, probed before it is used.

    Each part's weights depend on the seed and its slot alone, so a part begins the same in every
    combination.

    Raises:
        PluginError: parts that cannot be loaded or built, or that break their contract in the probe;
            all of them, each with its hint.
    """
    model = _composed(recipe, _load_classes(recipe), lambda slot: seeded_init(seed, "init", slot))
    problems = probe(model)
    if problems:
        raise PluginError(*problems)
    return model


def outline(recipe: Recipe) -> dict[str, Tensor] | None:
    """The names, types and shapes of the weights that `build` would give a model, which take no memory here.

    None where a foreign part cannot be built without memory, as one that computes with its first weights.

    Raises:
        PluginError: parts that cannot be loaded.
    """
    classes = _load_classes(recipe)
    try:
        # The others ask the encoder which keys belong to which code, so that one is built in earnest.
        model = _composed(recipe, classes, lambda slot: nullcontext() if slot == "encoder" else META)
    except PluginError:
        return None
    return model.state_dict()


def _composed(
    recipe: Recipe,
    classes: Mapping[Slot, type[Part]],
    around: Callable[[Slot], AbstractContextManager[Any]],
) -> Model:
    """The parts as a model, each built inside of what surrounds its slot."""
    parts: dict[Slot, Part] = {}
    for slot in SLOTS:
        with around(slot):
            parts[slot] = _make(recipe, slot, classes[slot], parts)
    return Model(
        recipe,
        cast(Encoder, parts["encoder"]),
        cast(Attention, parts["attention"]),
        cast(Sampler, parts["sampler"]),
        cast(Decoder, parts["decoder"]),
        cast(Velocity, parts["velocity"]),
    )


def load_class(choice: Choice, slot: Slot) -> type[Part]:
    """The class a description points at.

    Raises:
        PluginError: it cannot be imported, is not there, or does not implement the slot's interface.
    """
    where = f"{slot}={choice.entry.name}"
    target = choice.entry.load()
    interface = INTERFACES[slot]
    if not (isinstance(target, type) and issubclass(target, interface)):
        raise PluginError(
            Problem(
                f"{target!r} is not a {interface.__name__}",
                where=where,
                hint=f"derive the class from zoo.parts.interfaces.{interface.__name__}",
            )
        )
    return target


def _load_classes(recipe: Recipe) -> dict[Slot, type[Part]]:
    classes: dict[Slot, type[Part]] = {}
    problems: list[Problem] = []
    for slot in SLOTS:
        try:
            classes[slot] = load_class(recipe.parts[slot], slot)
        except PluginError as error:
            problems.extend(error.problems)
    if problems:
        raise PluginError(*problems)
    return classes


def _make(recipe: Recipe, slot: Slot, part: type[Any], built: dict[Slot, Part]) -> Part:
    entry, settings = recipe.parts[slot].entry, recipe.parts[slot].settings
    sizes = () if slot == "encoder" else (_sizes(slot, built, recipe.grid),)
    hint = "check its settings with `zoo show`; --trace shows where it failed"
    with guarded("building it", f"{slot}={entry.name}", hint):
        made: Part = part(settings, *sizes)
    if entry.source.origin != "shipped":
        _guard(made, INTERFACES[slot], entry)
    return made


def _guard(part: Part, interface: type[Part], entry: Entry) -> None:
    """Let every method that the contract asks of a foreign part answer for what it does."""
    promised = {name for kind in interface.__mro__ if issubclass(kind, Part) for name in vars(kind)}
    for name in sorted(promised):
        method = getattr(part, name)
        # What a part does not define itself is left, so that it is still seen that it does not.
        own = getattr(type(part), name, None) is not getattr(Part, name, None)
        if own and inspect.ismethod(method) and not name.startswith("_"):
            setattr(part, name, partial(_call, entry, name, method))


def _call(entry: Entry, name: str, method: Callable[..., Any], *args: Any, **named: Any) -> Any:
    with guarded(f"its {name}", entry.place, remedy(entry.source)):
        return method(*args, **named)


def _sizes(slot: Slot, built: dict[Slot, Part], grid: int) -> Sizes:
    encoder = cast(Encoder, built["encoder"])
    features = cast(Attention, built["attention"]).features if slot != "attention" else 0
    return Sizes(
        codes=encoder.codes,
        features=features,
        membership=encoder.membership,
        keys=encoder.sizes.keys,
        grid=grid,
    )


def parameter_count(module: nn.Module) -> int:
    """How many numbers a module learns by gradient."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def summary(model: Model) -> dict[str, Any]:
    """What a model is made of, ready for JSON: parts, settings, widths and parameter counts."""
    widths = {
        "encoder": {"codes": model.encoder.codes, "keys": model.encoder.sizes.keys},
        "attention": {"features": model.attention.features},
    }
    parts = {
        slot: {
            "name": choice.entry.name,
            "plugin": choice.entry.plugin,
            "version": choice.entry.version,
            "settings": choice.settings.model_dump(mode="json"),
            "sizes": widths.get(slot, {}),
            "parameters": parameter_count(model.get_submodule(slot)),
        }
        for slot, choice in model.recipe.parts.items()
    }
    return {
        "recipe": str(model.recipe),
        "grid": model.grid,
        "parts": parts,
        "parameters": parameter_count(model),
    }
