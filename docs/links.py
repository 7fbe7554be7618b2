"""Pages and the links between them: documents of the repository as pages of the site."""
import html.parser
import posixpath
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
# documents of the repository: page, in the order of the reference; sections of the first are on the page itself
DOCUMENTS = {
    "README.md": "index.md",
    "ir/README.md": "reference/texts.md",
    "compiler/README.md": "reference/compiler.md",
    "runtime/README.md": "reference/runtime.md",
    "BENCHMARKS.md": "reference/benchmarks.md",
    "SECURITY.md": "reference/security.md",
    "examples/lenet/README.md": "reference/lenet.md",
    "examples/train/README.md": "reference/train.md",
    "examples/ocr/README.md": "reference/ocr.md",
    "examples/editors/README.md": "reference/editors.md",
    "tests/README.md": "reference/tests.md",
    "tests/bench/README.md": "reference/bench.md",
    "tests/training/README.md": "reference/gradients.md",
    "docs/README.md": "reference/site.md",
    "CHANGELOG.md": "reference/changelog.md",
}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)


def outside_of_code(text, change):
    """Applies `change` to what is in no fenced block."""
    result, end = [], 0
    for block in FENCE.finditer(text):
        result += [change(text[end : block.start()]), block[0]]
        end = block.end()
    return "".join(result) + change(text[end:])


def from_to(page, target):
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


class Broken(Exception):
    pass


def move_links(text, document, page):
    """Links of a document of the repository as they are on its page; files that are no pages are not linked, but must exist."""

    def moved(found):
        words, target = found.groups()
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return found[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(document), path))
        if not (ROOT / wanted).exists():
            raise Broken(f"{document}: there is no file {path}")
        wanted = wanted if wanted in DOCUMENTS else posixpath.join(wanted, "README.md")
        if wanted not in DOCUMENTS:
            return words
        return f"[{words}]({from_to(page, DOCUMENTS[wanted])}{'#' + anchor if anchor else ''})"

    return outside_of_code(text, lambda part: LINK.sub(moved, part))


IMAGE = re.compile(r"!\[([^\]]*)\]\(([^()\s]+)\)")


def move_images(text, document, page):
    """The same with pictures, which lie in docs/images."""

    def moved(found):
        words, target = found.groups()
        picture = posixpath.normpath(posixpath.join(posixpath.dirname(document), target))
        if not (ROOT / picture).exists() or not picture.startswith("docs/"):
            raise Broken(f"{document}: there is no picture {target} in docs/images")
        return f"![{words}]({from_to(page, picture.removeprefix('docs/'))})"

    return outside_of_code(text, lambda part: IMAGE.sub(moved, part))


def slug(heading):
    """The anchor of a heading, as it is on GitHub."""
    words = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def section(text, anchor):
    """The lines of a document below one of its headings; before all that follow its title where there is no anchor."""
    lines, wanted, level, code = [], not anchor, 1, False
    for line in text.splitlines():
        code = code != line.startswith("```")
        heading = None if code else re.match(r"(#+) (.*)", line)
        if not heading:
            lines += [line] if wanted else []
        elif wanted and (len(heading[1]) <= level or not anchor and len(heading[1]) == 2):
            if lines or anchor:
                break
        elif slug(heading[2]) == anchor:
            wanted, level = True, len(heading[1])
        elif wanted:
            lines.append(line)
    if not wanted:
        raise KeyError(f"there is no heading #{anchor}")
    return "\n".join(lines).strip() + "\n"


class Anchors(html.parser.HTMLParser):
    """Ids and links of one file."""

    def __init__(self):
        super().__init__()
        self.ids, self.links = set(), []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or name == "name" and tag == "a":
                self.ids.add(value)
            if name in ("href", "src") and value:
                self.links.append(value)


def left_out():
    """Documents of the repository that are no pages."""
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "*.md", ":!docs/pages"], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
    return [file for file in files.stdout.split() if file not in DOCUMENTS]


def broken_links(site):
    """Links of the built site that lead nowhere in it."""
    files = {}
    for path in sorted(Path(site).rglob("*.html")):
        files[path] = Anchors()
        files[path].feed(path.read_text())
    for path, anchors in files.items():
        for link in anchors.links:
            target, _, anchor = link.partition("#")
            if re.match(r"(https?|mailto|data):", link):
                continue
            file = path if not target else (path.parent / unquote(target.partition("?")[0])).resolve()
            if not file.exists():
                yield f"{path.relative_to(site)}: there is no file {link}"
            elif anchor and file in files and unquote(anchor) not in files[file].ids:
                yield f"{path.relative_to(site)}: there is no place {link}"
