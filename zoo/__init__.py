"""polyzoo: a plugin-architecture model zoo for polyphonic symbolic music."""

__version__ = "0.1.0"
