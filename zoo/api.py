"""The zoo from Python: build, fit, generate, evaluate, save and load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

import torch
from torch import nn

from zoo.data import Corpus, open_corpus
from zoo.data.split import Split
from zoo.errors import Problem, UsageError
from zoo.measure.evaluator import evaluate
from zoo.model.build import parameter_count
from zoo.model.bundle import open_bundle, save_bundle
from zoo.model.device import device_of
from zoo.model.model import Model
from zoo.model.provenance import Music, Origin
from zoo.model.sealed import MANIFEST
from zoo.model.weights import digest
from zoo.music.meter import Meter
from zoo.music.primer import read_primer
from zoo.music.roll import Roll
from zoo.parts import SLOTS, Slot
from zoo.registry import Recipe, open_registry, parse_recipe
from zoo.registry.words import split
from zoo.train.assemble import assemble
from zoo.train.compose import GenerateOptions, Wish, compose
from zoo.train.fit import fit
from zoo.train.record import pedal_of, record
from zoo.train.settings import TrainSettings
from zoo.train.swap import parse_swap
from zoo.train.watch import watched

if TYPE_CHECKING:
    from zoo.measure.evaluation import Evaluation
    from zoo.train.callback import Callback
    from zoo.train.events import FitResult, Listen


class ZooModel:
    """A model of music that can be trained, scored, saved and asked for new music.

    Attributes:
        model: the torch module; its parts are `model.encoder`, `model.attention`, `model.sampler`,
            `model.decoder` and `model.velocity`, and can be taken into other programs.
    """

    def __init__(
        self, model: Model, record: Mapping[str, Any] | None = None, began: Mapping[Slot, str] | None = None
    ) -> None:
        self.model = model
        self._record = dict(record or {})
        self._began = dict(began or {})

    def __repr__(self) -> str:
        return f"ZooModel({str(self.recipe)!r}, {self.num_parameters:,} parameters, device={self.device})"

    @classmethod
    def from_pretrained(cls, path: str | Path, *, local: bool = False) -> ZooModel:
        """The model in a bundle, as `zoo.load`."""
        return load(path, local=local)

    @property
    def recipe(self) -> Recipe:
        """The parts and settings that the model is built from; `str(recipe)` builds it again."""
        return self.model.recipe

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.model.device

    @property
    def num_parameters(self) -> int:
        """How many numbers the model learns by gradient."""
        return parameter_count(self.model)

    def parameters(self) -> Iterator[nn.Parameter]:
        """The parameters of all parts."""
        return self.model.parameters()

    def to(self, device: str | torch.device) -> Self:
        """Move the model to a device, such as `cuda` or `auto`, the fastest there is, and return it.

        Raises:
            UsageError: this machine has no such device.
        """
        self.model.to(device_of(str(device)))
        return self

    @property
    def sources(self) -> Mapping[Slot, str]:
        """The runs and bundles that trained parts were taken from, by slot."""
        sources: Mapping[Slot, str] = self._record.get("sources", {})
        return sources

    def fit(
        self,
        data: str | Path | Corpus,
        *,
        seed: int = 0,
        listen: Listen | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
        **settings: Any,
    ) -> FitResult:
        """Train on the training pieces of some music and keep the best weights.

        A model that is trained already is trained further: its weights compete for the best ones before the
        first step.

        Args:
            data: `bach`, a folder of MIDI files, a file, or an open corpus.
            seed: of everything left to chance.
            listen: called with the events of training: its start, every step and every validation.
            callbacks: called at fixed points of the loop; unlike listeners they may act.
            progress: whether to show progress on standard error; by default only on a terminal.
            settings: as for `zoo train`, without `train.`: `minutes=2`, `lr=0.003`.

        Raises:
            UsageError: a setting is unknown or out of range.
            DataError: the music cannot be read or does not hold what the model needs.
            NonFiniteError: training met a value that is not a finite number.
        """
        words = [f"train.{name}={value}" for name, value in settings.items()]
        chosen = parse_recipe(words, open_registry(), sections={"train": TrainSettings}).sections["train"]
        corpus = self._opened(data)
        with watched(progress, listen) as listener:
            origins = self._origins()
            result = fit(
                self.model, corpus, chosen, None, listener, seed, origins=origins, callbacks=callbacks
            )
        self._record = record(result, corpus, chosen, seed, origins)
        self._began = dict.fromkeys(SLOTS, "an earlier training")
        return result

    def _origins(self) -> dict[Slot, Origin]:
        """Where the weights of parts that are trained already come from."""
        trained_on: Mapping[Slot, Sequence[Music]] = self._record.get("trained_on", {})
        return {
            slot: Origin(
                source, digest(self.model.get_submodule(slot).state_dict()), tuple(trained_on.get(slot, ()))
            )
            for slot, source in self._began.items()
        }

    @overload
    def generate(
        self, frames: int | None = None, *, count: None = None, **options: Unpack[GenerateOptions]
    ) -> Roll: ...

    @overload
    def generate(
        self, frames: int | None = None, *, count: int, **options: Unpack[GenerateOptions]
    ) -> list[Roll]: ...

    def generate(
        self,
        frames: int | None = None,
        *,
        bars: int | None = None,
        seconds: float | None = None,
        count: int | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        best_of: int = 1,
        primer: Roll | str | Path | None = None,
        primer_bars: tuple[int, int] | None = None,
        without_primer: bool = False,
        meter: Meter | None = None,
        tempo: float | None = None,
        transpose: int = 0,
        key: str | None = None,
        keep_silence: bool = False,
    ) -> Roll | list[Roll]:
        """Compose new music, from silence or after a primer.

        Args:
            frames: length of the new music; 64 quarter notes by default.
            bars: its length in bars, instead.
            seconds: its length in seconds, instead.
            count: number of pieces, which are then returned in a list.
            seed: the same seed gives the same music.
            temperature: below 1 for more likely, above 1 for less likely music.
            top_p: draw each decision from its likeliest outcomes, as few as have this probability in sum.
            best_of: draw so many candidates for each piece, from consecutive seeds, and keep the one whose
                nats per frame are closest to those of validation music.
            primer: a piece to continue, or the path of its MIDI file.
            primer_bars: the first and last bar of the primer to continue, from 1 on; all by default.
            without_primer: return the new music without the primer.
            meter: bars of the new music; by default those of the primer, else the most common time signature
                of the training pieces.
            tempo: quarter notes per minute; by default the primer's, else 120.
            transpose: move the finished piece by so many semitones.
            key: transpose the finished piece to this key instead, such as `C`, `F#m` or `Bb`. Its key is
                estimated, from the primer if there is one.
            keep_silence: keep silent bars before the first note; new music after a primer keeps them anyway.

        Raises:
            UsageError: a number is out of range, or several lengths are given.
            DataError: the primer cannot be read, is on another grid than the model, or has no such bars.
        """
        if isinstance(primer, str | Path):
            pedal = pedal_of(self._record)
            primer = read_primer(primer, grid=self.model.grid, pedal=pedal, bars=primer_bars)
        elif primer is not None and primer_bars is not None:
            primer = primer.bars(*primer_bars)
        wish = Wish(
            frames=frames,
            bars=bars,
            seconds=seconds,
            count=1 if count is None else count,
            seed=seed,
            temperature=temperature,
            top_p=top_p,
            best_of=best_of,
            primer=primer,
            without_primer=without_primer,
            meter=meter,
            tempo=tempo,
            transpose=transpose,
            key=key,
            keep_silence=keep_silence,
        )
        rolls = compose(self.model, self._record, wish)
        return rolls[0] if count is None else rolls

    def evaluate(
        self, data: str | Path | Corpus, *, split: Split | Literal["all"] = "test", seed: int = 0
    ) -> Evaluation:
        """Nats per frame on pieces the model has not seen, with kinds and intervals.

        `split="all"` scores every piece of music that is kept for testing.
        """
        return evaluate(self.model, self._opened(data).split(split), seed=seed)

    def _opened(self, data: str | Path | Corpus) -> Corpus:
        """The corpus, read on the grid of the model."""
        return data if isinstance(data, Corpus) else open_corpus(str(data), grid=self.model.grid)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model as a bundle, a folder that `zoo.load` and every command read.

        The bundle records how the model was trained, also where the model itself was loaded.

        Raises:
            UsageError: there is a bundle already, and `overwrite` is not set; or something else is there.
            NonFiniteError: the weights are not all finite.
        """
        if not overwrite and (Path(path) / MANIFEST).exists():
            what = "there is a bundle already"
            raise UsageError(Problem(what, str(path), "choose another folder, or pass overwrite=True"))
        save_bundle(self.model, path, **self._record)

    def save_pretrained(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model as a bundle, as `save`."""
        self.save(path, overwrite=overwrite)


def build(
    words: str | Sequence[str] = "", *, seed: int = 0, local: bool = False, **slots: str | int
) -> ZooModel:
    """A model with fresh weights: `zoo.build("decoder=rbm attention=hierarchical")`; the baseline by default.

    Trained parts are combined by naming the runs or bundles that they come from:
    `zoo.build("core=@RUN_A decoder=@RUN_B")`; see `zoo.train.swap` for what fits.

    Args:
        words: the recipe, as on the command line.
        seed: seed of the first weights.
        local: whether code in files that a bundle or a `registry.toml` names may be run.
        slots: parts by slot, such as `decoder="rbm"`, or `grid=12`; the same as words.

    Raises:
        UsageError: the recipe is invalid; holds every problem that was found.
        BundleError: a run or bundle is missing or damaged.
        PluginError: a part is broken or breaks its contract.
    """
    named = [f"{slot}={part}" for slot, part in slots.items()]
    swap = parse_swap([*split(words), *named], open_registry(local=local))
    known = {"sources": swap.names, "trained_on": swap.trained_on}
    return ZooModel(assemble(swap, seed), known, swap.names)


def load(path: str | Path, *, local: bool = False) -> ZooModel:
    """The model in a bundle, on the CPU.

    Args:
        path: the folder.
        local: whether code in files that the bundle names may be run.

    Raises:
        BundleError: it is missing, damaged, from a newer version, or needs a plugin that is not here.
    """
    bundle = open_bundle(path, local=local)
    return ZooModel(bundle.model, bundle.record, dict.fromkeys(SLOTS, Path(path).resolve().name))
