"""polyzoo: a plugin-architecture model zoo for polyphonic symbolic music.

>>> m = zoo.build("decoder=rbm attention=hierarchical")
>>> m.fit("bach", minutes=2)
>>> m.generate(frames=256).write("out.mid")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.api import ZooModel
    from zoo.create import build, load
    from zoo.data import Corpus, open_corpus
    from zoo.music.roll import Roll
    from zoo.search.api import tune
    from zoo.train.callback import Callback

__version__ = "0.2.0"

__all__ = ["Callback", "Corpus", "Roll", "ZooModel", "__version__", "build", "load", "open_corpus", "tune"]

_MODULES = {
    "ZooModel": "zoo.api",
    "build": "zoo.create",
    "load": "zoo.create",
    "Callback": "zoo.train.callback",
    "Corpus": "zoo.data",
    "open_corpus": "zoo.data",
    "Roll": "zoo.music.roll",
    "tune": "zoo.search.api",
}


def __getattr__(name: str) -> Any:
    """Import torch only when a model is built or loaded, and numpy only when music is opened."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
