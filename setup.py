"""Finds the packages, and puts the menu, `registry.toml`, beside the core; pyproject.toml has the rest."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PLUGINS = ["zoo_plugins", *(f"zoo_plugins.{name}" for name in find_packages("plugins"))]


class BuildWithMenu(build_py):
    """`registry.toml` lies at the top level of the project, outside any package."""

    def run(self) -> None:
        """Build as usual, then copy the menu; an editable install reads it where it is."""
        super().run()
        if not self.editable_mode:
            self.copy_file("registry.toml", str(Path(self.build_lib) / "zoo" / "registry.toml"))


setup(packages=[*find_packages(include=["zoo", "zoo.*"]), *PLUGINS], cmdclass={"build_py": BuildWithMenu})
