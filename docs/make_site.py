"""Build the documents site, warnings as errors: `python docs/make_site.py [FOLDER]`; see `make site`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from sphinx.cmd.build import build_main

from site_pages import write_generated
from site_sound import EXTRA, write_extra
from site_sources import stage

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = ROOT / "docs" / "website"


def main(words: Sequence[str]) -> int:
    """Stage the sources, generate pages, and run Sphinx; the exit code."""
    output = Path(words[0]).resolve() if words else ROOT / "build" / "site"
    sources = output.with_name(f"{output.name}-sources")
    for folder in (sources, output):
        shutil.rmtree(folder, ignore_errors=True)
    stage(ROOT, sources)
    write_generated(ROOT, sources)
    write_extra(ROOT, sources / EXTRA)
    options = ["-W", "--keep-going", "-q", "-b", "html", "-d", str(sources / ".doctrees")]
    options += ["-D", f"html_extra_path={sources / EXTRA}"]
    return build_main([*options, "-c", str(CONFIGURATION), str(sources), str(output)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
