"""How Sphinx makes the site: called by build.py, which writes the pages first."""
project = "cnnc"
project_copyright = "the authors of cnnc; Apache-2.0"
extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # the pages of a pass begin as its source does
nitpicky = True
smartquotes = False  # -- is an option
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

# Debian's furo has dark colours for its button alone: these are those of its own file, for systems that are dark as well.
html_theme_options = {
    "dark_css_variables": {
        "color-problematic": "#ee5151",
        "color-foreground-primary": "#ffffffcc",
        "color-foreground-secondary": "#9ca0a5",
        "color-foreground-muted": "#81868d",
        "color-foreground-border": "#666666",
        "color-background-primary": "#131416",
        "color-background-secondary": "#1a1c1e",
        "color-background-hover": "#1e2124ff",
        "color-background-hover--transparent": "#1e212400",
        "color-background-border": "#303335",
        "color-background-item": "#444",
        "color-brand-primary": "#2b8cee",
        "color-brand-content": "#368ce2",
        "color-highlighted-background": "#083563",
        "color-highlight-on-target": "#333300",
    },
}
