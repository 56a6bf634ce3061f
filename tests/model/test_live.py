import pytest

from zoo.errors import UsageError
from zoo.model.build import build
from zoo.model.live import live_settings, set_live
from zoo.registry import open_registry, parse_recipe


@pytest.fixture(scope="module")
def model():
    return build(parse_recipe("", open_registry()))


def test_live_settings_are_changed_and_returned(model):
    assert set_live(model, ["sampler.paths=7", "velocity.level=90"]) == {
        "sampler.paths": 7,
        "velocity.level": 90,
    }
    assert model.sampler.settings.paths == 7
    assert model.velocity.settings.level == 90


def test_live_settings_come_from_descriptions(model):
    assert "sampler.paths" in live_settings(model)
    assert "sampler.hidden" not in live_settings(model)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("sampler.hidden=3", "this setting cannot be changed after training"),
        ("sampler.pathz=3", "did you mean sampler.paths"),
        ("sampler.paths=0", "it takes a whole number from 1"),
        ("sampler.paths=many", "it takes a whole number from 1"),
        ("decoder=uniform", "a trained model keeps its parts"),
        ("lr=3", "not a setting of a part"),
    ],
)
def test_other_settings_are_rejected_with_a_reason(model, word, reason):
    with pytest.raises(UsageError, match=reason):
        set_live(model, [word])


def test_all_errors_are_reported_and_nothing_is_changed(model):
    before = model.velocity.settings
    with pytest.raises(UsageError) as refused:
        set_live(model, ["velocity.level=33", "sampler.hidden=3", "sampler.paths=5", "sampler.paths=6"])
    assert len(refused.value.problems) == 2
    assert model.velocity.settings is before
