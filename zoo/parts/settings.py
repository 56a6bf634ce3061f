"""Settings: what a user may set of a part, with help and bounds."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """What a user may set of a part. Subclass it; unknown names are refused, values never change.

    Every field is made by `setting`, so each has a help text and bounds.
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
