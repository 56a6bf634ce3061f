"""Sphinx's configuration of the documents site, which docs/make_site.py builds."""

from __future__ import annotations

from pathlib import Path

from zoo import __version__

project = "polyzoo"
author = "polyzoo contributors"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
root_doc = "index"
highlight_language = "sh"
smartquotes = False  # quotes and dashes of commands stay as they are typed
default_role = "code"

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_use_ivar = True
napoleon_numpy_docstring = False

nitpicky = True
nitpick_ignore_regex = [
    # No inventories are fetched: the build needs no network.
    ("py:.*", r"(torch|numpy|collections|pathlib|fractions|pretty_midi|pluggy|pydantic|click|pytest)\..*"),
    ("py:.*", r"(Path|ArrayLike|PluginManager.*|typing.Literal.*)"),
    # Classes behind the public ones, which no page documents.
    ("py:class", r"(Split|Listen|Stop|Kind|Entry|Learner|Training|RecipeSummary)"),
    ("py:class", r"zoo\.(data\.store|model\.model|registry|testing|train\.compose|parts\.clock)\..*"),
]

html_theme = "furo"
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_title = "polyzoo"
exclude_patterns = ["extra"]
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"
