"""What every part of the compiler owes to its tests. Each check is one test in this folder.

    python3 check_tests.py ops|passes|diagnostics|walls SOURCE_ROOT [CNNC]
"""
import json
import re
import subprocess
import sys
from pathlib import Path

import diagnostics

LIST = "tests/meta/untested_diagnostics.txt"


def names(cnnc, option):
    """First words of the lines that are not indented."""
    printed = subprocess.run([cnnc, option], check=True, capture_output=True, text=True).stdout
    return [(line.split()[0], line.split()) for line in printed.splitlines() if line[:1].strip()]


def check_gradients(cnnc, table):
    """What the list of ops says of gradients is what the table of tests/training/README.md has."""
    words = {"`": "yes", "stops": "zero", "has no operands": "", "an error": "no"}  # the rule begins so
    printed = subprocess.run([cnnc, "--list-ops", "--json", "-"], check=True, capture_output=True, text=True).stdout
    for op in json.loads(printed):
        rule = re.search(rf"^\| `{op['name']}` \| (.*?) \|", table, re.M)
        said = [word for start, word in words.items() if rule and rule[1].startswith(start)]
        if rule and said != [op["gradient"]]:
            yield (f"compiler/analysis/definition.cpp: gradient_rule() of {op['name']} is '{op['gradient']}', but "
                   f"tests/training/README.md has: {rule[1]}")


def check_ops(root, cnnc):
    """Every op has tests/ops/NAME.ir, in which it stands, and is compared with PyTorch when it has a gradient."""
    sys.path.insert(0, str(root / "tests/training"))
    import op_models
    compared = {case.op for case in op_models.CASES}
    table = (root / "tests/training/README.md").read_text()
    yield from check_gradients(cnnc, table)
    ops = [name for name, _ in names(cnnc, "--list-ops")]
    for name in sorted((compared | set(op_models.WITHOUT)) - set(ops)):
        yield f"tests/training/op_models.py: there is no op {name}"
    for name in ops:
        if (name in compared) == (name in op_models.WITHOUT):
            yield f"tests/training/op_models.py: {name} needs models there, or a reason in WITHOUT"
        if f"\n| `{name}` | " not in table:
            yield f"tests/training/README.md: the table has no row of {name}: tests/training/torch_ops.py prints it"
        test = root / "tests/ops" / f"{name}.ir"
        if not test.exists():
            yield f"the op {name} has no test {test.relative_to(root)}"
        elif not re.search(rf"= {name}\b", test.read_text()):
            yield f"{test.relative_to(root)} does not use {name}"


def check_passes(root, cnnc):
    """Every pass has a test of its name that runs it alone, and a file of its name; no test is left over."""
    known = set()
    for name, words in names(cnnc, "--list-passes"):
        known.add(name)
        folder = "graph_passes" if words[1] == "graph" else "loop_passes"
        test = root / "tests" / folder / f"{name}.ir"
        if not test.exists():
            yield f"the pass {name} has no test {test.relative_to(root)}"
        elif not re.search(rf"--passes=(infer_shapes,)?{name} ", test.read_text()):
            yield f"{test.relative_to(root)} does not run {name} alone: --passes={name}"
        if not list((root / "compiler").glob(f"*/{name}.cpp")):
            yield f"the pass {name} has no file {name}.cpp"
    for test in sorted(root.glob("tests/*_passes/*.ir")):
        if test.stem not in known:
            yield f"{test.relative_to(root)}: there is no pass {test.stem}"


def check_diagnostics(root, _):
    """Every message stands in a test, or in the list of those that cannot."""
    tests = ""
    for path in sorted((root / "tests").rglob("*")):
        if path.suffix in (".ir", ".test", ".cpp", ".py", ".h") and "meta" not in path.parts:
            tests += path.read_text()
    tests = re.sub(r'"\s*\n\s*"', "", tests).replace('\\"', '"')  # literals of C++ over two lines
    exempt = {}
    for line in (root / LIST).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            part, _, reason = line.partition(" | ")
            exempt[part.strip()] = reason.strip()
            if not reason.strip():
                yield f"{LIST}: no reason is given for: {part}"
    found = set()
    for file, line, message, part in diagnostics.all_messages(root):
        found.add(part)
        if part in tests and part in exempt:
            yield f"{LIST}: has a test now, take it out: {part}"
        if part not in tests and part not in exempt:
            yield f"{file}:{line}: no test mentions this message: {part}"
    for part in exempt:
        if part not in found:
            yield f"{LIST}: no such message any more, take it out: {part}"
    if len(found) < 150:
        yield f"only {len(found)} messages found in the sources: this check misses most of them"


IR_ROOMS = ["ir/module", "ir/graph/gradients", "ir/graph", "ir/graph/ops", "ir/loop", "ir/weights", "ir/type", "ir/text"]
# A row of the table has all of its op, its gradient included, which is an expression over a graph.
UPWARDS = [("ir/graph/ops/elementwise_table.cpp", "ir/graph/gradients/term.h")]


def rooms_from_top_to_bottom(root):
    """The folders of compiler/ in the order of the table in its README, then those of ir/."""
    rows = re.findall(r"^\| (`.*?) \| ", (root / "compiler/README.md").read_text(), re.M)
    names = [name for row in rows for name in re.findall(r"`([a-z_/]+/|cnnc\.h)`", row)]
    return ["compiler/" + name.rstrip("/") for name in names] + IR_ROOMS


def check_rooms(root):
    """A file includes headers of its own room, or of one below."""
    rooms = rooms_from_top_to_bottom(root)

    def room_of(path):
        return str(path) if str(path) in rooms else str(path.parent)

    for path in sorted([*(root / "compiler").rglob("*"), *(root / "ir").rglob("*")]):
        relative = path.relative_to(root)
        if path.suffix not in (".h", ".cpp"):
            continue
        room = room_of(relative)
        if room not in rooms:
            yield f"{relative}: compiler/README.md gives this folder no place in the order of the rooms"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            included = re.match(r'\s*#\s*include\s*"((?:compiler|ir)/[^"]+)"', line)
            if included and (relative.as_posix(), included[1]) in UPWARDS:
                continue
            other = room_of(Path(included[1])) if included else room
            if other in rooms and rooms.index(other) < rooms.index(room):
                yield f"{relative}:{number}: {other} stands above {room} and may not be included here: {line.strip()}"


FAMILY = re.compile(r"x86|avx|\bsse|mxcsr|cpuid|\b[xyz]mm|znver|haswell|skylake", re.I)
FAMILY_FILES = re.compile(r"""compiler/codegen/target/\w+\.(h|cpp)|runtime/cpu(_\w+)?\.(h|c)
    |runtime/embedded\.(h|c)             # an object of the runtime for each family
    |compiler/driver/options\.cpp       # examples in the help
    |ir/weights/random\.cpp             # a faster copy of a loop that stands there for any CPU, too""", re.X)


def without_comments(text):
    """The same lines, comments blank."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.S)


def check_families(root):
    """What depends on the family of CPUs stands in the files of that family."""
    for folder in ("ir", "compiler", "runtime"):
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            if path.suffix not in (".h", ".cpp", ".c") or FAMILY_FILES.fullmatch(relative.as_posix()):
                continue
            for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
                if FAMILY.search(line):
                    yield f"{relative}:{number}: names a family of CPUs outside of its files: {line.strip()}"


def check_walls(root, _):
    """Which folders may include what."""
    yield from check_rooms(root)
    rules = [  # what, where it may stand, only in these kinds of files
        (r"<(llvm|lld)/(?!Support/LSP/)", lambda path: path.parts[:2] == ("compiler", "codegen"), (".h", ".cpp")),
        (r"<llvm/Support/LSP/", lambda path: path.parts[:2] == ("compiler", "lsp"), (".h", ".cpp")),
        (r"<boost/graph", lambda path: False, (".h",)),
        (r"<(onnx|google)/", lambda path: path.parts[:2] == ("compiler", "onnx") and path.suffix == ".cpp",
         (".h", ".cpp")),
        # Policy knows lowering by the loops that it declares.
        (r'"compiler/lowering/(?!loops\.h)', lambda path: path.parts[1] not in ("schedule", "graph_passes"),
         (".h", ".cpp")),
        (r'"compiler/', lambda path: path.parts[0] != "ir", (".h", ".cpp")),
        (r'"(compiler|ir)/', lambda path: path.parts[0] != "runtime", (".h", ".c")),
    ]
    count = 0
    yield from check_families(root)
    for folder in ("ir", "compiler", "runtime"):
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            if path.suffix not in (".h", ".cpp", ".c"):
                continue
            count += 1
            for number, line in enumerate(path.read_text().splitlines(), 1):
                for what, allowed, kinds in rules:
                    if path.suffix in kinds and not allowed(relative) and re.match(rf"\s*#\s*include\s*{what}", line):
                        yield f"{relative}:{number}: this may not be included here: {line.strip()}"
    if count < 100:
        yield f"only {count} files found below {root}"


def main():
    checks = {"ops": check_ops, "passes": check_passes, "diagnostics": check_diagnostics, "walls": check_walls}
    root = Path(sys.argv[2])
    problems = list(checks[sys.argv[1]](root, *(sys.argv[3:] or [None])))
    for problem in problems:
        print(problem)
    sys.exit(f"{len(problems)} problems" if problems else 0)


main()
