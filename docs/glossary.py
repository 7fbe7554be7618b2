"""The glossary: the words of compiler/README.md and those of convolutional networks in pages/glossary.md, and links to it."""
import re

import links

ROW = re.compile(r"^\| ([^|`]+?) \| (.+?) \|$", re.M)
# Documents of the repository stay as they are written; all other pages link a word where it stands first.
WITHOUT_LINKS = {*links.DOCUMENTS.values(), "glossary.md"}
MARKUP = re.compile(r"(`[^`]*`|\[[^\]]*\]\([^)]*\)|\{term\}`[^`]*`)")
NOT_PROSE = re.compile(r"#|\||<|\s*$|:|```")  # headings, tables, markup


def words(root, pages):
    """{word: what it means}; words that share a row are separated by commas, and what stands in brackets explains them."""
    own = links.section((root / "compiler/README.md").read_text(), "words")
    result = {}
    for text in (own, pages["glossary.md"]):
        for names, meaning in ROW.findall(text):
            if names == "word" or set(names) == {"-"}:
                continue
            for name in re.sub(r" \(.*?\)", "", names).split(", "):
                if name in result:
                    raise KeyError(f"the glossary has two rows of {name}")
                result[name] = meaning
    return result


class Links:
    """Links to the glossary, and to the pages of ops and passes, where a page names them first."""

    def __init__(self, page, found, ops, passes):
        self.page, self.seen = page, {page.rpartition("/")[2].removesuffix(".md")}
        self.words = sorted(found, key=len, reverse=True)  # the longest that fits
        self.targets = {name: f"passes/{name}.md" for name in passes}
        # Ops whose name is no other word.
        self.targets |= {name: f"ops/{name}.md" for name in ops if re.search(r"_|\d", name)}

    def word(self, text):
        """A piece without markup, its first word that has no link yet linked; the rest as well."""
        for name in self.words:
            hit = name not in self.seen and re.search(rf"(?<![\w@%./-])({re.escape(name)}s?)(?![\w(/-])", text, re.I)
            if hit:
                self.seen.add(name)
                return f"{self.word(text[: hit.start()])}{{term}}`{hit[1]} <{name}>`{self.word(text[hit.end():])}"
        return text

    def name(self, found):
        name = found[1] or found[2]
        if name not in self.targets or name in self.seen:
            return found[0]
        self.seen.add(name)
        return f"[`{name}`]({links.from_to(self.page, self.targets[name])})"

    def line(self, text):
        if NOT_PROSE.match(text):
            return text
        text = re.sub(r"(?<!\[)`(\w+)`|(?<![\w`@%/.\[{-])(\w*_\w+|\w+\dd)(?![\w`(/\]}=-]|\.\w)", self.name, text)
        pieces = MARKUP.split(text)
        return "".join(piece if i % 2 else self.word(piece) for i, piece in enumerate(pieces))

    def text(self, text):
        return links.outside_of_code(text, lambda part: "\n".join(map(self.line, part.split("\n"))))


def page(found, written, ops, passes):
    """Sphinx's own glossary in the place of the table, in alphabetical order."""
    entries = ""
    for name, meaning in sorted(found.items(), key=lambda item: item[0].lower()):
        others = {other for other in found if other != name}
        entries += f"{name}\n  {Links('glossary.md', others, ops, passes).line(meaning)}\n\n"
    return f"{written.partition('| word |')[0]}```{{glossary}}\n{entries}```\n"


def with_links(name, text, found, ops, passes):
    """A page with links to the words, ops and passes that its text names."""
    return text if name in WITHOUT_LINKS else Links(name, found, ops, passes).text(text)
