"""polyzoo: a plugin-architecture model zoo for polyphonic symbolic music.

In three lines:

>>> m = zoo.build("decoder=rbm attention=hierarchical")
>>> m.fit("bach", minutes=2)
>>> m.generate(frames=256).write("out.mid")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.api import ZooModel, build, load

__version__ = "0.2.0"

__all__ = ["ZooModel", "__version__", "build", "load"]


def __getattr__(name: str) -> Any:
    """Import torch only when somebody builds or loads something."""
    if name in ("ZooModel", "build", "load"):
        from zoo import api

        return getattr(api, name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
