"""Create models in the Python API: build untrained ones, and load trained ones from bundles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.api import ZooModel
from zoo.model.random import checked_seed
from zoo.registry import open_registry
from zoo.registry.words import split
from zoo.train.assemble import assemble
from zoo.train.swap import parse_swap


def build(
    words: str | Sequence[str] = "", *, seed: int = 0, local: bool = False, **slots: str | int
) -> ZooModel:
    """Build a model with initial weights; without words, the baseline.

    ::

        zoo.build("decoder=rbm attention=hierarchical")
        zoo.build("core=@RUN_A decoder=@RUN_B")

    The second call combines trained parts of runs or bundles; see `zoo.train.swap` for which can be combined.

    Args:
        words: the recipe, as on the command line.
        seed: seed of the initial weights.
        local: whether code in files that a bundle or a `registry.toml` names may be run.
        slots: words as keyword arguments, such as `decoder="rbm"` or `grid=12`.

    Raises:
        UsageError: the recipe is invalid; holds all problems. Or the seed is not an integer from 0 on.
        BundleError: a run or bundle is missing or damaged.
        PluginError: a part is broken or violates its contract.
    """
    named = [f"{slot}={part}" for slot, part in slots.items()]
    seed = checked_seed(seed)
    swap = parse_swap([*split(words), *named], open_registry(local=local))
    record = {"sources": swap.names, "trained_on": swap.trained_on}
    return ZooModel(assemble(swap, seed), record, swap.names, seed)


def load(path: str | Path, *, local: bool = False) -> ZooModel:
    """Load a model from a bundle, on the CPU.

    Args:
        path: the folder, the run that contains it, the name of a pretrained model, or `hf:USER/NAME`, a
            bundle on the Hugging Face Hub.
        local: whether code in files that the bundle names may be run.

    Raises:
        BundleError: it is missing, damaged, from a newer version, or needs a plugin that is not installed.
    """
    return ZooModel.from_pretrained(path, local=local)
