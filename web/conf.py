"""Sphinx configuration of the site. `web/build.py` calls Sphinx; see web/README.md."""

import hashlib
import json
import logging
import os
import sys
from pathlib import Path

from bs4 import BeautifulSoup  # furo needs it as well

import minisiam

WEB = Path(__file__).parent
sys.path.insert(0, str(WEB))

project = "minisiam"
author = "The minisiam maintainers"
project_copyright = "2026, the minisiam maintainers"
version = release = minisiam.__version__
html_title = "minisiam"
language = "en"

extensions = [
    "myst_nb",                            # Markdown pages, and the lessons, executed
    "numpydoc",                           # docstrings
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",                # the source beside each function
    "sphinxcontrib.katex",                # maths, rendered when the site is built: pages need no script for it
]  # fmt: skip
exclude_patterns = [
    "docs/index.md",                      # the list of pages for readers of the repository
    "docs/derivations/*",                 # parts of the pages of losses and distances
    "downloads",                          # the scripts and notebooks as files
]  # fmt: skip
suppress_warnings = ["mystnb.unknown_mime_type"]

# lessons are percent scripts, and the scripts are the originals
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_cache_path = str(WEB.parent / "build" / "executed")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
logging.getLogger("traitlets").setLevel(logging.WARNING)  # not a line for each lesson

myst_enable_extensions = ["dollarmath", "attrs_inline", "attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

default_role = "code"  # `x` in a docstring is code
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "furo"
html_static_path = ["static", "../build/static"]
html_css_files = ["page.css", "losses.css"]
html_context = {
    "made_by": [hashlib.sha256(path.read_bytes()).hexdigest() for path in (Path(__file__), WEB / "cell_seconds.json")]
}  # a change of these changes every page
html_copy_source = False
html_show_sourcelink = False
html_favicon = "static/favicon.svg"
html_theme_options = {
    "footer_icons": [],
    "light_css_variables": {"color-brand-primary": "#1f5fa8", "color-brand-content": "#1f5fa8",
                            "color-brand-visited": "#6b3fa0"},
    "dark_css_variables": {"color-brand-primary": "#8ab8f0", "color-brand-content": "#8ab8f0",
                           "color-brand-visited": "#c4a3ea"},
}  # fmt: skip
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

katex_prerender = True
katex_css_path = "vendor/katex/katex.min.css"

os.environ.setdefault("PYTHONPATH", str(WEB.parent))  # the kernels that run the lessons


def escape_bars(app, what, name, obj, options, lines):
    """In a docstring, |x| is an absolute value, and not a substitution of reStructuredText."""
    lines[:] = ["`".join(part if i % 2 else part.replace("|", "\\|") for i, part in enumerate(line.split("`")))
                for line in lines]  # fmt: skip


def add_cells(app, page, template, context, doctree):
    """To pages with code cells, add the script that runs them, with the seconds of the slow ones."""
    body = context.get("body", "")
    if 'class="cell_input' not in body:
        return
    seconds = json.loads((WEB / "cell_seconds.json").read_text(encoding="utf-8")).get(page, {})
    app.add_css_file("editor.css")
    app.add_css_file("cells.css")
    if "/python.js" not in body:
        app.add_js_file("python.js", loading_method="defer")
    app.add_js_file("cells.js", loading_method="defer", **{"data-seconds": json.dumps(seconds)})


STYLED = {"mystnb": 'class="cell', "katex": 'class="katex'}  # styles that few pages need


def finish(app, page, template, context, doctree):
    """What the theme leaves out for screen readers and the keyboard, and what it puts into every page but few need.

    A heading gets its level, and a block that scrolls can have the focus. Of the contents only this part is open.
    """
    body = context.get("body", "").replace("<pre>", '<pre tabindex="0">')
    context["body"] = body
    context["css_files"] = [
        style for style in context["css_files"]
        if all(mark in body for name, mark in STYLED.items() if name in str(style.filename))
    ]  # fmt: skip
    if "furo_navigation_tree" in context:
        tree = BeautifulSoup(context["furo_navigation_tree"], "html.parser")
        for part in tree.select("li.toctree-l1:not(.current) > :not(a)"):
            part.decompose()
        for heading in tree.select("[role=heading]"):
            heading["aria-level"] = "2"
        context["furo_navigation_tree"] = str(tree)


def setup(app):
    """Connect what is defined here."""
    app.connect("html-page-context", add_cells)
    app.connect("html-page-context", finish, priority=900)  # after the theme
    app.connect("autodoc-process-docstring", escape_bars)
