"""Encoders that break their contract, each in one way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import zoo.testing
from zoo.parts import Description
from zoo.parts.counted import CountedResidual
from zoo.parts.interfaces import Encoder

CLASSES = torch.arange(88) % 12 == torch.arange(12).unsqueeze(-1)


class Good(Encoder):
    def __init__(self, settings, membership=CLASSES):
        super().__init__(settings, membership, plane="onset")


class Sounding(Encoder):
    """A valid encoder of the other plane."""

    def __init__(self, settings):
        super().__init__(settings, CLASSES, plane="sounding")


def described(target: type, plane: str = "onset", codes: int = 12) -> Description:
    return Description(
        slot="encoder",
        name="toy",
        summary="Pitch classes",
        target=target,
        gives=lambda settings: {"codes": codes, "plane": plane},
    )


def caught(description: Description) -> set[str]:
    return {outcome.check.name for outcome in zoo.testing.run(description).having("failed")}


@pytest.mark.parametrize(("good", "plane"), [(Good, "onset"), (Sounding, "sounding")])
def test_a_good_encoder_passes_every_check(good, plane):
    report = zoo.testing.run(described(good, plane))
    assert report.ok, report.having("failed")
    assert len(report.having("skipped")) == 4


class DropsTheTopOctave(Good):
    """As in the original system: keys above the 84th belong to no code."""

    caught_by = ("every_key_has_one_code", "a_frame_is_heard_by_itself")

    def __init__(self, settings):
        super().__init__(settings, CLASSES & (torch.arange(88) < 84))


class HasAnEmptyCode(Good):
    caught_by = ("every_key_has_one_code",)

    def __init__(self, settings):
        super().__init__(settings, torch.arange(88) % 11 == torch.arange(12).unsqueeze(-1))


class FoldsOnlyTwoKeys(Good):
    """Sets a code unless the number of its keys is a multiple of three."""

    caught_by = ("codes_are_folded_keys",)

    def fold(self, keys):
        return (keys @ self.membership.T.to(keys) % 3 > 0).to(keys)


class HearsTheFuture(Good):
    caught_by = ("a_frame_is_heard_by_itself",)

    def heard(self, keys, codes):
        return self.fold(keys.flip(1).cummax(1).values.flip(1))


class HearsSilenceAsSound(Good):
    caught_by = ("a_frame_is_heard_by_itself",)

    def heard(self, keys, codes):
        return codes - 0.5


class HearsNoBass(Good):
    caught_by = ("a_frame_is_heard_by_itself",)

    def heard(self, keys, codes):
        return self.fold(torch.cat([keys[..., :20] * 0, keys[..., 20:]], -1))


class HearsMoreThanItSays(Good):
    caught_by = ("outputs_have_the_right_shape", "any_length_works", "silence_and_all_keys_are_finite")

    def heard(self, keys, codes):
        return torch.cat([keys, codes], -1)


class ModelsTheOtherPlane(Good):
    caught_by = (
        "keys_are_the_declared_plane",
        "residual_probabilities_sum_to_one",
        "restored_planes_agree_with_keys",
        "restored_planes_match_their_scores",
    )

    def keys(self, onset, sounding):
        return sounding.float()


class UsesSoundingForOnset(Good):
    """Uses the sounding keys if the onsets are unknown."""

    caught_by = ("keys_are_the_declared_plane",)

    def keys(self, onset, sounding):
        return super().keys(sounding if onset is None else onset, sounding)


class Overconfident(CountedResidual):
    def log_prob(self, onset, sounding, clock):
        return super().log_prob(onset, sounding, clock) / 2


class ScoresTheResidualWrong(Good):
    caught_by = ("residual_probabilities_sum_to_one", "restored_planes_match_their_scores")

    def __init__(self, settings):
        super().__init__(settings)
        self.residual = Overconfident("onset")


class Legato(CountedResidual):
    """Holds every note until the end, unlike what it scores."""

    def restore(self, keys, clock, generator, opening=None):
        onset = keys > 0
        return onset, onset.cummax(1).values


class RestoresLegato(Good):
    caught_by = ("restored_planes_match_their_scores",)

    def __init__(self, settings):
        super().__init__(settings)
        self.residual = Legato("onset")


class Ghosts(CountedResidual):
    """Adds sounding keys that were never struck."""

    def restore(self, keys, clock, generator, opening=None):
        onset, sounding = super().restore(keys, clock, generator, opening)
        ghost = torch.rand(sounding.shape, generator=generator, device=keys.device) < 0.01
        return onset, sounding | ghost


class RestoresGhosts(Good):
    caught_by = ("restored_planes_agree_with_keys", "restored_planes_match_their_scores")

    def __init__(self, settings):
        super().__init__(settings)
        self.residual = Ghosts("onset")


class HasUntrainedWeights(Good):
    caught_by = ("every_parameter_learns",)

    def __init__(self, settings):
        super().__init__(settings)
        self.linear = nn.Linear(2, 2)


class Forgetful(CountedResidual):
    def count(self, onset, sounding, clock, *, mask):
        super().count(onset, sounding, clock, mask=torch.ones_like(mask))


class CountsPadding(Good):
    caught_by = ("padding_is_not_counted",)

    def __init__(self, settings):
        super().__init__(settings)
        self.residual = Forgetful("onset")


BAD = list(Good.__subclasses__())


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_encoder_is_caught(bad):
    assert caught(described(bad)) == set(bad.caught_by)


def test_what_is_heard_beside_the_codes_is_a_fact():
    class HearsKeys(Good):
        def __init__(self, settings):
            super(Good, self).__init__(settings, CLASSES, plane="onset", inputs=88)

        def heard(self, keys, codes):
            return keys

    assert caught(described(HearsKeys)) == {"sizes_are_as_declared"}
    facts = {"codes": 12, "inputs": 88, "plane": "onset"}
    assert caught(replace(described(HearsKeys), gives=lambda settings: facts)) == set()


@pytest.mark.parametrize("lie", [{"codes": 11}, {"plane": "sounding"}])
def test_a_wrong_fact_is_caught(lie):
    assert caught(described(Good, **lie)) == {"sizes_are_as_declared"}


def test_every_check_of_an_encoder_is_covered():
    covered = set().union(*(bad.caught_by for bad in BAD))
    common = {check.name for check in zoo.testing.checks("attention")}
    assert {check.name for check in zoo.testing.checks("encoder")} - common <= covered
