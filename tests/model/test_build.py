"""Building: all problems are reported with hints before any training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from zoo.errors import PluginError
from zoo.model.build import build, summary
from zoo.parts import Description, Settings, Slot
from zoo.parts.interfaces import Attention, LogProb, Sampler, Sizes, State
from zoo.registry import Recipe, open_registry, parse_recipe

BASE = "attention=none sampler=independent"


def recipe(words: str = BASE) -> Recipe:
    return parse_recipe(words, open_registry())


def with_part(slot: Slot, target: Any, words: str = BASE) -> Recipe:
    """The recipe with a custom class in one slot."""
    base = recipe(words)
    choice = base.parts[slot]
    description = Description(slot=slot, name="ours", summary="", target=target)
    ours = replace(choice, entry=replace(choice.entry, description=description), settings=Settings())
    return replace(base, parts={**base.parts, slot: ours})


class Echo(Attention):
    """A good attention: the frame through a linear layer."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = 7
        self.linear = nn.Linear(sizes.inputs, 7)

    def start(self, past: Tensor) -> State:
        return ()

    def forward(self, codes: Tensor, clock: Tensor, state: State) -> tuple[Tensor, State]:
        return self.linear(codes), state


def problems(wrong: Recipe) -> str:
    with pytest.raises(PluginError) as caught:
        build(wrong)
    return str(caught.value)


def test_custom_class_can_fill_a_slot() -> None:
    model = build(with_part("attention", Echo))
    assert summary(model)["parts"]["attention"]["sizes"] == {"features": 7}


def test_weights_depend_on_the_seed_and_the_slot_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = build(recipe()), build(recipe("sampler=voices attention=history"))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, weight in first.decoder.state_dict().items():
        assert torch.equal(weight, second.decoder.state_dict()[name])
    again, different = build(recipe(), seed=0), build(recipe(), seed=1)
    weights = [model.state_dict()["sampler.linear.weight"] for model in (first, again, different)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_probe_changes_neither_counts_nor_weights() -> None:
    counted = build(recipe("sampler=rates"))
    assert not any(buffer.any() for name, buffer in counted.named_buffers() if "count" in name)


def test_wrong_width_is_reported_with_both_numbers() -> None:
    class Liar(Echo):
        def __init__(self, settings: Settings, sizes: Sizes) -> None:
            super().__init__(settings, sizes)
            self.features = 9

    messages = problems(with_part("attention", Liar))
    assert "(2, 4, 7)" in messages
    assert "(2, 4, 9)" in messages
    assert "attention=ours" in messages


def test_an_attention_that_hears_codes_only_is_reported() -> None:
    class Deaf(Echo):
        def __init__(self, settings: Settings, sizes: Sizes) -> None:
            super().__init__(settings, sizes)
            self.linear = nn.Linear(sizes.codes, 7)

    assert build(with_part("attention", Deaf)).attention.features == 7
    messages = problems(with_part("attention", Deaf, f"encoder=register {BASE}"))
    assert messages.startswith("attention=ours: it hears the 12 codes of a frame only, not the 100 inputs of")
    assert "encoder=register" in messages
    assert "sizes.inputs" in messages


def test_a_wide_attention_that_fails_otherwise_is_reported_as_such() -> None:
    class Broken(Echo):
        def forward(self, codes: Tensor, clock: Tensor, state: State) -> tuple[Tensor, State]:
            raise ValueError("no music today")

    messages = problems(with_part("attention", Broken, f"encoder=register {BASE}"))
    assert "no music today" in messages
    assert "sizes.inputs" not in messages


def test_unregistered_layer_is_reported() -> None:
    class Forgetful(Echo):
        def __init__(self, settings: Settings, sizes: Sizes) -> None:
            super().__init__(settings, sizes)
            self.layers = [nn.Linear(sizes.inputs, 7)]

        def forward(self, codes: Tensor, clock: Tensor, state: State) -> tuple[Tensor, State]:
            return self.linear(codes) + self.layers[0](codes), state

    messages = problems(with_part("attention", Forgetful))
    assert "2 tensors are trained but not registered" in messages
    assert "nn.ModuleList" in messages


def test_parameter_without_gradient_is_reported() -> None:
    class Idle(Echo):
        def __init__(self, settings: Settings, sizes: Sizes) -> None:
            super().__init__(settings, sizes)
            self.spare = nn.Linear(3, 3)

    messages = problems(with_part("attention", Idle))
    assert "no gradient reaches" in messages
    assert "attention.spare.weight" in messages
    assert "attention.spare.bias" in messages


def test_values_that_are_not_finite_are_reported() -> None:
    class Broken(Echo):
        def forward(self, codes: Tensor, clock: Tensor, state: State) -> tuple[Tensor, State]:
            return self.linear(codes) / 0, state

    assert "not all finite" in problems(with_part("attention", Broken))


def test_exception_of_a_part_is_reported_with_the_parts() -> None:
    class Bad(Sampler):
        def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
            return features @ codes

        def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
            raise KeyError("codes")

        def sample(
            self, features: Tensor, state: State, generator: Generator, temperature: float = 1.0
        ) -> tuple[Tensor, State]:
            return features, state

    messages = problems(with_part("sampler", Bad))
    assert "training failed (RuntimeError" in messages
    assert "scoring failed (KeyError" in messages
    assert "generating failed" in messages
    assert "sampler=ours" in messages


def test_all_classes_that_cannot_be_loaded_are_reported() -> None:
    base = with_part("attention", "nowhere.to_be:Found")
    choice = base.parts["sampler"]
    lost = replace(choice.entry.description, target="zoo.errors:ZooError")
    entry = replace(choice.entry, description=lost)
    wrong = replace(base, parts={**base.parts, "sampler": replace(choice, entry=entry)})
    with pytest.raises(PluginError) as caught:
        build(wrong)
    assert len(caught.value.problems) == 2
    assert "No module named 'nowhere'" in str(caught.value)
    assert "zoo.parts.interfaces.Sampler" in str(caught.value)


def test_a_model_can_be_built_where_gradients_are_off() -> None:
    with torch.no_grad():
        model = build(parse_recipe("attention=none", open_registry()))
    assert all(parameter.grad is None for parameter in model.parameters())
