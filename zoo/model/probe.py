"""The probe: run a newly built model on four frames of random music, so that errors show before training."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from zoo.data.fragments import Fragments
from zoo.errors import Problem, ZooError
from zoo.model.generate import generate
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.music.grid import GRID
from zoo.parts.clock import Clock
from zoo.parts.terms import SLOTS_OF, TERMS, Term

BATCH, FRAMES, PAST = 2, 4, 3


def probe(model: Model) -> list[Problem]:
    """The problems of a training step, of scoring and of generation; empty if there are none.

    Works on a copy, so weights and counts are unchanged.
    """
    problems: list[Problem] = []
    trial = copy.deepcopy(model).eval()
    fragments = noise(trial.encoder.sizes.keys, trial.grid)
    with _reporting(model, "features", problems, "attention"):
        problems.extend(_features(trial, fragments))
    if problems:
        return problems
    with _reporting(model, "training", problems, "sampler", "decoder", "velocity"):
        problems.extend(_training(trial.train(), fragments))
    trial.eval()
    with _reporting(model, "scoring", problems, "sampler", "decoder", "velocity"):
        trial.count(fragments, first=True)
        trial.calibrate(fragments, first=True)
        for name, score in trial.log_probs(fragments, generator(0, "probe")).items():
            problems.extend(_shape(f"log-probabilities of {name}", score.value, (BATCH, FRAMES)))
    with _reporting(model, "generating", problems, "sampler", "decoder", "velocity"):
        generate(trial, frames=FRAMES, count=BATCH)
    return problems


def noise(keys: int, grid: int = GRID) -> Fragments:
    """A few frames of random music, each with about four struck keys, some of them held."""
    chance = generator(0, "noise")
    shape = (BATCH, PAST + 1 + FRAMES, keys)
    onset = torch.rand(shape, generator=chance) < 4 / keys
    held = torch.rand(shape, generator=chance) < 0.5
    sounding = onset.clone()
    for frame in range(1, shape[1]):
        sounding[:, frame] |= sounding[:, frame - 1] & held[:, frame]
    velocity = torch.randint(1, 128, shape, generator=chance).masked_fill(~onset, 0).to(torch.uint8)
    return Fragments(
        onset=onset,
        sounding=sounding,
        velocity=velocity,
        clock=Clock.common_time(torch.arange(PAST - 1, PAST + FRAMES).expand(BATCH, -1), grid),
        mask=torch.ones(BATCH, FRAMES, dtype=torch.bool),
    )


def named(model: Model, slot: str) -> str:
    """The part in a slot as users type it, such as `decoder=rbm`."""
    return f"{slot}={model.recipe.parts[slot].entry.name}"  # type: ignore[index]


def _features(model: Model, fragments: Fragments) -> list[Problem]:
    batch = model.batch(fragments)
    try:
        features = _features_of(model, batch.inputs, batch.clock, batch.past)
    except Exception:
        if model.encoder.inputs == model.encoder.codes:
            raise
        # If codes alone are accepted, it is the width that is wrong.
        _features_of(model, batch.codes, batch.clock, batch.past_codes)
        return [_hears_codes_only(model)]
    expected = (BATCH, FRAMES, model.attention.features)
    return list(_shape(f"features of {named(model, 'attention')}", features, expected))


@torch.no_grad()
def _features_of(model: Model, heard: Tensor, clock: Clock, past: Tensor) -> Tensor:
    features: Tensor
    features, _ = model.attention(heard, clock, model.attention.start(past))
    return features


def _hears_codes_only(model: Model) -> Problem:
    encoder = model.encoder
    return Problem(
        f"it hears the {encoder.codes} codes of a frame only, not the {encoder.inputs} inputs of "
        f"{named(model, 'encoder')}",
        where=named(model, "attention"),
        hint="let it receive `sizes.inputs` numbers of each frame, not `sizes.codes`, or use another encoder",
    )


@torch.enable_grad()
def _training(model: Model, fragments: Fragments) -> list[Problem]:
    problems: list[Problem] = []
    losses = model(fragments, generator(0, "probe"))
    registered = {id(parameter) for parameter in model.parameters()}
    for term, loss in losses.items():
        if not loss.isfinite():
            problems.append(Problem(f"the {term} loss is {loss.item()}", where=_term(model, term)))
            continue
        # A layer in a plain list trains here, but would be missing in the optimizer and in the bundle.
        hidden = [leaf for leaf in leaves_of(loss) if id(leaf) not in registered]
        if hidden:
            shapes = ", ".join(str(tuple(leaf.shape)) for leaf in hidden)
            problems.append(
                Problem(
                    f"{len(hidden)} tensors are trained but not registered (shapes {shapes})",
                    where=_term(model, term),
                    hint="make them attributes of the module (nn.ModuleList for lists of layers)",
                )
            )
        loss.backward()
    for term in TERMS:
        problems.extend(_unreached(model, term))
    return problems


def _unreached(model: Model, term: Term) -> Iterator[Problem]:
    """A problem for each parameter that no gradient reaches.

    An attention that gets no gradient at all is not reported: its sampler may ignore the features.
    """
    parameters = list(model.parameters_of(term))
    uses_features = any(p.grad is not None for name, p in parameters if name.startswith("attention."))
    for name, parameter in parameters:
        if parameter.grad is not None or (name.startswith("attention.") and not uses_features):
            continue
        yield Problem(
            "no gradient reaches this parameter",
            where=f"{named(model, name.split('.')[0])}, {name}",
            hint="use it in the loss, or remove it",
        )


def leaves_of(loss: Tensor) -> list[Tensor]:
    """The leaf tensors with `requires_grad` that a loss was computed from."""
    leaves: dict[int, Tensor] = {}
    visited: set[Any] = set()
    pending: list[Any] = [loss.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        if hasattr(node, "variable"):
            leaves[id(node.variable)] = node.variable
        pending.extend(function for function, _ in node.next_functions)
    return list(leaves.values())


def _shape(name: str, value: Tensor, expected: tuple[int, ...]) -> Iterator[Problem]:
    if tuple(value.shape) != expected:
        yield Problem(f"{name} have the shape {tuple(value.shape)}, not {expected}")
    elif not value.isfinite().all():
        yield Problem(f"{name} are not all finite")


def _term(model: Model, term: Term) -> str:
    return " ".join(named(model, slot) for slot in SLOTS_OF[term])


@contextmanager
def _reporting(model: Model, stage: str, problems: list[Problem], *slots: str) -> Iterator[None]:
    """Turn any exception in the block into a problem that names the parts."""
    try:
        yield
    except ZooError as error:
        problems.extend(error.problems)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        problems.append(
            Problem(
                f"{stage} failed ({type(error).__name__}: {error})",
                where=" ".join(named(model, slot) for slot in slots),
                hint="the probe has a batch of 2, 4 frames and a past of 3 frames; --trace shows where",
            )
        )
