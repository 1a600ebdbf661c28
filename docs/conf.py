"""How the documentation is built: `python -m sphinx -W --keep-going -n docs docs/_build/html`, from the root."""

from __future__ import annotations

import re
from importlib.metadata import version as installed_version
from typing import Any

project = "lightning-comixup"
author = "The lightning-comixup developers"
project_copyright = author
release = version = installed_version(project)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["width.css"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# In the docstrings single backticks mean code, as in Markdown.
default_role = "code"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
maximum_signature_line_length = 88
autodoc_typehints_format = "short"
autodoc_type_aliases = {"GeneratorLike": "lightning_comixup.GeneratorLike"}  # two kinds named Generator
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Names of other packages: their inventories would have to be fetched at every build.
_FOREIGN = r"(collections|lightning|matplotlib|numpy|pathlib|torch|torchmetrics|typing)\..*|Figure|Path|Tensor"
nitpick_ignore_regex = [("py:.*", _FOREIGN)]

# Aliases of types, which Sphinx leaves as they are written; the API page describes them by their full names.
_ALIASES = (
    "AveragedKeys",
    "BatchKey",
    "CleanGradientMethod",
    "CleanLoss",
    "GeneratorLike",
    "GridSize",
    "LossFunction",
    "LossKind",
    "OnNonfinite",
    "PerSampleLoss",
    "Reduction",
    "SaliencyFunction",
    "Solver",
    "Thresholding",
)

# `(B, *spatial)`: a star before a word is no emphasis in the docstrings. What napoleon has escaped stays as it is.
_STAR = re.compile(r"(?<![\w\\*])(\*{1,2})(?=\w)")


def escape_stars(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Escape the stars of a docstring, whose lines are changed in place as Sphinx wants it."""
    lines[:] = [_STAR.sub(lambda found: found[1].replace("*", r"\*"), line) for line in lines]


def link_alias(app: Any, env: Any, node: Any, text: Any) -> Any:
    """Return a link to the description of an alias; None for any other name."""
    alias = node.get("reftarget", "").rpartition(".")[2]
    if alias not in _ALIASES:
        return None
    name = f"lightning_comixup.{alias}"
    return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, text)


def setup(app: Any) -> None:
    """Connect to the build."""
    app.connect("autodoc-process-docstring", escape_stars, priority=900)  # after napoleon
    app.connect("missing-reference", link_alias)
