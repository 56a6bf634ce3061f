"""The training settings that a part may propose in its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from zoo.parts.settings import Settings, setting


class OptimizerSettings(Settings):
    """How weights are optimized: the part of the training settings that depends on what is trained.

    Which music is seen, for how long, and on which device is up to the user, so no part proposes it.
    """

    optimizer: Literal["adam", "adamw"] = setting("adam", "Adam, or AdamW with decoupled weight decay")
    lr: float = setting(0.01, "learning rate, the peak of the schedule", gt=0, le=1)
    decay: float = setting(0.0, "weight decay, except of biases and normalization weights", ge=0, le=1)
    warmup: int = setting(0, "training steps over which the learning rate rises linearly to its peak", ge=0)
    schedule: Literal["constant", "cosine"] = setting(
        "constant", "learning rate after the warm-up: constant, or cosine decay to 2 % of it over the budget"
    )
    clip: float = setting(1.0, "maximum norm of the gradient of each loss term", gt=0)
    ema: float = setting(
        0.0,
        "decay of an exponential moving average of the weights, which is validated along with the "
        "weights themselves; 0 for none",
        ge=0,
        lt=1,
    )


def proposal_fault(training: Mapping[str, Any]) -> str:
    """Why a part cannot propose these training settings; empty if it can."""
    known = OptimizerSettings.model_fields
    if unknown := [name for name in training if name not in known]:
        return f"it proposes train.{unknown[0]}; a part can only propose {', '.join(known)}"
    try:
        OptimizerSettings.model_validate(dict(training), strict=True)
    except ValidationError as error:
        detail = error.errors()[0]
        name, reason = detail["loc"][0], detail["msg"]
        return f"it proposes train.{name}={detail['input']}: {reason[0].lower()}{reason[1:]}"
    return ""
