"""Settings: what a user may set of a part, with help and bounds."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

RESERVED = frozenset(name for name in dir(BaseModel) if name.startswith("model_"))
"""Names that pydantic keeps for itself."""


class _NamedFreely(ModelMetaclass):
    """Lets settings be called `schema` or `copy`, of which pydantic warns because methods once were."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **more: Any) -> type:
        named = namespace.get("__annotations__", {})
        if taken := sorted(RESERVED & set(named)):
            raise TypeError(f"a setting cannot be called {' or '.join(taken)}, a name that pydantic keeps")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Field name .* shadows an attribute in parent", UserWarning)
            return super().__new__(mcs, name, bases, namespace, **more)


class Settings(BaseModel, metaclass=_NamedFreely):
    """What a user may set of a part. Subclass it; unknown names are refused, values never change.

    Every field is made by `setting`, so each has a help text and bounds. Names that begin with `model_` are
    taken.
    """

    # Built when first used: a mistake in a recipe is answered without building any.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def setting(default: Any, help: str, *, live: bool = False, **bounds: Any) -> Any:
    """A field of `Settings`: its default, what it means to a musician, and its bounds.

    Args:
        default: the value when the user says nothing.
        help: one line for `zoo show` and the documentation.
        live: whether it may be changed on a trained model without touching a weight
            (`zoo evaluate BUNDLE sampler.paths=100`).
        bounds: pydantic's own: `ge`, `gt`, `le`, `lt`, `multiple_of`, `min_length`, `max_length`.
    """
    return Field(default, description=help, json_schema_extra={"live": live}, **bounds)
