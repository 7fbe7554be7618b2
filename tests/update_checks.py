"""Rewrites what cnnc prints into the files that repeat it, so that a change shows as a diff to read:

    python3 tests/update_checks.py BUILD/compiler/driver/cnnc [tests/loop_passes/tile_loops.ir ...]

  * the tables of ir/README.md and compiler/README.md, and the names of ops in examples/editors/, when no test is named;
  * the CHECK-NEXT lines in the tests of passes: all of them, or those named.

A block that ends with the brace of its model or kernel is rewritten as a whole, others keep their number of lines. So
`CHECK-LABEL: kernel @name(` with one line `CHECK-NEXT:  }` below asks for all of it. Lines that begin as the text does
(patterns included) stay as they are, and so do CHECK, CHECK-NOT and CHECK-SAME: they are what the author means.
With --check nothing is written; the exit code tells whether a file differs (tests/meta/tables.test).
"""
import re
import subprocess
import sys
from pathlib import Path

from pass_tests import checked_texts

ROOT = Path(__file__).resolve().parent.parent
# file, word in the markers `<!-- word -->` and `<!-- end of word -->`, option that prints the table
TABLES = [
    ("ir/README.md", "ops", "--list-ops"),
    ("compiler/README.md", "passes", "--list-passes"),
]

# file, what stands between the names of ops in its one pattern of them, which begins with the first two
GRAMMARS = [
    ("examples/editors/vscode/ir.tmLanguage.json", "|"),
    ("examples/editors/vim/syntax/cnnc.vim", r"\|"),
]


def with_table(text, name, table, file):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f"{file}: expected one line {begin.strip()} and one {end}")
    before, rest = text.split(begin)
    return before + begin + table + end + rest.split(end)[1]


def with_tables(cnnc):
    """(path, new text) of the documents with tables."""
    for file, name, option in TABLES:
        command = [cnnc, option, "--markdown"]
        table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield ROOT / file, with_table((ROOT / file).read_text(), name, table, file)


def with_ops(cnnc):
    """(path, new text) of the grammars for editors."""
    printed = subprocess.run([cnnc, "--list-ops"], check=True, capture_output=True, text=True).stdout
    ops = [line.split()[0] for line in printed.splitlines() if line[:1].strip()]
    for file, bar in GRAMMARS:
        begin, text = bar.join(ops[:2]), (ROOT / file).read_text()
        if text.count(begin) != 1:
            sys.exit(f"{file}: expected one pattern of ops, which begins with {begin}")
        yield ROOT / file, re.sub(re.escape(begin) + rf"(?:{re.escape(bar)}\w+)*", lambda _: bar.join(ops), text)


def begins(check, line):
    """Whether a line begins as the text of a check line says, which may contain FileCheck's {{patterns}}."""
    pieces = re.split(r"\{\{(.*?)\}\}", check.rstrip())
    return re.match("".join(piece if i % 2 else re.escape(piece) for i, piece in enumerate(pieces)), line) is not None


def merged(old, new):
    """The new lines, each in the old spelling where an old line still matches it: the longest common subsequence."""
    length = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            length[i][j] = (1 + length[i + 1][j + 1] if begins(old[i], new[j])
                            else max(length[i + 1][j], length[i][j + 1]))
    result, i = [], 0
    for j, line in enumerate(new):
        while i < len(old) and not begins(old[i], line) and length[i + 1][j] == length[i][j]:
            i += 1
        if i < len(old) and begins(old[i], line):
            line, i = old[i], i + 1
        result.append(line)
    return result


class Blocks:
    """Rewrites the lines of one prefix in a test after the text that is printed."""

    def __init__(self, test, prefix, printed):
        self.test, self.prefix, self.printed = test, prefix, printed.splitlines()
        self.at = None  # the printed line after the one that matched last; None: no longer known
        self.result = []

    def kind(self, line):
        found = re.match(rf"// {self.prefix}(-LABEL|-NEXT|):(.*)$", line)
        return (found[1], found[2]) if found else (None, None)

    def find(self, text, start):
        """The number of the line behind the first one that contains a text, however many spaces there are."""
        wanted = "{{.*}}" + " ".join(text.split())
        for number in range(start, len(self.printed)):
            if begins(wanted, " ".join(self.printed[number].split())):
                return number + 1
        return None

    def label(self, text):
        """A line that begins a model or kernel is found by its name, should anything behind that have changed."""
        self.at = self.find(text, 0)
        name = re.match(r".*?@[^(]*\(", text)
        if self.at is None and name:
            self.at = self.find(name[0], 0)
            if self.at is not None:
                text = " " + self.printed[self.at - 1]
        self.result.append(f"// {self.prefix}-LABEL:{text}")

    def next_lines(self, old):
        """What follows the last line that matched."""
        end = self.at + len(old)
        if old[-1].rstrip() == "  }":
            end = self.printed.index("}", self.at) + 1
        new = ["  " + line for line in self.printed[self.at : end]]
        self.result += [f"// {self.prefix}-NEXT:{line}" for line in merged(old, new)]
        self.at = end

    def rewrite(self, text):
        lines = text.splitlines()
        while lines:
            line = lines.pop(0)
            kind, rest = self.kind(line)
            if kind == "-LABEL":
                self.label(rest)
            elif kind == "-NEXT" and self.at is not None:
                old = [rest]
                while lines and self.kind(lines[0])[0] == "-NEXT":
                    old.append(self.kind(lines.pop(0))[1])
                self.next_lines(old)
            else:
                if kind == "":
                    self.at = self.at and self.find(rest, self.at)
                self.result.append(line)
            if kind in ("-LABEL", "") and self.at is None:
                print(f"{self.test.relative_to(ROOT)}: cnnc does not print this any more:{rest}")
        return "\n".join(self.result) + "\n"


def with_checks(test, cnnc):
    """(path, new text) of a test of a pass."""
    text = test.read_text()
    for prefix, printed in checked_texts(test, cnnc).items():
        if f"// {prefix}-LABEL:" in text:
            text = Blocks(test, prefix, printed).rewrite(text)
    return test, text


def main():
    check = "--check" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if not arguments:
        sys.exit(__doc__)
    cnnc = Path(arguments[0]).resolve()
    tests = [Path(name).resolve() for name in arguments[1:]]
    updated = [] if tests else [*with_tables(cnnc), *with_ops(cnnc)]
    updated += [with_checks(test, cnnc) for test in tests or sorted(ROOT.glob("tests/*_passes/*.ir"))]
    differing = [(path, text) for path, text in updated if path.read_text() != text]
    for path, text in differing:
        print(f"{path.relative_to(ROOT)} {'is not what cnnc prints' if check else 'updated'}")
        if not check:
            path.write_text(text)
    if check and differing:
        sys.exit(f"Run: python3 tests/update_checks.py {cnnc}, and read the diff")


main()
