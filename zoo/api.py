"""Models as the Python API offers them: fit, generate, evaluate and save."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

import torch
from torch import nn

from zoo.data import Corpus, open_corpus
from zoo.data.split import Split
from zoo.errors import Problem, UsageError
from zoo.files import encodable
from zoo.measure.evaluator import evaluate
from zoo.measure.validation import with_score
from zoo.model.build import parameter_count
from zoo.model.bundle import Bundle, open_bundle, save_bundle
from zoo.model.device import device_of
from zoo.model.model import Model
from zoo.model.pretrained import bundle_folder, check_not_of_run
from zoo.model.provenance import MusicRecord, Origin
from zoo.model.random import checked_seed
from zoo.model.sealed import is_bundle_place
from zoo.music.meter import Meter
from zoo.music.primer import check_bars, read_primer
from zoo.music.roll import Roll
from zoo.parts import SLOTS, Slot
from zoo.registry import Recipe, open_registry, parse_recipe
from zoo.registry.values import write_value
from zoo.train.compose import GenerateOptions, GenerationRequest, compose
from zoo.train.fit import fit
from zoo.train.proposals import with_proposals
from zoo.train.record import pedal_of, reading_notes, record, weights_of_parts, with_changed_weights
from zoo.train.settings import SECTIONS
from zoo.train.summary import outdated
from zoo.train.watch import watched

if TYPE_CHECKING:
    from zoo.measure.evaluation import Evaluation
    from zoo.train.callback import Callback
    from zoo.train.events import FitResult, Listen


class ZooModel:
    """A model of music that can be trained, scored, saved, and sampled from.

    Build one with `zoo.build`, or load one with `zoo.load`.

    Attributes:
        model: the torch module. Its parts `model.encoder`, `model.attention`, `model.sampler`,
            `model.decoder` and `model.velocity` are modules that other programs can use.
    """

    def __init__(
        self,
        model: Model,
        record: Mapping[str, Any] | None = None,
        pretrained: Mapping[Slot, str] | None = None,
        seed: int = 0,
    ) -> None:
        self.model = model
        self._record = dict(record or {})
        self._seed = seed
        self._pretrained = dict(pretrained or {})  # slot -> where the trained weights of its part come from
        self._recorded_weights = weights_of_parts(model)  # the weights that the record describes

    def __repr__(self) -> str:
        return f"ZooModel({str(self.recipe)!r}, {self.num_parameters:,} parameters, device={self.device})"

    @classmethod
    def from_pretrained(cls, path: str | Path, *, local: bool = False) -> ZooModel:
        """Load a model from a bundle; the same as `zoo.load`."""
        bundle = open_bundle(path, local=local)
        if remark := outdated(bundle_folder(path), bundle.record):
            warnings.warn(remark, stacklevel=3)
        return cls(bundle.model, bundle.record, dict.fromkeys(SLOTS, encodable(Path(path).resolve().name)))

    @property
    def recipe(self) -> Recipe:
        """The parts and settings of the model; `zoo.build(str(recipe))` builds the same untrained model."""
        return self.model.recipe

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.model.device

    @property
    def num_parameters(self) -> int:
        """The number of trainable parameters."""
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
        """Slot -> the run or bundle that a trained part was taken from."""
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
        """Train on the training pieces of a corpus, and keep the weights with the best validation.

        A trained model is fine-tuned: its current weights are validated as well, and kept if no later ones
        are better. An interrupted training (Ctrl-C, or the stop button of a notebook) also leaves the best
        weights so far in the model, with a record of the training; call `fit` again to go on from them.

        Args:
            data: `bach`, a folder of MIDI files, a file, or an open corpus.
            seed: seed of all random draws.
            listen: called with the events of training: its start, every step and every validation.
            callbacks: called at fixed points of the loop; unlike a listener, they may intervene.
            progress: whether to show progress on standard error; by default only on a terminal.
            settings: settings of `zoo train` without the prefix `train.`, such as `minutes=2`, `lr=0.003`.
                Parts may propose values for others, as in `zoo train`.

        Raises:
            UsageError: a setting is unknown or out of range, or the seed is not an integer from 0 on.
            DataError: the music cannot be read, or lacks something that the model needs.
            NonFiniteError: a loss or a weight became NaN or infinite; the model has the best weights so far.
            KeyboardInterrupt: training was interrupted.
        """
        seed = checked_seed(seed)
        words = [f"train.{name}={write_value(value)}" for name, value in settings.items()]
        given = parse_recipe(words, open_registry(), sections=SECTIONS).sections["train"]
        chosen, _ = with_proposals(given, self.recipe.parts)
        corpus = self._open(data)
        origins = self._origins()

        def describe(result: FitResult) -> None:
            self._record = record(result, corpus, chosen, seed, origins)
            if how := self._not_as_commands(corpus, seed, callbacks):
                self._record["training"]["from_python"] = how
            self._pretrained = dict.fromkeys(SLOTS, "an earlier training")
            self._recorded_weights = weights_of_parts(self.model)

        with watched(progress, listen) as listener:
            result = fit(
                self.model, corpus, chosen, None, listener, seed, False, origins, callbacks, on_stop=describe
            )
        describe(result)
        self._record = with_score(self._record, self.model, corpus, chosen, seed)
        return result

    def _not_as_commands(self, corpus: Corpus, seed: int, callbacks: Sequence[Callback]) -> str:
        """What no command does in the same way, since commands have one seed; empty if there is nothing."""
        is_new = len(self._pretrained) < len(SLOTS)
        ways = {
            "on some pieces of a corpus": corpus.is_selection,
            f"with initial weights of seed {self._seed}": is_new and seed != self._seed,
            "with frozen parameters": not all(p.requires_grad for p in self.parameters()),
            "with callbacks": bool(callbacks),
        }
        return " and ".join(way for way, is_taken in ways.items() if is_taken)

    def _origins(self) -> dict[Slot, Origin]:
        """The origins of the weights of parts that are already trained."""
        weights = weights_of_parts(self.model)
        record = with_changed_weights(self._record, self._changed(weights))
        trained_on: Mapping[Slot, Sequence[MusicRecord]] = record.get("trained_on", {})
        sources = {
            **dict.fromkeys(self._changed(weights), "a training of another program"),
            **self._pretrained,
        }
        return {
            slot: Origin(source, weights[slot], tuple(trained_on.get(slot, ())))
            for slot, source in sources.items()
        }

    def _changed(self, weights: Mapping[Slot, str]) -> list[Slot]:
        """The parts whose weights were changed by other means than `fit`."""
        return [slot for slot in SLOTS if weights[slot] != self._recorded_weights[slot]]

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
        """Generate new music, from silence or after a primer.

        Args:
            frames: length of the new music in frames; by default 64 quarter notes.
            bars: length in bars, instead of `frames`.
            seconds: length in seconds, instead of `frames`.
            count: number of pieces to generate, returned as a list; by default one piece, not in a list.
            seed: the same seed gives the same music.
            temperature: below 1 favours likely music, above 1 unlikely music.
            top_p: for nucleus sampling: draw each decision from the smallest set of likeliest outcomes whose
                total probability reaches this value.
            best_of: number of candidates for each piece, from consecutive seeds; the one whose nats per frame
                are closest to those of validation music is kept.
            primer: a piece to continue, or the path of its MIDI file.
            primer_bars: first and last bar of the primer to use, counted from 1; by default all bars.
            without_primer: whether to return the new music without the primer.
            meter: meter of the new music; by default that of the primer, else the most common time signature
                of the training pieces.
            tempo: quarter notes per minute; by default the primer's tempo, else 120.
            transpose: number of semitones by which to transpose the result.
            key: key to transpose the result to, instead, such as `C`, `F#m` or `Bb`. The original key is
                estimated, from the primer if there is one.
            keep_silence: whether to keep silent bars before the first note; after a primer they are always
                kept.

        Raises:
            UsageError: a number is out of range, or several lengths are given.
            DataError: the primer cannot be read, is on another grid than the model, or has no such bars.
        """
        check_bars(primer_bars, primer is not None)
        if isinstance(primer, str | Path):
            pedal = pedal_of(self._record)
            primer = read_primer(primer, grid=self.model.grid, pedal=pedal, bars=primer_bars)
        elif primer is not None and primer_bars is not None:
            primer = primer.bars(*primer_bars)
        request = GenerationRequest(
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
        rolls = compose(self.model, self._record, request)
        return rolls[0] if count is None else rolls

    def evaluate(
        self, data: str | Path | Corpus, *, split: Split | Literal["all"] = "test", seed: int = 0
    ) -> Evaluation:
        """Score the pieces of a split in nats per frame, with kinds and intervals.

        A warning says if the music is read in another way than the training music.

        Args:
            data: as in `fit`.
            split: the pieces to score; "all" for music of which no piece was used for training.
            seed: seed of scores that are estimated by sampling.

        Raises:
            UsageError: the seed is not an integer from 0 on.
            DataError: the music cannot be read, or lacks something that the model needs.
        """
        seed, corpus = checked_seed(seed), self._open(data)
        for note in reading_notes("this model", Bundle(self.model, self._record), corpus):
            warnings.warn(note, stacklevel=2)
        return evaluate(self.model, corpus.split(split), seed=seed)

    def _open(self, data: str | Path | Corpus) -> Corpus:
        """Open a corpus on the grid of the model."""
        return data if isinstance(data, Corpus) else open_corpus(str(data), grid=self.model.grid)

    def save(self, path: str | Path, *, overwrite: bool = False, half: bool = False) -> None:
        """Save the model as a bundle: a folder that `zoo.load` and all commands read.

        The bundle contains the record of the training, including that of a model that was loaded. If weights
        were changed by other means than `fit`, it records that they may have been trained on any music.

        Args:
            path: the folder.
            overwrite: whether to replace an existing bundle. A model card that was edited is kept beside the
                new one, and a warning says where.
            half: whether to store parameters in half precision, for a bundle of about half the size. The
                recorded scores are those before rounding.

        Raises:
            UsageError: the folder contains a bundle and `overwrite` is not set, contains other files, or is
                the bundle of a run or a search.
            NonFiniteError: the weights are not all finite, or exceed half precision.
        """
        check_not_of_run(path)
        if not overwrite and is_bundle_place(Path(path)):
            what = "a bundle already exists"
            raise UsageError(Problem(what, str(path), "choose another folder, or pass overwrite=True"))
        record = with_changed_weights(self._record, self._changed(weights_of_parts(self.model)))
        if kept := save_bundle(self.model, path, half=half, **record):
            warnings.warn(f"the model card was not the generated one; its text is now {kept}", stacklevel=2)

    def save_pretrained(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save the model as a bundle; the same as `save`."""
        self.save(path, overwrite=overwrite)
