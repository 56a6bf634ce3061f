"""Build models from recipes, and check that they run."""

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
from zoo.parts.terms import SLOTS_OF, Term
from zoo.registry import Choice, Entry, Recipe
from zoo.registry.entry import remedy
from zoo.registry.guard import guarded

META = torch.device("meta")
"""The device on which tensors have a shape and no data."""

INTERFACES: dict[Slot, type[Part]] = {
    "encoder": Encoder,
    "attention": Attention,
    "sampler": Sampler,
    "decoder": Decoder,
    "velocity": Velocity,
}


def build(recipe: Recipe, seed: int = 0) -> Model:
    """Build the model of a recipe, and probe it; see `zoo.model.probe`.

    The initial weights of a part depend only on the seed and its slot, so they are the same in every
    combination.

    Args:
        recipe: the parts and their settings.
        seed: seed of the initial weights.

    Raises:
        PluginError: parts cannot be loaded or built, or violate their contract in the probe; holds all
            problems.
    """
    model = _compose(recipe, _load_classes(recipe), lambda slot: seeded_init(seed, "init", slot))
    problems = probe(model)
    if problems:
        raise PluginError(*problems)
    return model


def outline(recipe: Recipe) -> dict[str, Tensor] | None:
    """The weights that `build` would give a model, as tensors on the meta device, which take no memory.

    None if a third-party part cannot be built on the meta device, for example because it computes with its
    initial weights.

    Raises:
        PluginError: parts cannot be loaded.
    """
    model = _outlined(recipe)
    return model.state_dict() if model else None


def trained_parameters(recipe: Recipe, term: Term) -> int | None:
    """The number of parameters that training a term would change; None as in `outline`.

    Raises:
        PluginError: parts cannot be loaded.
    """
    model = _outlined(recipe)
    return term_parameter_count(model, term) if model else None


def _outlined(recipe: Recipe) -> Model | None:
    """The model on the meta device; None if a part cannot be built there."""
    classes = _load_classes(recipe)
    try:
        # The other parts read the encoder's membership of keys in codes, so the encoder needs real tensors.
        return _compose(recipe, classes, lambda slot: nullcontext() if slot == "encoder" else META)
    except PluginError:
        return None


def _compose(
    recipe: Recipe,
    classes: Mapping[Slot, type[Part]],
    context: Callable[[Slot], AbstractContextManager[Any]],
) -> Model:
    """Build all parts, each in the context of its slot, and compose them."""
    parts: dict[Slot, Part] = {}
    for slot in SLOTS:
        with context(slot):
            parts[slot] = _build_part(recipe, slot, classes[slot], parts)
    return Model(
        recipe,
        cast(Encoder, parts["encoder"]),
        cast(Attention, parts["attention"]),
        cast(Sampler, parts["sampler"]),
        cast(Decoder, parts["decoder"]),
        cast(Velocity, parts["velocity"]),
    )


def load_class(choice: Choice, slot: Slot) -> type[Part]:
    """The class that a description names.

    Raises:
        PluginError: it does not exist, cannot be imported, or does not implement the slot's interface.
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


def _build_part(recipe: Recipe, slot: Slot, part_class: type[Any], built: dict[Slot, Part]) -> Part:
    entry, settings = recipe.parts[slot].entry, recipe.parts[slot].settings
    sizes = () if slot == "encoder" else (_sizes(slot, built, recipe.grid),)
    hint = "check its settings with `zoo show`; --trace shows where it failed"
    with guarded("building it", f"{slot}={entry.name}", hint):
        part: Part = part_class(settings, *sizes)
    if entry.source.origin != "shipped":
        _guard_methods(part, INTERFACES[slot], entry)
    return part


def _guard_methods(part: Part, interface: type[Part], entry: Entry) -> None:
    """Wrap the methods of a third-party part's interface, so that errors are attributed to its plugin."""
    names = {name for kind in interface.__mro__ if issubclass(kind, Part) for name in vars(kind)}
    for name in sorted(names):
        method = getattr(part, name)
        # Methods that a part inherits from Part itself are code of the zoo, which needs no guard.
        is_overridden = getattr(type(part), name, None) is not getattr(Part, name, None)
        if is_overridden and inspect.ismethod(method) and not name.startswith("_"):
            setattr(part, name, partial(_call_guarded, entry, name, method))


def _call_guarded(entry: Entry, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with guarded(f"its {name}", entry.place, remedy(entry.source)):
        return method(*args, **kwargs)


def _sizes(slot: Slot, built: dict[Slot, Part], grid: int) -> Sizes:
    encoder = cast(Encoder, built["encoder"])
    features = cast(Attention, built["attention"]).features if slot != "attention" else 0
    return Sizes(
        codes=encoder.codes,
        features=features,
        membership=encoder.membership,
        keys=encoder.sizes.keys,
        grid=grid,
        inputs=encoder.inputs,
    )


def parameter_count(module: nn.Module) -> int:
    """The number of trainable parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def term_parameter_count(model: Model, term: Term) -> int:
    """The number of parameters that training a term of the loss changes."""
    return sum(parameter_count(model.get_submodule(slot)) for slot in SLOTS_OF[term])


def summary(model: Model) -> dict[str, Any]:
    """The parts, settings, sizes and parameter counts of a model, as JSON values."""
    encoder = model.encoder
    widths = {
        "encoder": {"codes": encoder.codes, "keys": encoder.sizes.keys},
        "attention": {"features": model.attention.features},
    }
    if encoder.inputs != encoder.codes:
        widths["encoder"]["inputs"] = encoder.inputs
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
