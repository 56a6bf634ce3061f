"""A software bill of materials of this environment: what polyzoo needs, with versions and licences.

    python tests/dependencies/sbom.py FILE

writes CycloneDX 1.5 (https://cyclonedx.org) from the metadata of the installed packages, without a network.
`make sbom` writes it to build/polyzoo.cdx.json.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = "polyzoo"


def normal(name: str) -> str:
    """The name of a distribution in the form that package URLs have."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(name: str) -> Iterator[str]:
    """The installed distributions that a distribution requires; those of extras and other systems too."""
    for requirement in metadata.requires(name) or ():
        required = normal(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
        extra = re.search(r"extra\s*==", requirement)
        if (not extra or name == ROOT) and is_installed(required):
            yield required


def is_installed(name: str) -> bool:
    """Whether a distribution is installed."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def reached() -> dict[str, list[str]]:
    """Distribution -> what it needs, for all that polyzoo needs."""
    graph: dict[str, list[str]] = {}
    waiting = [ROOT]
    while waiting:
        name = waiting.pop()
        if name not in graph:
            graph[name] = sorted(set(needs(name)) - {name})
            waiting += graph[name]
    return graph


def component(name: str) -> dict[str, Any]:
    """A package as CycloneDX describes it."""
    package = metadata.metadata(name)
    version = package["Version"]
    license = package.get("License-Expression") or _classified(package) or package.get("License")
    licenses = [{"license": {"name": license.splitlines()[0][:100]}}] if license else []
    kind = "application" if name == ROOT else "library"
    purl = f"pkg:pypi/{name}@{version}"
    return {
        "type": kind,
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": licenses,
    }


def _classified(package: Any) -> str:
    classifiers = package.get_all("Classifier") or []
    licenses = (line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::"))
    return next(licenses, "")


def bill() -> dict[str, Any]:
    """The whole bill of materials, which depends only on the environment."""
    graph = reached()
    parts = {name: component(name) for name in sorted(graph)}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": parts[ROOT]},
        "components": [part for name, part in parts.items() if name != ROOT],
        "dependencies": [
            {
                "ref": parts[name]["bom-ref"],
                "dependsOn": [parts[dependency]["bom-ref"] for dependency in graph[name]],
            }
            for name in sorted(graph)
        ],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(bill(), indent=2) + "\n", "utf-8")
