"""Runs and bundles as sources of trained parts; torch is only imported to read weights."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import BundleError, Problem
from zoo.files import encodable, real_path
from zoo.model.config import read_config
from zoo.model.pretrained import BUNDLE, RECIPE, bundle_folder, is_bundle
from zoo.model.provenance import MusicRecord, trained_on, with_reading
from zoo.model.sealed import MANIFEST, WEIGHTS, damaged, one_bundle, read_bundle
from zoo.music.grid import GRID
from zoo.parts import SLOTS, Slot
from zoo.registry import Choice, Registry
from zoo.train.plan import plan_origins, read_plan

if TYPE_CHECKING:
    from torch import Tensor

BEST = "best.safetensors"


@dataclass(frozen=True, eq=False)
class Trained:
    """A run or bundle with trained parts.

    Attributes:
        path: its folder.
        parts: the parts as stored in its recipe.
        is_run: whether it is a run folder, whose best weights are used.
        grid: frames per quarter note.
        trained_on: the music that each part was trained on, by slot, oldest first.
        manifest: that of a bundle; empty for a run.
    """

    path: Path
    parts: Any
    is_run: bool
    grid: int
    trained_on: Mapping[Slot, tuple[MusicRecord, ...]]
    manifest: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        """The name of the folder; for `RUN/bundle`, both components."""
        place = real_path(self.path)
        return encodable(f"{place.parent.name}/{place.name}" if place.name == BUNDLE else place.name)

    def choice(self, slot: Slot, registry: Registry) -> Choice:
        """The part in a slot, with its settings.

        Raises:
            BundleError: the part is not installed, or in another version than its weights.
        """
        from zoo.registry.stored import read_part

        return read_part(slot, self.parts, registry)

    @property
    def file(self) -> Path:
        """The file with the weights of a bundle, or the best weights of a run."""
        return self.path / (BEST if self.is_run else WEIGHTS)

    def weights(self) -> Mapping[str, Tensor]:
        """Read all weights, by their names in a model.

        Raises:
            BundleError: the weights are damaged, from a newer version, or of another bundle than the parts.
        """
        from zoo.model.weights import read_weights
        from zoo.train.run import Run

        if not self.is_run:
            with one_bundle(self.path, self.manifest):
                read_bundle(self.path)
                return read_weights(self.file, "weights").tensors
        best = Run(self.path).best()
        if best is None:
            raise BundleError(damaged("is missing", str(self.path / BEST)))
        return best.tensors


def open_trained(path: Path) -> Trained:
    """Open a bundle, a run folder, or a pretrained model by name.

    Raises:
        BundleError: the path is none of these, it is damaged, or the run has no best weights yet.
    """
    if (path / MANIFEST).is_file():
        return _open_bundle(path)
    plan = read_plan(path)
    if plan is not None and (path / BEST).is_file():
        return Trained(path, plan["parts"], True, plan["data"].get("grid", GRID), _trained_on(path, plan))
    if is_bundle(path):
        return _open_bundle(bundle_folder(path))
    if plan is not None:
        hint = f"continue the run with `zoo train -o {shlex.quote(str(path))} --resume`"
        raise BundleError(Problem("the run has no best weights yet", str(path), hint))
    what = "this folder is neither a run nor a bundle" if path.exists() else "there is no such folder"
    hint = f"use a run folder from `zoo train` (with a {RECIPE}) or a bundle (with a {MANIFEST})"
    raise BundleError(Problem(what, str(path), hint))


def _trained_on(path: Path, plan: Mapping[str, Any]) -> Mapping[Slot, tuple[MusicRecord, ...]]:
    """The music that the parts of a run were trained on: that of its initial weights, then its own.

    The bundle of a finished run also lists the pieces.
    """
    from zoo.data.opening import shared_name

    with suppress(BundleError):
        return _open_bundle(path / BUNDLE).trained_on
    music = {"name": shared_name(plan["data"]["name"]), "digest": plan["data"]["digest"]}
    origins = plan_origins(plan)
    return {slot: (*(origins[slot].trained_on if slot in origins else ()), music) for slot in SLOTS}


def _open_bundle(path: Path) -> Trained:
    with one_bundle(path) as manifest:
        config = read_config(path)
    grid = config["grid"]["frames_per_quarter"]
    records = with_reading(trained_on(config), config)
    return Trained(path, config["recipe"]["parts"], False, grid, records, manifest)
