"""The device to compute on."""

from __future__ import annotations

import torch

from zoo.errors import Problem, UsageError


def device_of(name: str, where: str = "device") -> torch.device:
    """A device by its name, such as `cuda:1`, or with `auto` the fastest of this machine.

    Args:
        name: `auto`, `cpu`, `cuda`, `cuda:1`, `mps` or another device of torch.
        where: the setting or option that names it.

    Raises:
        UsageError: this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        what = f"this machine has no device {name}"
        separator = " " if where.startswith("-") else "="
        hint = f"{where}{separator}auto takes the fastest there is"
        raise UsageError(Problem(what, where, hint)) from error
