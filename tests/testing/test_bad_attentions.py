"""Attentions that break their contract, each in one way; they also cover the checks common to all slots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import zoo.testing
from zoo.errors import Problem
from zoo.parts import Description, Settings, setting
from zoo.parts.clock import CLOCK
from zoo.parts.interfaces import Attention
from zoo.parts.layers import LSTM, with_clock


class Widths(Settings):
    width: int = setting(6, "width of the LSTM", ge=1, le=64)


class Good(Attention):
    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features = settings.width
        self.lstm = LSTM(sizes.inputs + CLOCK, settings.width)

    def start(self, past):
        return self.lstm.start(past.shape[0])

    def forward(self, codes, clock, state):
        return self.lstm(with_clock(codes, clock), state)


def described(target: type, settings: type[Settings] = Widths, **changes) -> Description:
    given = {
        "slot": "attention",
        "name": "toy",
        "summary": "An LSTM that hears every frame",
        "gives": lambda chosen: {"features": chosen.width},
    }
    return Description(target=target, settings=settings, **{**given, **changes})


def caught(description: Description) -> set[str]:
    return {outcome.check.name for outcome in zoo.testing.run(description).having("failed")}


@pytest.fixture(autouse=True)
def _default_dtype() -> Iterator[None]:
    yield
    torch.set_default_dtype(torch.float32)


def test_a_good_attention_passes_every_check():
    report = zoo.testing.run(described(Good))
    assert report.ok, report.having("failed")
    assert {outcome.check.name for outcome in report.having("skipped")} == {
        "plugin_loads_without_torch",
        "live_settings_take_effect",
        "padding_is_not_counted",
        "calibration_starts_afresh",
    }


def test_dropout_in_training_is_allowed():
    class Drops(Good):
        def forward(self, codes, clock, state):
            features, state = super().forward(codes, clock, state)
            return torch.nn.functional.dropout(features, 0.5, self.training), state

    assert caught(described(Drops)) == set()


def test_dropout_outside_of_training_is_caught():
    class DropsAlways(Good):
        def forward(self, codes, clock, state):
            features, state = super().forward(codes, clock, state)
            return torch.nn.functional.dropout(features, 0.5), state

    assert {"global_state_is_unchanged", "same_seed_same_result"} <= caught(described(DropsAlways))


class PeeksIntoTheFuture(Good):
    caught_by = ("features_are_causal", "chunks_equal_the_whole")

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return features + codes.flip(1).cumsum(1).flip(1)[..., :1], state


class PeeksBehindAThreshold(Good):
    """A comparison blocks the gradient from future codes, so only changing them reveals the dependence."""

    caught_by = ("features_are_causal", "chunks_equal_the_whole")

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return features + (codes[:, -1:] > 0.5).float().sum(-1, keepdim=True), state


class CountsSilenceAsPast(Good):
    """Training pads the beginning of a piece with silence, so generation would begin in an unknown state."""

    caught_by = ("silence_before_a_piece_is_no_past",)

    def start(self, past):
        return past, super().start(past)

    def forward(self, codes, clock, state):
        past, memory = state
        if past.shape[1]:
            _, memory = super().forward(past, clock.before(past.shape[1]), memory)
        features, memory = super().forward(codes, clock, memory)
        return features, (past[:, :0], memory)


class LosesItsStateBetweenChunks(Good):
    caught_by = ("chunks_equal_the_whole",)

    def forward(self, codes, clock, state):
        _, after = super().forward(codes, clock, state)
        features, _ = super().forward(codes, clock, self.start(codes))
        return features, after


class TakesTheClockOfTheFirstRow(Good):
    caught_by = ("position_comes_from_the_clock",)

    def forward(self, codes, clock, state):
        return super().forward(codes, clock[:1].map(lambda row: row.expand(codes.shape[:2])), state)


class LeaksBetweenRows(Good):
    caught_by = ("rows_are_independent",)

    def forward(self, codes, clock, state):
        return super().forward(codes - codes.mean(0, keepdim=True), clock, state)


class HidesALayerInAList(Good):
    caught_by = ("layers_are_registered", "state_dict_restores")

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.layers = [nn.Linear(self.features, self.features)]

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return self.layers[0](features), state


class HidesALayerInAClosure(Good):
    """Its initial weights are constant, so the check of the state_dict does not notice."""

    caught_by = ("layers_are_registered",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        hidden = nn.Parameter(torch.ones(()))
        self.scale = lambda features: features * hidden

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return self.scale(features), state


class ForgetsABuffer(Good):
    caught_by = ("state_dict_restores",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.register_buffer("fixed", torch.randn(self.features), persistent=False)

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return features + self.fixed, state


class HasAnIdleLayer(Good):
    caught_by = ("every_parameter_learns",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.idle = nn.Linear(3, 3)


class LearnsNothing(Good):
    caught_by = ("toy_music_is_learned",)

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return features * 1e-6, state


class RollsGlobalDice(Good):
    caught_by = ("global_state_is_unchanged",)

    def forward(self, codes, clock, state):
        torch.rand(1)
        return super().forward(codes, clock, state)


class HasOtherWeightsEveryTime(Good):
    caught_by = ("same_seed_same_result",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        chance = torch.Generator()
        chance.seed()
        self.bias = nn.Parameter(torch.randn(self.features, generator=chance))

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return features + self.bias, state


class ChangesItsDtype(Good):
    caught_by = ("outputs_have_the_right_shape",)

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return features.double(), state


class SqueezesASingleRow(Good):
    caught_by = ("any_length_works",)

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return features.squeeze(0), state


class BreaksOnSilence(Good):
    caught_by = ("silence_and_all_keys_are_finite",)

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        mute = codes.shape[1] == 4 and not codes.any()
        return features / (0 if mute else 1), state


class ModifiesTheClock(Good):
    """Adds four bars, which does not change the features of the clock."""

    caught_by = ("inputs_are_unchanged",)

    def forward(self, codes, clock, state):
        clock.bar.add_(4)
        return super().forward(codes, clock, state)


class ModifiesItsState(Good):
    caught_by = ("inputs_are_unchanged",)

    def forward(self, codes, clock, state):
        result = super().forward(codes, clock, [memory.clone() for memory in state])
        with torch.no_grad():
            state[0].mul_(0.5)
        return result


class CountsInItsState(Good):
    caught_by = ("state_is_batch_first",)

    def start(self, past):
        return super().start(past), 0

    def forward(self, codes, clock, state):
        features, memory = super().forward(codes, clock, state[0])
        return features, (memory, state[1] + codes.shape[1])


class KeepsLayersInFront(Good):
    caught_by = ("state_is_batch_first",)

    def start(self, past):
        return tuple(memory.unsqueeze(0) for memory in super().start(past))

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, [memory.squeeze(0) for memory in state])
        return features, tuple(memory.unsqueeze(0) for memory in state)


class ForgetsTheDevice(Good):
    caught_by = ("device_is_respected",)

    def start(self, past):
        zeros = torch.zeros(past.shape[0], self.features)
        return zeros, zeros


class Explodes(Good):
    caught_by = ("huge_weights_give_finite_numbers",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.linear = nn.Linear(self.features, self.features)

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return self.linear(features).exp(), state


class KnowsOnlyFourCodes(Good):
    caught_by = ("builds_by_default", "more_than_codes_can_be_heard")

    def forward(self, codes, clock, state):
        return super().forward(codes.view(*codes.shape[:2], 4), clock, state)


class ReturnsTooManyFeatures(Good):
    caught_by = ("outputs_have_the_right_shape", "any_length_works", "silence_and_all_keys_are_finite")

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return torch.cat([features, features], -1), state


class HasUndeclaredWidth(Good):
    caught_by = ("sizes_are_as_declared",)

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features += 1

    def forward(self, codes, clock, state):
        features, state = super().forward(codes, clock, state)
        return torch.cat([features, features[..., :1]], -1), state


BAD = [bad for bad in Good.__subclasses__() if hasattr(bad, "caught_by")]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_attention_is_caught(bad):
    assert caught(described(bad)) == set(bad.caught_by)


class HearsCodesOnly(Good):
    """As before encoders could give more: the input layer has the width of the codes."""

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.lstm = LSTM(sizes.codes + CLOCK, settings.width)


def test_an_attention_that_hears_codes_only_has_to_say_so():
    def fit(settings, facts):
        if facts.get("encoder.inputs", facts["encoder.codes"]) != facts["encoder.codes"]:
            yield Problem("it hears codes only")

    assert caught(described(HearsCodesOnly)) == {"more_than_codes_can_be_heard"}
    report = zoo.testing.run(described(HearsCodesOnly, fit=fit))
    assert report.ok
    assert "more_than_codes_can_be_heard" in {outcome.check.name for outcome in report.having("skipped")}


def test_changing_the_default_dtype_is_caught():
    class ChangesTheDefaultDtype(Good):
        def start(self, past):
            torch.set_default_dtype(torch.float64)
            return super().start(past)

    assert "global_state_is_unchanged" in caught(described(ChangesTheDefaultDtype))


class Undocumented(Settings):
    width: int = 6


class Unbounded(Settings):
    width: int = setting(6, "width of the LSTM")


class OutOfItsBounds(Settings):
    width: int = setting(6, "width of the LSTM", ge=7, le=64)


class AllowsZeroWidth(Settings):
    width: int = setting(6, "width of the LSTM", ge=0, le=64)


class LiveWidth(Settings):
    width: int = setting(6, "width of the LSTM", ge=1, le=64, live=True)


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        (Undocumented, "settings_are_documented"),
        (Unbounded, "settings_are_documented"),
        (OutOfItsBounds, "settings_are_documented"),
        (AllowsZeroWidth, "settings_work_at_their_bounds"),
        (LiveWidth, "live_settings_take_effect"),
    ],
)
def test_bad_settings_are_caught(settings, check):
    assert caught(described(Good, settings)) == {check}


def test_bounds_that_fit_rejects_are_not_tried():
    def fit(settings, facts):
        if settings.width == 0:
            yield Problem("a width of 0 fits no sampler")

    outcomes = zoo.testing.run(described(Good, AllowsZeroWidth, fit=fit)).outcomes
    verdicts = {outcome.check.name: outcome.verdict for outcome in outcomes}
    assert verdicts["settings_work_at_their_bounds"] == "skipped"


@pytest.mark.parametrize("change", [{"name": "Two Words"}, {"summary": ""}, {"summary": "a\nb"}, {"api": 99}])
def test_a_bad_description_is_caught(change):
    assert caught(described(Good, **change)) == {"description_is_complete"}


def test_every_check_of_an_attention_is_covered():
    covered = set().union(*(bad.caught_by for bad in BAD)) | {
        "more_than_codes_can_be_heard",
        "settings_are_documented",
        "settings_work_at_their_bounds",
        "live_settings_take_effect",
        "description_is_complete",
    }
    elsewhere = {"plugin_loads_without_torch", "padding_is_not_counted", "calibration_starts_afresh"}
    assert covered | elsewhere == {check.name for check in zoo.testing.checks("attention")}
