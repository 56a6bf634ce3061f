"""Settings of parts, with help texts and bounds."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

RESERVED = frozenset(name for name in dir(BaseModel) if name.startswith("model_"))
"""Names that pydantic reserves."""


class _SettingsMeta(ModelMetaclass):
    """Allows settings named `schema` or `copy`; pydantic warns that they shadow deprecated methods."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> type:
        fields = namespace.get("__annotations__", {})
        if reserved := sorted(RESERVED & set(fields)):
            raise TypeError(f"a setting cannot be named {' or '.join(reserved)}, which pydantic reserves")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Field name .* shadows an attribute in parent", UserWarning)
            return super().__new__(mcs, name, bases, namespace, **options)


class Settings(BaseModel, metaclass=_SettingsMeta):
    """Base class of the settings of a part; instances are frozen and unknown names are errors.

    Define every field with `setting`, so that it has a help text and bounds. Names that start with `model_`
    are reserved.
    """

    # Validators are built on first use, so that most errors in a recipe are reported without building any.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def setting(default: Any, help: str, *, live: bool = False, **bounds: Any) -> Any:
    """Define a field of `Settings`.

    Args:
        default: the default value.
        help: one line for `zoo show` and the documentation, in musical terms.
        live: whether the setting can be changed on a trained model without changing weights
            (`zoo evaluate BUNDLE sampler.paths=100`).
        bounds: constraints of pydantic: `ge`, `gt`, `le`, `lt`, `multiple_of`, `min_length`, `max_length`.
    """
    return Field(default, description=help, json_schema_extra={"live": live}, **bounds)
