"""Sphinx's settings. `python -m tools.site` puts notebooks and API pages beside this file."""

import os
from pathlib import Path

project = "interp_utils"
language = "en"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_design",
    "tools.site.mathml",
    "tools.site.docstrings",
]
exclude_patterns = ["extra", "**.ipynb_checkpoints"]

html_theme = "pydata_sphinx_theme"
html_title = "interp_utils"
html_static_path = ["_static"]
html_extra_path = ["extra"] if (Path(__file__).parent / "extra").is_dir() else []
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # it fetches pages, which browsers refuse to pages from a disk
html_math_renderer = "mathml"
# Pages that stand alone have nothing to list beside them.
html_sidebars = {page.stem: [] for page in Path(__file__).parent.glob("*.md")}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "interp_utils"},
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

nb_execution_mode = "off"  # they come executed
nb_ipywidgets_js = {}  # else every page loads require.js and widgets from a network
nb_code_prompt_show = "Show code"
nb_code_prompt_hide = "Hide code"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 60
add_module_names = False
toc_object_entries_show_parents = "hide"


def _scripts(app, page: str, template: str, context: dict, doctree: object) -> None:
    """plotly.js for the pages that have figures, and for no other."""
    body = context.get("body", "")
    if "plotly-figure" in body or "plotly-picture" in body:
        app.add_js_file("plotly.min.js", loading_method="defer", priority=300)
    app.add_js_file("site.js", loading_method="defer", priority=400)


def setup(app) -> None:
    os.environ.setdefault("TQDM_DISABLE", "1")
    app.connect("html-page-context", _scripts)
