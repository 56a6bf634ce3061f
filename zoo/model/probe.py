"""The third gate: a freshly built model plays four frames of noise, so that what cannot work says so now."""

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
    """Everything that is wrong when the model learns one step, is scored and plays; empty if nothing is.

    Weights and counts stay as they were.
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
        for name, found in trial.log_probs(fragments, generator(0, "probe")).items():
            problems.extend(_shape(model, f"log-probabilities of {name}", found.value, (BATCH, FRAMES)))
    with _reporting(model, "generating", problems, "sampler", "decoder", "velocity"):
        generate(trial, frames=FRAMES, count=BATCH)
    return problems


def noise(keys: int, grid: int = GRID) -> Fragments:
    """A few frames of random music: about four keys struck in each, some of them held."""
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
    """A part as users type it, such as `decoder=rbm`."""
    return f"{slot}={model.recipe.parts[slot].entry.name}"  # type: ignore[index]


def _features(model: Model, fragments: Fragments) -> list[Problem]:
    batch = model.batch(fragments)
    with torch.no_grad():
        features, _ = model.attention(batch.inputs, batch.clock, model.attention.start(batch.past))
    expected = (BATCH, FRAMES, model.attention.features)
    return list(_shape(model, f"features of {named(model, 'attention')}", features, expected))


@torch.enable_grad()
def _training(model: Model, fragments: Fragments) -> list[Problem]:
    problems: list[Problem] = []
    losses = model(fragments, generator(0, "probe"))
    registered = {id(parameter) for parameter in model.parameters()}
    for term, loss in losses.items():
        if not loss.isfinite():
            problems.append(Problem(f"the {term} loss is {loss.item()}", where=_term(model, term)))
            continue
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
    """Parameters that no gradient reaches; a sampler that does not listen leaves its attention idle."""
    parameters = list(model.parameters_of(term))
    listens = any(p.grad is not None for name, p in parameters if name.startswith("attention."))
    for name, parameter in parameters:
        if parameter.grad is not None or (name.startswith("attention.") and not listens):
            continue
        yield Problem(
            "no gradient reaches this parameter",
            where=f"{named(model, name.split('.')[0])}, {name}",
            hint="use it in the loss, or remove it",
        )


def leaves_of(loss: Tensor) -> list[Tensor]:
    """The tensors a loss was computed from that ask for a gradient."""
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    waiting: list[Any] = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found[id(node.variable)] = node.variable
        waiting.extend(following for following, _ in node.next_functions)
    return list(found.values())


def _shape(model: Model, what: str, value: Tensor, expected: tuple[int, ...]) -> Iterator[Problem]:
    if tuple(value.shape) != expected:
        yield Problem(f"{what} have the shape {tuple(value.shape)}, not {expected}")
    elif not value.isfinite().all():
        yield Problem(f"{what} are not all finite")


def _term(model: Model, term: Term) -> str:
    return " ".join(named(model, slot) for slot in SLOTS_OF[term])


@contextmanager
def _reporting(model: Model, stage: str, problems: list[Problem], *slots: str) -> Iterator[None]:
    """Turn whatever a part raises into a problem that names the parts at work."""
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
                hint="the probe plays batch 2, 4 frames, 3 frames of past; --trace shows where",
            )
        )
