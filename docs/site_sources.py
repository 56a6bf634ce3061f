"""The documents of the repository as sources of the site: copied, with their links rewritten.

Documents link to files of the repository as a code host resolves them. In the site, a link to a document
leads to its page, and a link to code leads to a page that shows the code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

PAGES = Path("docs") / "website" / "pages"
RENAMED = {
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs/parts.md": "gallery.md",
}
FOLDERS = {
    "plugins": "gallery.md",
    "benchmarks": "benchmarks.md",
    "benchmarks/speed/results": "benchmarks.md",
    "benchmarks/studies/results": "benchmarks.md",
    "benchmarks/submissions": "leaderboard.md",
}
NOTEBOOK = ".ipynb"
PICTURES = (".svg", ".png")
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json"}
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def documents(root: Path) -> Iterator[str]:
    """The documents that are pages of the site, by their paths in the repository."""
    yield from ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")
    for pattern in ("docs/*.md", "plugins/*/README.md", "notebooks/*.ipynb"):
        yield from (path.relative_to(root).as_posix() for path in sorted(root.glob(pattern)))


def page_of(document: str) -> str:
    """Where the page of a document is among the sources."""
    if document in RENAMED:
        return RENAMED[document]
    place = Path(document)
    if place.suffix == NOTEBOOK:
        return f"notebooks/{place.stem}.md"
    return f"plugins/{place.parent.name}.md" if place.parts[0] == "plugins" else place.name


def stage(root: Path, sources: Path) -> None:
    """Write the pages that exist as documents, and those of the code that they link to.

    Raises:
        FileNotFoundError: a document links to something that is not in the repository.
    """
    shutil.copytree(root / PAGES, sources)
    for document in documents(root):
        if document != "docs/parts.md":  # the gallery has its content
            text = Links(root, sources, document, page_of(document)).rewritten()
            head = "---\norphan: true\n---\n" if document.startswith("plugins/") else ""
            write(sources / page_of(document), head + text)
            if document.endswith(NOTEBOOK):
                write_copy(root / document, sources / document)
    toctrees = root / PAGES / "index.md"
    append(sources / "index.md", toctrees.read_text("utf-8"))


def write(path: Path, text: str) -> None:
    """Write a page, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def append(path: Path, text: str) -> None:
    """Write text at the end of a page."""
    write(path, f"{path.read_text('utf-8')}\n{text}\n")


class Links:
    """The links of a document, for its page in the site."""

    def __init__(self, root: Path, sources: Path, document: str, page: str) -> None:
        self.root, self.sources, self.document, self.page = root, sources, document, page

    def rewritten(self) -> str:
        """The text of the document, its links leading to pages."""
        file = self.root / self.document
        text = notebook_text(file) if file.suffix == NOTEBOOK else file.read_text("utf-8")
        return LINK.sub(self._rewrite, text)

    def _rewrite(self, link: re.Match[str]) -> str:
        name, anchor = link[1], link[2] or ""
        target = Path(os.path.normpath(Path(self.document).parent / name)).as_posix()
        if target == "docs/parts.md" and anchor:
            return self._from_here(part_page(anchor))
        return self._from_here(self._page_of(target)) + anchor

    def _page_of(self, target: str) -> str:
        place = self.root / target
        if not place.exists():
            raise FileNotFoundError(f"{self.document} links to {target}, which does not exist")
        if target in FOLDERS:
            return FOLDERS[target]
        if place.suffix in (".md", NOTEBOOK):
            return page_of(target)
        if place.suffix in PICTURES:
            write_copy(place, self.sources / "pictures" / place.name)
            return f"pictures/{place.name}"
        return write_code_page(self.root, self.sources, target)

    def _from_here(self, page: str) -> str:
        return os.path.relpath(page, Path(self.page).parent)


def notebook_text(file: Path) -> str:
    """The cells of a notebook as Markdown, without outputs, and a link to download it below the title."""
    cells = json.loads(file.read_text("utf-8"))["cells"]
    texts = [("".join(cell["source"]), cell["cell_type"]) for cell in cells]
    text = "\n\n".join(text if kind == "markdown" else f"```python\n{text}\n```" for text, kind in texts)
    return below_title(text, f"{{download}}`Download this notebook <{file.name}>` and open it in Jupyter.")


def below_title(page: str, line: str) -> str:
    """A page with another first paragraph."""
    title, _, rest = page.partition("\n")
    return f"{title}\n\n{line}\n{rest}"


def part_page(anchor: str) -> str:
    """The page of a part, from the anchor of its section in docs/parts.md."""
    from zoo.parts import SLOTS

    slot = next(slot for slot in SLOTS if anchor.startswith(f"#{slot}"))
    return f"parts/{slot}-{anchor.removeprefix(f'#{slot}')}.md"


def write_copy(file: Path, to: Path) -> None:
    """Copy a file, with its folder."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, to)


def write_code_page(root: Path, sources: Path, file: str) -> str:
    """A page that shows a file of code and that the search leaves out; where it is among the sources."""
    page = f"code/{file}.md"
    write(
        sources / page, f"---\norphan: true\nnosearch: true\n---\n\n# {file}\n\n{code_block(root / file)}\n"
    )
    return page


def code_block(file: Path) -> str:
    """A file of code as a block with numbered lines."""
    language = LANGUAGES.get(file.suffix, "text")
    return f"````{{code-block}} {language}\n:linenos:\n\n{file.read_text('utf-8').rstrip()}\n````"
