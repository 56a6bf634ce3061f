"""Assemble a model from trained parts of different runs, to be used directly or trained further."""

from __future__ import annotations

from zoo.errors import BundleError, Problem
from zoo.model.build import build, outline
from zoo.model.model import Model
from zoo.model.provenance import Origin
from zoo.model.weights import check_shapes, digest, restore
from zoo.parts import Slot
from zoo.train.swap import Swap


def assemble(swap: Swap, seed: int = 0) -> Model:
    """Build the model of a recipe with trained parts, on the CPU.

    Parts without a source are initialized as in `zoo.model.build`.

    Raises:
        PluginError: a part cannot be built or violates its contract.
        BundleError: weights are damaged or do not fit their part; lists all such problems.
    """
    _check_shapes(swap)
    model = build(swap.recipe, seed)
    problems: list[Problem] = []
    for source in dict.fromkeys(swap.sources.values()):
        try:
            weights = source.weights()
        except BundleError as error:
            problems.extend(error.problems)
            continue
        for slot in (slot for slot, slot_source in swap.sources.items() if slot_source is source):
            prefix = f"{slot}."
            part_weights = {
                name.removeprefix(prefix): tensor
                for name, tensor in weights.items()
                if name.startswith(prefix)
            }
            try:
                restore(model.get_submodule(slot), part_weights, f"{slot} of {source.path}")
            except BundleError as error:
                problems.extend(error.problems)
    if problems:
        raise BundleError(*problems)
    return model


def origins(swap: Swap, model: Model) -> dict[Slot, Origin]:
    """The origins of the weights of trained parts by slot, for fine-tuning.

    Args:
        swap: the recipe with trained parts.
        model: the model that `assemble` built from it.
    """
    return {
        slot: Origin(name, digest(model.get_submodule(slot).state_dict()), swap.trained_on[slot])
        for slot, name in swap.names.items()
    }


def _check_shapes(swap: Swap) -> None:
    """Check from the headers of weights files that all weights fit, before allocating memory for them."""
    expected = outline(swap.recipe) if swap.sources else None
    problems: list[Problem] = []
    for slot, source in swap.sources.items() if expected is not None else ():
        shapes = {name: tensor for name, tensor in (expected or {}).items() if name.startswith(f"{slot}.")}
        try:
            check_shapes(source.file, shapes, f"{slot} of {source.path}")
        except BundleError as error:
            problems.extend(error.problems)
    if problems:
        raise BundleError(*problems)
