"""Runs command lines of `zoo`, each in a forked process, so that torch is imported only once.

    LD_PRELOAD=inject.so python -P server.py

A request is a line of JSON: the words, the working folder, files for the outputs, and variables of the
environment. The answer is a line with the exit code, negative for a signal. See inject.c for the variables.
"""

from __future__ import annotations

import ctypes
import json
import os
import pkgutil
import sys
from importlib import import_module
from typing import Any, NoReturn


def import_all() -> None:
    """Import what commands import, apart from what has to be imported by a command itself."""
    import zoo

    for module in pkgutil.walk_packages(zoo.__path__, "zoo."):
        if not module.name.startswith(("zoo.scaffold", "zoo.bench.on_ray")) and "__main__" not in module.name:
            import_module(module.name)
    import matplotlib.figure  # noqa: F401
    import safetensors.torch  # noqa: F401


def run(request: dict[str, Any]) -> NoReturn:
    """Become the command of a request."""
    from zoo.cli.main import main

    for number, name in enumerate(("/dev/null", request["out"], request["err"])):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(name, flags), number)
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    ctypes.CDLL(None).inject_arm()
    sys.argv = ["zoo", *request["words"]]
    code: Any = 1
    try:
        main()
    except SystemExit as end:
        code = end.code
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def serve() -> None:
    """Answer requests until there are no more."""
    import_all()
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
