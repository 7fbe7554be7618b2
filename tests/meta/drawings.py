"""Compares the drawings on top of the passes with what the passes do.

    python3 drawings.py SOURCE_ROOT CNNC

A drawing is an indented text before a pass and one after it, side by side around an arrow, or one below the other:

    //   %a = relu %x                     %a = relu %x          //   for ow in 0..10 { .. }
    //   %b = relu %x                =>   %y = add %a, %a       // becomes
    //   %y = add %a, %b                                        //   for ow.o in 0..1, unroll ow.i in 0..4 { .. }

The first has to be a part of some model or kernel in the test of the pass, the second a part of what the pass prints
for this model or kernel. Spaces and line breaks are free, `...` stands for any text, the types at the end of a line
may be left out, and `// words` behind a line are a remark.
"""
import itertools
import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from pass_tests import items, run_item

ARROW = re.compile(r" =>(?= |$)")


def head(path):
    """The comment that a file begins with, without its slashes."""
    return [line[2:].rstrip() for line in re.match(r"(//.*\n)*", path.read_text())[0].splitlines()]


def sides(lines):
    """The two columns of a drawing with an arrow. What lies in the columns of the arrow is blank in the other lines."""
    column = next(ARROW.search(line).start() for line in lines if ARROW.search(line))
    straight = all(line[column : column + 4].strip() in ("", "=>") for line in lines)
    return ([line[:column] for line in lines], [line[column + 3 :] for line in lines]) if straight else None


def drawings(lines):
    """(before, after) of every drawing in a comment; None for one whose columns are not straight."""
    groups = [(drawn, list(group)) for drawn, group in itertools.groupby(lines, lambda line: line.startswith("   "))]
    for number, (drawn, group) in enumerate(groups):
        if drawn and any(ARROW.search(line) for line in group):
            yield sides(group)
        elif group in ([" becomes"], [" is refused"]):
            yield groups[number - 1][1], groups[number + 1][1]


def pattern(drawn):
    """The regular expression of a drawn text, for a text whose spaces are single ones."""
    lines = [re.sub(r"(^| )//.*", "", " ".join(line.split())) for line in drawn]
    words = "\n".join(line.strip() for line in lines if line.strip())
    result = re.escape(words).replace(re.escape("..."), ".*?").replace("\\ ", " ").replace("\\\n", "\n")
    return result.replace("\n", r"(?: : [^%{}]*?)? ") + r"(?: |$|\n)?"


def found(drawn, text):
    return re.search(pattern(drawn), " ".join(text.split())) is not None


def problem(drawing, test, cnnc):
    if drawing is None:
        return "the columns of a drawing are not straight"
    before, after = drawing
    candidates = [item for item in items(test.read_text()) if found(before, item)]
    if not candidates:
        return f"no model or kernel of {test.name} has this before the pass"
    if not any(found(after, run_item(test, item, cnnc)) for item in candidates):
        return f"for no model or kernel of {test.name} does the pass print this"
    return None


def main():
    root, cnnc = Path(sys.argv[1]), sys.argv[2]
    problems = 0
    for test in sorted(root.glob("tests/*_passes/*.ir")):
        path = next(p for p in root.glob(f"compiler/*/{test.stem}.cpp") if p.parent.name != "api")
        drawn = list(drawings(head(path)))
        found_here = [problem(drawing, test, cnnc) for drawing in drawn] or ["it has no drawing of before and after"]
        for number, text in enumerate(found_here, 1):
            if text:
                problems += 1
                print(f"{path.relative_to(root)}: drawing {number}: {text}")
    sys.exit(f"{problems} problems" if problems else 0)


main()
