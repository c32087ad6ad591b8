"""Sphinx's configuration of the site, whose sources `python -m fixtures site` writes.

Nothing is fetched from elsewhere: no fonts, no scripts. SITE_URL is where it will be published.
"""

from __future__ import annotations

import os
import re
from html import escape, unescape
from typing import Any

from sphinx.application import Sphinx
from sphinx.highlighting import PygmentsBridge

project = "lstm-equivalence"
author = "The lstm-equivalence contributors"
copyright = author  # noqa: A001
html_title = project
html_baseurl = os.environ.get("SITE_URL", "")

extensions = ["myst_parser", "sphinx_copybutton", "sphinx_design"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_permalinks_icon = "#"
html_theme_options = {"navigation_with_keys": False, "top_of_page_buttons": []}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

ABOUT = (
    "What is equal, what is merely close, and what only looks equal between the LSTM layers of "
    "torch, Keras and TensorFlow 1, proven claim by claim."
)


def describe(
    _app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Open Graph: what a page is called where its link is shown."""
    own = re.search(r'<meta content="([^"]*)" name="description"', context.get("metatags", ""))
    about = unescape(own[1]) if own else ABOUT
    tags = {
        "og:title": context.get("title", project),
        "og:site_name": project,
        "og:type": "website" if pagename == "index" else "article",
        "og:description": about,
    }
    if html_baseurl:
        place = "" if pagename == "index" else f"{pagename.removesuffix('/index')}/"
        tags["og:url"] = f"{html_baseurl.rstrip('/')}/{place}"
    # Whatever scrolls is reached by keyboard, and a heading says of which rank it is.
    for part, before, after in (
        ("body", '<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
        ("furo_navigation_tree", 'role="heading"', 'role="heading" aria-level="2"'),
    ):
        if part in context:
            context[part] = context[part].replace(before, after)
    context["metatags"] = context.get("metatags", "") + "".join(
        f'<meta property="{name}" content="{escape(text)}">' for name, text in tags.items()
    )


def highlight_once() -> None:
    """Half a site of claims shows the same recipes: each is highlighted once. A block can be
    scrolled, and so is reached by keyboard."""
    highlight, made = PygmentsBridge.highlight_block, {}

    def highlighted(
        self: PygmentsBridge, source: str, lang: str, *rest: Any, **options: Any
    ) -> str:
        key = source, lang, repr(options.get("opts"))
        if key not in made:
            block = highlight(self, source, lang, *rest, **options)
            made[key] = block.replace("<pre>", '<pre tabindex="0">', 1)
        return made[key]

    PygmentsBridge.highlight_block = highlighted


def setup(app: Sphinx) -> None:
    """What this page does to Sphinx."""
    app.connect("html-page-context", describe, priority=900)  # after the theme
    highlight_once()
