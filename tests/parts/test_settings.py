"""Names of settings."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.parts import Settings, setting
from zoo.registry.fields import check


def settings_with(*names: str) -> type[Settings]:
    fields: dict[str, Any] = {name: setting(5, "how many", ge=1) for name in names}
    return type(Settings)("Named", (Settings,), {"__annotations__": dict.fromkeys(names, int), **fields})


@pytest.mark.parametrize("name", ["schema", "copy", "json", "validate", "dict", "construct", "fields"])
def test_a_setting_may_have_the_name_of_an_old_method_of_pydantic(name: str) -> None:
    model = settings_with(name)
    result = check(model, {name: 7}, "attention")
    assert not result.problems
    assert getattr(result.settings, name) == 7
    assert getattr(check(model, {}, "attention").settings, name) == 5
    assert result.settings.model_copy(update={name: 8}).model_dump(mode="json") == {name: 8}
    assert check(model, {name: 0}, "attention").problems[0].where == f"attention.{name}=0"


@pytest.mark.parametrize("name", ["model_config", "model_dump", "model_fields", "model_copy"])
def test_a_setting_with_a_reserved_name_is_an_error(name: str) -> None:
    with pytest.raises(TypeError, match=f"a setting cannot be named {name}, which pydantic reserves"):
        settings_with(name)
