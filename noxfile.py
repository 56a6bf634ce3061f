"""Installs the package into empty environments, with the oldest and the newest versions: `make versions`.

Each environment runs the commands that a new user runs first. On Linux, PyPI's torch needs CUDA libraries, so
each takes up to 7 GB; an index in PIP_EXTRA_INDEX_URL makes pip install the CPU build.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.options.error_on_missing_interpreters = True

PROJECT = nox.project.load_toml(Path(__file__).with_name("pyproject.toml"))
PYTHONS = nox.project.python_versions(PROJECT)
EXTRAS = sorted(PROJECT["project"]["optional-dependencies"].keys() - {"dev"})
DIST = Path(__file__).with_name("dist")
INSTALLS = [nox.param("*.whl", EXTRAS, id="wheel"), nox.param("*.tar.gz", [], id="sdist")]
"""The wheel with all extras for users, and the sdist with what is always needed."""


def oldest_pins() -> Iterator[str]:
    """Every package that users may need, at its lower bound in pyproject.toml, as pip's constraints."""
    project = PROJECT["project"]
    needs = [project["dependencies"], *(project["optional-dependencies"][each] for each in EXTRAS)]
    for need in map(Requirement, chain.from_iterable(needs)):
        (lowest,) = (each.version for each in need.specifier if each.operator == ">=")
        yield f"{need.name}=={lowest}"


@nox.session(python=PYTHONS[-1])
def archives(session: nox.Session) -> None:
    """Build the sdist, and the wheel from the sdist."""
    session.install("build")
    for old in DIST.glob("polyzoo-*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(DIST), silent=True)


@nox.session(python=PYTHONS[0], requires=["archives"])
@nox.parametrize("pattern, extras", INSTALLS)
def oldest(session: nox.Session, pattern: str, extras: Sequence[str]) -> None:
    """The oldest Python that is supported, and the oldest version of every package."""
    pins = Path(session.create_tmp()) / "oldest.txt"
    pins.write_text("\n".join(oldest_pins()) + "\n")
    try_out(session, pattern, extras, "--constraint", str(pins))


@nox.session(python=PYTHONS[-1], requires=["archives"])
@nox.parametrize("pattern, extras", INSTALLS)
def newest(session: nox.Session, pattern: str, extras: Sequence[str]) -> None:
    """The newest Python that is supported, and the newest version of every package."""
    try_out(session, pattern, extras)


def try_out(session: nox.Session, pattern: str, extras: Sequence[str], *options: str) -> None:
    """Install an archive, then list parts, generate, and train on what was generated or on the chorales."""
    (archive,) = DIST.glob(pattern)
    session.install(f"{archive}[{','.join(extras)}]" if extras else str(archive), *options)
    session.run("python", "-m", "pip", "list")
    session.chdir(tempfile.mkdtemp(dir=session.create_tmp()))
    Path("music").mkdir()
    session.env["ZOO_CACHE"] = "cache"  # so that this version of music21 reads the chorales
    session.run("zoo", "list", silent=True)
    session.run("zoo", "generate", "bach", "-o", "music/new.mid")
    session.run("zoo", "train", "data=music", "train.steps=20", "-o", "run")
    if extras:
        session.run("zoo", "generate", "run", "-o", "new.mid", "--picture", "new.png")
        session.env["TRACKIO_DIR"] = "trackio"
        for tracker in ("tensorboard", "trackio"):
            words = ["train.steps=20", f"train.tracker={tracker}", "-o", tracker]
            session.run("zoo", "train", "data=bach", *words)
        space = ["decoder=lstm,uniform", "train.steps=5", "--trials", "2", "-o", "search"]
        session.run("zoo", "tune", "data=bach", *space)
