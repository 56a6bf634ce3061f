"""The zoo from Python: build, fit, generate, evaluate, save and load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.data import Corpus, open_corpus
from zoo.data.split import Split
from zoo.learn.assemble import assemble
from zoo.learn.fit import fit
from zoo.learn.record import meter_of, record
from zoo.learn.settings import TrainSettings
from zoo.learn.swap import parse_swap
from zoo.learn.watch import watched
from zoo.measure.evaluator import evaluate
from zoo.model.bundle import open_bundle, save_bundle
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.model.provenance import Music, Origin
from zoo.model.weights import digest
from zoo.music.meter import Meter
from zoo.music.roll import Roll
from zoo.parts import SLOTS, Slot
from zoo.registry import open_registry, parse_recipe

if TYPE_CHECKING:
    from zoo.learn.events import History, Listen
    from zoo.measure.evaluation import Evaluation


class ZooModel:
    """A model of music with what one wants to do with it.

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
        return f"<zoo: {self.model.recipe}>"

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
        progress: bool | None = None,
        **settings: Any,
    ) -> History:
        """Train on the training pieces of some music and keep the best weights.

        A model that is trained already is trained further: its weights compete for the best ones before the
        first step.

        Args:
            data: `bach`, a folder of MIDI files, a file, or an open corpus.
            seed: of everything left to chance.
            listen: told about steps and validations.
            progress: whether standard error shows how it goes; if nothing is said, on a terminal only.
            settings: as for `zoo train`, without `train.`: `minutes=2`, `lr=0.003`.

        Raises:
            UsageError: a setting is unknown or out of range.
            DataError: the music cannot be read or does not hold what the model needs.
            NonFiniteError: training met a value that is not a finite number.
        """
        words = [f"train.{name}={value}" for name, value in settings.items()]
        chosen = parse_recipe(words, open_registry(), sections={"train": TrainSettings}).sections["train"]
        corpus = self._opened(data)
        with watched(progress, listen) as told:
            origins = self._origins()
            history = fit(self.model, corpus, chosen, listen=told, seed=seed, origins=origins)
        self._record = record(history, corpus, chosen, seed, origins)
        self._began = dict.fromkeys(SLOTS, "an earlier training")
        return history

    def _origins(self) -> dict[Slot, Origin]:
        """Where the weights of parts that are trained already come from."""
        heard: Mapping[Slot, Sequence[Music]] = self._record.get("trained_on", {})
        return {
            slot: Origin(
                source, digest(self.model.get_submodule(slot).state_dict()), tuple(heard.get(slot, ()))
            )
            for slot, source in self._began.items()
        }

    def generate(
        self,
        frames: int = 256,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        primer: Roll | None = None,
        meter: Meter | None = None,
    ) -> Roll:
        """A new piece of this many frames, from silence or after a primer.

        Without a primer it is in `meter`, or else in the most common time signature of the training pieces.
        """
        meter = meter or meter_of(self._record, self.model.grid)
        return generate(self.model, frames, 1, seed, temperature, primer, meter=meter)[0]

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

    def save(self, path: str | Path) -> None:
        """Write the model as a bundle, a folder that `zoo.load` and every command read.

        It says how the model came about, also of one that was loaded.
        """
        save_bundle(self.model, path, **self._record)


def build(words: str | Sequence[str] = "", *, seed: int = 0) -> ZooModel:
    """A fresh model: `zoo.build("decoder=rbm attention=hierarchical")`; no words give the baseline.

    Trained parts are put together by naming the runs or bundles they come from:
    `zoo.build("core=@RUN_A decoder=@RUN_B")`; see `zoo.learn.swap` for what fits.

    Raises:
        UsageError: the words cannot be meant; holds every problem that was found.
        BundleError: a run or bundle is missing or damaged.
        PluginError: a part is broken or breaks its contract.
    """
    swap = parse_swap(words, open_registry())
    known = {"sources": swap.names, "trained_on": swap.trained_on}
    return ZooModel(assemble(swap, seed), known, swap.names)


def load(path: str | Path) -> ZooModel:
    """The model in a bundle.

    Raises:
        BundleError: it is missing, damaged, from a newer version, or needs a plugin that is not here.
    """
    bundle = open_bundle(path)
    return ZooModel(bundle.model, bundle.record, dict.fromkeys(SLOTS, Path(path).resolve().name))
