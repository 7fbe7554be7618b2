"""How Sphinx makes the site: called by build.py, which writes the pages first."""
project = "cnnc"
project_copyright = "the authors of cnnc; Apache-2.0"
extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # the pages of a pass begin as its source does
nitpicky = True
exclude_patterns = []
html_theme = "furo"
html_title = "cnnc"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
highlight_language = "text"
pygments_style = "tango"
pygments_dark_style = "monokai"
