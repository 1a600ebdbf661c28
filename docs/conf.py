"""Configuration of the documentation.

Build it from the root of the clone with `python -m sphinx -W --keep-going -n docs docs/_build/html`.
"""

from __future__ import annotations

import os
import re
from importlib.metadata import version as installed_version
from typing import Any

tags: Any = globals()["tags"]  # the tags of the build, which Sphinx sets from its option `-t`

project = "lightning-comixup"
author = "The lightning-comixup developers"
project_copyright = author
release = version = installed_version(project)

extensions = [
    "myst_nb",  # loads myst_parser
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # serves MathJax from the site itself
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]

_REPOSITORY = "https://github.com/lightning-comixup/lightning-comixup"

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["width.css"]
html_theme_options = {
    "source_repository": _REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
    "footer_icons": [{"name": "Repository", "url": _REPOSITORY, "html": "GitHub", "class": "repository"}],
}

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebook is stored with its outputs; tests/test_documentation.py runs it
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# In docstrings, single backticks mean code, as in Markdown.
default_role = "code"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
maximum_signature_line_length = 60  # longer signatures have one parameter per line
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Names from other packages become links if their inventories can be fetched, on Read the Docs and with `-t online`.
# Elsewhere they stay plain text, so that a build without a network does not fail.
intersphinx_mapping: dict[str, tuple[str, None]] = {}
if "READTHEDOCS" in os.environ or tags.has("online"):
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "lightning": ("https://lightning.ai/docs/pytorch/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "torchmetrics": ("https://lightning.ai/docs/torchmetrics/stable", None),
    }
_FOREIGN = (
    r"(collections|lightning|matplotlib|np|numpy|pathlib|torch|torchmetrics|typing)\..*|Figure|NDArray|Path|Tensor"
)
nitpick_ignore_regex = [("py:.*", _FOREIGN)]

# Type aliases. Signatures show them as in the code, and the API page describes them under their full names.
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
autodoc_type_aliases = {alias: alias for alias in _ALIASES}

# Types as autodoc writes them, and as the code does: aliases within other types, NumPy's arrays, torch's module.
_AS_IN_THE_CODE = (
    (re.compile(r"TypeAliasForwardRef\('(\w+)'\)"), r"\1"),
    (
        re.compile(r"~numpy\.ndarray\[tuple\[~typing\.Any, \.\.\.\], ~numpy\.dtype\[([\w~.]+)(\[[^\]]*\])?\]\]"),
        r"~numpy.typing.NDArray[\1]",
    ),
    (re.compile(r"torch\.nn\.modules\.module\.Module"), "torch.nn.Module"),
)

# In docstrings, a star before a word does not mean emphasis, as in `(B, *spatial)`. Stars that napoleon has already
# escaped stay as they are.
_STAR = re.compile(r"(?<![\w\\*])(\*{1,2})(?=\w)")


def write_as_in_the_code(text: str) -> str:
    """Return a signature or a line of a docstring with its types named as in the code."""
    for pattern, name in _AS_IN_THE_CODE:
        text = pattern.sub(name, text)
    return text


def process_docstring(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Escape the stars in a docstring and name its types as in the code. Sphinx expects changes in place."""
    escaped = (_STAR.sub(lambda found: found[1].replace("*", r"\*"), line) for line in lines)
    lines[:] = [write_as_in_the_code(line) for line in escaped]


def process_signature(
    _app: Any, _what: str, _name: str, _object: Any, _options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Return a signature and its return type, with types named as in the code."""
    return signature and write_as_in_the_code(signature), returned and write_as_in_the_code(returned)


def link_alias(app: Any, env: Any, node: Any, text: Any) -> Any:
    """Return a link to the description of an alias, or None for any other name."""
    alias = node.get("reftarget", "").rpartition(".")[2]
    if alias not in _ALIASES:
        return None
    name = f"lightning_comixup.{alias}"
    return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, text)


# GitHub's markup for a dark version of a picture. Sphinx would not copy the files, and its theme uses its own classes.
_PICTURE = re.compile(
    r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="(?P<dark>[^"]+)">\s*'
    r'<img alt="(?P<alt>[^"]+)" src="(?P<light>[^"]+)"[^>]*>\s*</picture>'
)


def process_pictures(_app: Any, _path: Any, _page: str, content: list[str]) -> None:
    """Let the theme choose between the pictures in an included file. Sphinx expects changes in place."""
    content[0] = _PICTURE.sub(r"![\g<alt>](\g<light>){.only-light} ![\g<alt>](\g<dark>){.only-dark}", content[0])


def setup(app: Any) -> None:
    """Connect the functions above to the build."""
    app.connect("include-read", process_pictures)
    app.connect("autodoc-process-docstring", process_docstring, priority=900)  # after napoleon
    app.connect("autodoc-process-signature", process_signature)
    app.connect("missing-reference", link_alias)
