"""The memory of a decoder: an attention over keys instead of codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from zoo_plugins.copying.copying import Copying
from zoo_plugins.copying.settings import CopyingSettings
from zoo_plugins.lags.lags import Lags
from zoo_plugins.lags.settings import LagsSettings
from zoo_plugins.stacked.settings import StackedSettings
from zoo_plugins.stacked.stacked import Stacked
from zoo_plugins.transformer.settings import TransformerSettings
from zoo_plugins.transformer.transformer import Transformer

from zoo.parts.interfaces import Attention, Sizes

ATTENTIONS: Mapping[str, Callable[[Sizes], Attention]] = {
    "lags": partial(Lags, LagsSettings()),
    "stacked": partial(Stacked, StackedSettings()),
    "transformer": partial(Transformer, TransformerSettings()),
    "copying": partial(Copying, CopyingSettings()),
}


def attention_over_keys(name: str, sizes: Sizes) -> Attention:
    """One of the `ATTENTIONS`, with its default settings, that receives keys (B, T, K) in place of codes."""
    each = torch.eye(sizes.keys, dtype=torch.bool, device=sizes.membership.device)
    return ATTENTIONS[name](Sizes(sizes.keys, 0, each, sizes.keys, sizes.grid))
