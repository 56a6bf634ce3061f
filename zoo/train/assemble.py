"""Putting trained parts of different runs together: to be used as they are, or to be trained further."""

from __future__ import annotations

from zoo.errors import BundleError, Problem
from zoo.model.build import build, outline
from zoo.model.model import Model
from zoo.model.provenance import Origin
from zoo.model.weights import check_shapes, digest, restore
from zoo.parts import Slot
from zoo.train.swap import Swap


def assemble(swap: Swap, seed: int = 0) -> Model:
    """The model that a recipe with trained parts describes, on the CPU.

    Parts that come from nowhere begin untrained, as `zoo.model.build` makes them.

    Raises:
        PluginError: parts that cannot be built or that break their contract.
        BundleError: weights are damaged, or are not those of the part; all of it.
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
        for slot in (slot for slot, one in swap.sources.items() if one is source):
            prefix = f"{slot}."
            own = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
            try:
                restore(model.get_submodule(slot), own, f"{slot} of {source.path}")
            except BundleError as error:
                problems.extend(error.problems)
    if problems:
        raise BundleError(*problems)
    return model


def origins(swap: Swap, model: Model) -> dict[Slot, Origin]:
    """Where the weights of trained parts come from, by slot, for a training that goes on from them.

    Args:
        swap: which parts are trained.
        model: what `assemble` made of it.
    """
    return {
        slot: Origin(name, digest(model.get_submodule(slot).state_dict()), swap.trained_on[slot])
        for slot, name in swap.names.items()
    }


def _check_shapes(swap: Swap) -> None:
    """Refuse weights that are not those of their part before memory is taken for either."""
    expected = outline(swap.recipe) if swap.sources else None
    problems: list[Problem] = []
    for slot, source in swap.sources.items() if expected is not None else ():
        own = {name: tensor for name, tensor in (expected or {}).items() if name.startswith(f"{slot}.")}
        try:
            check_shapes(source.file, own, f"{slot} of {source.path}")
        except BundleError as error:
            problems.extend(error.problems)
    if problems:
        raise BundleError(*problems)
