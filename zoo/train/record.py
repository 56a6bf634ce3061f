"""The training record that is saved in the bundle of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.data import Corpus
from zoo.data.opening import shared_name
from zoo.data.split import pattern
from zoo.files import encodable
from zoo.model.bundle import Bundle
from zoo.model.model import Model
from zoo.model.provenance import MusicRecord, Origin
from zoo.model.weights import digest
from zoo.music.grid import Pedal
from zoo.music.meter import Meter
from zoo.parts import SLOTS, Slot
from zoo.train.events import FitResult
from zoo.train.settings import TrainSettings

DIGITS = 12
"""Length of the digest of a piece in a record."""
UNKNOWN: MusicRecord = {"name": "unknown music", "digest": ""}
"""The record of music that weights were trained on by other means than `zoo.train.fit.fit`."""


def common_meter(corpus: Corpus) -> list[int]:
    """The time signature of most frames, as [numerator, denominator]."""
    frames = Counter[tuple[int, int]]()
    for piece in corpus.pieces:
        frames.update(piece.meter.durations(piece.frames))
    return list(frames.most_common(1)[0][0]) if frames else [4, 4]


def record(
    result: FitResult,
    corpus: Corpus,
    settings: TrainSettings,
    seed: int,
    origins: Mapping[Slot, Origin] | None = None,
) -> dict[str, Any]:
    """The training record for `zoo.model.bundle.save_bundle`: scores, data and training settings.

    Args:
        result: result of `zoo.train.fit.fit`.
        corpus: as passed to `fit`.
        settings: as passed to `fit`.
        seed: as passed to `fit`.
        origins: as passed to `fit`.
    """
    pieces, origins = corpus.split("train"), origins or {}
    music = {
        "name": shared_name(corpus.name),
        "digest": corpus.digest,
        "pieces": len(pieces.pieces),
        "frames": pieces.frames,
        "piece_digests": _all_names(pieces),
        "validation_digests": _all_names(corpus.split("valid")),
    }
    return {
        "scores": {"validation": dict(result.best), "validation_kinds": dict(result.kinds)},
        "data": {
            **music,
            "grid": corpus.grid,
            "pedal": corpus.pedal,
            **({"family": _shared_rule(corpus.family)} if corpus.family else {}),
            **({"in_memory": True} if corpus.in_memory else {}),
            "meter": common_meter(pieces),
        },
        "training": {
            "settings": settings.model_dump(mode="json", exclude_none=True),
            "seed": seed,
            "steps": result.step,
            "seconds": round(result.seconds, 1),
            "stopped": result.stopped,
            **({"continued": True} if result.continued else {}),
            "threads": result.threads,
            **({"ranks": result.ranks} if result.ranks > 1 else {}),
            "best_step": dict(result.best_step),
            **({"began_from": {slot: origin.source for slot, origin in origins.items()}} if origins else {}),
        },
        "trained_on": {
            slot: [*(origins[slot].trained_on if slot in origins else ()), music] for slot in SLOTS
        },
    }


def _shared_rule(family: str) -> str:
    """A rule of families as it is recorded: of a file, the name without its folder."""
    path = Path(family)
    try:
        return encodable(path.name if path.is_file() else family)
    except OSError:
        return encodable(family)  # too long for a path, so it is an expression


def weights_of_parts(model: Model) -> dict[Slot, str]:
    """Slot -> digest of the weights of its part."""
    return {slot: digest(model.get_submodule(slot).state_dict()) for slot in SLOTS}


def describes(config: Mapping[str, Any], model: Model, result: FitResult) -> bool:
    """Whether the configuration of a bundle is of this model after this training."""
    parts: Mapping[Slot, Mapping[str, Any]] = config.get("parts", {})
    weights = {slot: part.get("weights") for slot, part in parts.items()}
    steps = (config.get("training") or {}).get("steps")
    return weights == weights_of_parts(model) and steps == result.step


def with_changed_weights(record: Mapping[str, Any], changed: Collection[Slot]) -> dict[str, Any]:
    """A training record after the weights of some parts were changed in an unknown way.

    These parts may have been trained on any music. Scores, settings and sources are those of the old weights
    and are left out.

    Args:
        record: the arguments of `save_bundle`.
        changed: the parts.
    """
    if not changed:
        return dict(record)
    kept = {key: value for key, value in record.items() if key not in ("scores", "training")}
    music: Mapping[Slot, Sequence[MusicRecord]] = record.get("trained_on", {})
    sources: Mapping[Slot, str] = record.get("sources", {})
    return {
        **kept,
        "sources": {slot: source for slot, source in sources.items() if slot not in changed},
        "trained_on": {**music, **{slot: (*music.get(slot, ()), UNKNOWN) for slot in changed}},
    }


def trained_on(bundles: Iterable[Bundle], corpus: Corpus, pieces: Corpus) -> int | None:
    """The number of pieces that at least one of the models was trained on, even if read from elsewhere.

    A piece of other music on the same grid counts if its notes begin, or sound, at the same times, in any key
    and at any loudness; one of the same music counts if it was a training piece.

    Args:
        bundles: the models and their records.
        corpus: the corpus that contains the pieces.
        pieces: the pieces to be scored.

    Returns:
        The number of pieces; None if it is unknown, since the record of an older version does not list them,
        or there is no record for a part that has weights.
    """
    read = [_training_pieces(bundle, corpus) for bundle in bundles]
    digests = set[str]().union(*(known for known, _ in read))
    count = sum(any(name in digests for name in _names(pieces, index)) for index in range(len(pieces.pieces)))
    return count if count or all(is_complete for _, is_complete in read) else None


def _training_pieces(bundle: Bundle, corpus: Corpus) -> tuple[set[str], bool]:
    """The digests of all pieces that a model is known to be trained on, and whether these are all."""
    music_by_slot: Mapping[Slot, Sequence[MusicRecord]] = bundle.record.get("trained_on", {})
    digests: set[str] = set()
    is_complete = names_music(bundle)
    for music in {music["digest"]: music for listed in music_by_slot.values() for music in listed}.values():
        if "piece_digests" in music:
            listed = set(music["piece_digests"])
            # Copies of a training piece in a published test split are leaks of this split, reported as such.
            digests |= listed & _digests(corpus) if music["digest"] == corpus.digest else listed
        elif music["digest"] == corpus.digest:
            digests |= _digests(corpus.split("train"))
        else:
            is_complete = False
    return digests, is_complete


def names_music(bundle: Bundle) -> bool:
    """Whether there is a record of the training music of all parts of a model that have weights."""
    music_by_slot: Mapping[Slot, Sequence[MusicRecord]] = bundle.record.get("trained_on", {})
    with_weights = [slot for slot in SLOTS if bundle.model.get_submodule(slot).state_dict()]
    return all(music_by_slot.get(slot) for slot in (*with_weights, *bundle.record.get("sources", ())))


def chosen_on(bundles: Iterable[Bundle], corpus: Corpus, pieces: Corpus) -> int:
    """The number of pieces that are validation pieces of the training of at least one of the models.

    Its weights were chosen on them, or on a part of them, see `train.validate_frames`. Pieces are compared
    as in `trained_on`. Bundles of older versions do not list validation pieces: of these, only those
    of the same music are known.

    Args:
        bundles: the models and their records.
        corpus: the corpus that contains the pieces.
        pieces: the pieces to be scored.
    """
    digests: set[str] = set()
    for bundle in bundles:
        recorded: Mapping[Slot, Sequence[MusicRecord]] = bundle.record.get("trained_on", {})
        for music in (music for listed in recorded.values() for music in listed):
            # A copy of a validation piece in a published test split is a leak of this split.
            if music["digest"] == corpus.digest:
                digests |= {piece.digest[:DIGITS] for piece in pieces.pieces if piece.split == "valid"}
            else:
                digests.update(music.get("validation_digests", ()))
    return sum(any(name in digests for name in _names(pieces, index)) for index in range(len(pieces.pieces)))


def _all_names(pieces: Corpus) -> list[str]:
    return sorted({name for index in range(len(pieces.pieces)) for name in _names(pieces, index)})


def _names(corpus: Corpus, index: int) -> Iterator[str]:
    """The first digits of the digest of a piece, and of the patterns of its onsets and its sounding keys.

    Music without onsets has the second pattern only.
    """
    yield corpus.pieces[index].digest[:DIGITS]
    roll = corpus.roll(index)
    yield pattern(roll)[:DIGITS]
    yield pattern(replace(roll, onset=None))[:DIGITS]


def _digests(corpus: Corpus) -> set[str]:
    return {piece.digest[:DIGITS] for piece in corpus.pieces}


def pedal_of(record: Mapping[str, Any]) -> Pedal:
    """The pedal mode of the training music, which should also be used for primers."""
    return "hold" if _reading(record).get("pedal") == "hold" else "keep"


def meter_of(record: Mapping[str, Any], grid: int) -> Meter:
    """The default meter of a model: the most common one of its training pieces."""
    beats, unit = _reading(record).get("meter", (4, 4))
    return Meter.of(beats, unit, grid=grid)


def _reading(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the music of the last training was read; of parts from several trainings, that of the core."""
    music: Mapping[Slot, Sequence[MusicRecord]] = record.get("trained_on", {})
    of_core = (known for known in reversed(music.get("attention", ())) if "meter" in known)
    return record.get("data") or next(of_core, {})


def reading_notes(name: str, bundle: Bundle, corpus: Corpus) -> Iterator[str]:
    """Whether a model was trained on music that was read in another way than the music it is scored on.

    Args:
        name: the model, as named by the user.
        bundle: the model and its record.
        corpus: the music that it is scored on.
    """
    record, residual = bundle.record, bundle.model.encoder.residual
    pedal, counts = pedal_of(record), list(residual.buffers())
    if "onset" not in corpus.planes:
        return
    if _reading(record) and pedal != corpus.pedal:
        yield f"{name} was trained with pedal={pedal}, and this music is read with pedal={corpus.pedal}"
    is_trained = record.get("data") or record.get("trained_on", {}).get("encoder")
    if is_trained and counts and not any(count.any() for count in counts):
        yield f"the residual of {name} was never counted, as its training music had no onsets"
