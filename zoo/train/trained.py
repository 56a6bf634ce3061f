"""Trained parts: what a run or a bundle has to give. What it is made of is found out without torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import BundleError, Problem
from zoo.model.pretrained import BUNDLE, RECIPE, bundle_folder, is_bundle
from zoo.model.provenance import MusicRecord, trained_on
from zoo.model.sealed import CONFIG, MANIFEST, WEIGHTS, damaged, parsed, read_bundle
from zoo.music.grid import GRID
from zoo.parts import SLOTS, Slot
from zoo.registry import Choice, Registry
from zoo.train.plan import begun_origins, begun_plan

if TYPE_CHECKING:
    from torch import Tensor

BEST = "best.safetensors"


@dataclass(frozen=True, eq=False)
class Trained:
    """A run or a bundle whose parts may be taken.

    Attributes:
        path: its folder.
        parts: the parts as its recipe keeps them.
        is_run: whether it is the folder of a run, whose best weights count.
        grid: frames to a quarter note that it was built for.
        trained_on: all music that each part was trained on, by slot, oldest first.
    """

    path: Path
    parts: Any
    is_run: bool
    grid: int
    trained_on: Mapping[Slot, tuple[MusicRecord, ...]]

    @property
    def name(self) -> str:
        """What it is called wherever it lies: the last part of its path, of RUN/bundle the last two."""
        place = self.path.resolve()
        return f"{place.parent.name}/{place.name}" if place.name == BUNDLE else place.name

    def choice(self, slot: Slot, registry: Registry) -> Choice:
        """The part in a slot, with its settings.

        Raises:
            BundleError: the part, or the version its weights are of, is not here.
        """
        from zoo.registry.stored import read_part

        return read_part(slot, self.parts, registry)

    @property
    def file(self) -> Path:
        """Where its weights are: those of a bundle, or the best of a run."""
        return self.path / (BEST if self.is_run else WEIGHTS)

    def weights(self) -> Mapping[str, Tensor]:
        """All of its weights, by their names in a model.

        Raises:
            BundleError: they are damaged, or from a newer version.
        """
        from zoo.model.weights import read_weights
        from zoo.train.run import Run

        if not self.is_run:
            read_bundle(self.path)
            return read_weights(self.file, "weights").tensors
        best = Run(self.path).best()
        if best is None:
            raise BundleError(damaged("is missing", str(self.path / BEST)))
        return best.tensors


def open_trained(path: Path) -> Trained:
    """The bundle or run in a folder, or a pretrained model by its name.

    Raises:
        BundleError: there is neither, it is damaged, or the run has no best weights yet.
    """
    if (path / MANIFEST).is_file():
        return _of_bundle(path)
    begun = begun_plan(path)
    if begun is not None and (path / BEST).is_file():
        return Trained(path, begun["parts"], True, begun["data"].get("grid", GRID), _trained_on(path, begun))
    if is_bundle(path):
        return _of_bundle(bundle_folder(path))
    if begun is not None:
        hint = f"`zoo train -o {path} --resume` goes on until there are some"
        raise BundleError(Problem("the run has no best weights yet", str(path), hint))
    what = "it holds neither a run nor a bundle" if path.exists() else "there is no such folder"
    hint = f"name a folder that `zoo train` wrote ({RECIPE} lies in it), or a bundle ({MANIFEST} does)"
    raise BundleError(Problem(what, str(path), hint))


def _trained_on(path: Path, begun: Mapping[str, Any]) -> Mapping[Slot, tuple[MusicRecord, ...]]:
    """What the parts of a run were trained on: the music behind their first weights, then that of the run.

    Its bundle, where it is finished, knows the pieces too.
    """
    with suppress(BundleError):
        return _of_bundle(path / BUNDLE).trained_on
    music = {"name": Path(begun["data"]["name"]).resolve().name, "digest": begun["data"]["digest"]}
    origins = begun_origins(begun)
    return {slot: (*(origins[slot].trained_on if slot in origins else ()), music) for slot in SLOTS}


def _of_bundle(path: Path) -> Trained:
    config = parsed(read_bundle(path)[CONFIG], path / CONFIG)
    try:
        grid = int(config["grid"]["frames_per_quarter"])
        return Trained(path, config["recipe"]["parts"], False, grid, trained_on(config))
    except (KeyError, TypeError, ValueError):
        raise BundleError(damaged("does not say what the bundle is made of", str(path / CONFIG))) from None
