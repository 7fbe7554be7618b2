"""Pages of ops: from `cnnc --list-ops --json`, with the examples and the mistakes of the tests, tests/ops/NAME.ir."""
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx_nodes

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests/ops"))
import write_tensor

GRADIENT = {
    "yes": "There is a rule: {where}.",
    "zero": "Zero wherever there is one: nothing goes back through this op.",
    "no": "None: a gradient that depends on it is an error.",
    "": "",
}


def parts_of(test):
    """{name of a part: its text, with its first line at its place}: what split-file makes of a test."""
    parts, name = {}, None
    for number, line in enumerate(test.read_text().splitlines(), 1):
        if line.startswith("//--- "):
            name = line[6:].strip()
            parts[name] = "\n" * number
        elif name:
            parts[name] += line + "\n"
    return parts


def without_comments(text):
    lines = [re.sub(r"\s*//.*", "", line) for line in text.splitlines()]
    return "\n".join(line for line in lines if line.strip()) + "\n"


def run(*command):
    return subprocess.run([str(word) for word in command], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


class Example:
    """The model with numbers in the test of an op: its text, the tensors that it gets, and what comes out."""

    def __init__(self, op, cnnc, folder):
        test = ROOT / "tests/ops" / f"{op}.ir"
        lines = [line[8:] for line in test.read_text().splitlines() if line.startswith("// RUN: ")]
        runs = [re.match(r"%cnnc %t/(\S+\.ir) --run((?: %t/\S+\.npy)+)(.*?) \|", line) for line in lines]
        found = next((run for run in runs if run and "--" not in run[3]), None)
        if not found:
            raise RuntimeError(f"{test.relative_to(ROOT)}: no line `RUN: %cnnc %t/numbers.ir --run %t/x.npy`, which is the "
                               "example in the documentation")
        self.op, self.cnnc, self.folder = op, cnnc, folder
        for name, text in parts_of(test).items():
            (folder / name).write_text(text)
        self.file = folder / found[1]
        self.text = without_comments(self.file.read_text())
        made = {line.split()[1][3:]: shlex.split(line)[1:] for line in lines if line.startswith("%tensor ")}
        self.tensors = [made[name] for name in re.findall(r"%t/(\S+\.npy)", found[2])]
        for file, *arguments in [*self.tensors, *(line for name, line in made.items() if name.endswith(".safetensors"))]:
            write_tensor.write(file.replace("%t", str(folder)), *arguments)
        self.files = [file[3:] for file, *_ in self.tensors]

    def output(self):
        done = run(self.cnnc, self.file, "--run", *(self.folder / name for name in self.files))
        if done.returncode != 0:
            raise RuntimeError(f"the example of {self.file} ends with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def onnx(self):
        """The ops of ONNX that the op is written as, in their order; none where ONNX has no words for it."""
        for text in dict.fromkeys([self.file, self.folder / "shapes.ir"]):
            file = text.with_suffix(".onnx")
            if text.exists() and run(self.cnnc, text, "--emit=onnx", "-o", file).returncode == 0:
                statements = re.findall(rf"^ *(%.*) = {self.op}\b", text.read_text(), re.M)
                values = {name.strip(" %\"") for names in statements for name in names.split(",")}
                return list(dict.fromkeys(node.op for node in onnx_nodes.nodes_of(file) if node.makes(values)))
        return []

    def mistakes(self):
        """(statement, message) of what the test of the op has refused."""
        for name in ("bad.ir", "syntax.ir"):
            if (self.folder / name).exists():
                printed = run(self.cnnc, self.folder / name, "--check").stdout.splitlines()
                for line, statement in zip(printed, printed[1:]):
                    message = re.search(r": error: (.*)", line)
                    if message:
                        yield statement.strip(), message[1]


# A comment, a struct, its body; a comment, a field, the remark behind it.
STRUCT = r"((?:^///[^\n]*\n)*)(?:^template <[^\n]*?>\s+)?(?:(?<=\n)|(?<=> ))struct \w+ \{\n(.*?)^\};"
FIELD = r"((?:^  ///.*\n)*)^  [\w:<>, ]+? (\w+)(?: = [^;]*)?;(?: // (.*))?$"


class Header:
    """What the header of an op says: the comment above its struct, and those of its fields."""

    def __init__(self, text="", attributes=None):
        self.text, self.attributes = text, attributes or {}


ELEMENTWISE = Header("Element by element.\n")


def words_of(comment):
    return " ".join(line.strip().removeprefix("///").strip() for line in comment.splitlines())


def headers():
    """{op: Header} of the ops that have a struct in ir/graph/ops."""
    result = {}
    for path in sorted((ROOT / "ir/graph/ops").glob("*.h")):
        for comment, body in re.findall(STRUCT, path.read_text(), re.M | re.S):
            listed = re.search(r"string_view(?:, \d+>)? names? *=\s*([^;]*);", body)
            fields = {}
            for above, field, behind in re.findall(FIELD, body, re.M):
                fields[field] = words_of(above) or behind
            named = {name: fields.get(field, "") for name, field in re.findall(r'Attribute\{"(\w+)",\s*&\w+::(\w+)', body)}
            for name in re.findall(r'"(\w+)"', listed[1]) if listed else ():
                result[name] = Header(words_of(comment) + "\n", named)
    return result


def rules():
    """{op: the file of its rule}, from the table of gradients, which tests/training/torch_ops.py writes."""
    table = (ROOT / "tests/training/README.md").read_text()
    return dict(re.findall(r"^\| `(\w+)` \| `(\w+\.cpp)` \|", table, re.M))


def operands(op):
    kinds = {(False, False): "", (True, False): " (may be left out)", (False, True): " (one or more)"}
    names = [f"`{operand['name']}`{kinds[operand['optional'], operand['variadic']]}" for operand in op["operands"]]
    return f"Operands: {', '.join(names)}.\n" if names else ""


def in_table(text):
    return text.replace("|", "\\|")


def attributes(op, header):
    if not op["attributes"]:
        return ""
    rows = [["attribute", "legal values", "default", ""], ["---"] * 4]
    for attribute in op["attributes"]:
        default = "must be given" if attribute["default"] is None else f"`{attribute['default']}`"
        rows.append([f"`{attribute['name']}`", in_table(attribute["type"]), default,
                     in_table(header.attributes.get(attribute["name"], ""))])
    columns = 4 if any(row[3] for row in rows[2:]) else 3
    return "## Attributes\n\n" + "".join("| " + " | ".join(row[:columns]) + " |\n" for row in rows)


def shapes(op):
    text = f"## Shapes\n\n```text\n{op['shape']}\n"
    if op["size"]:
        text += f"\nheight, width: {op['size']}\n"
    return text + "```\n"


def gradient(op, files):
    if op["gradient"] == "":
        return ""
    where = f"`ir/graph/gradients/{files.get(op['name'])}`, compared with PyTorch ([all ops](../reference/gradients.md))"
    if files.get(op["name"]) == "elementwise_table.cpp":
        where = where.replace("gradients/", "ops/", 1)
    return "## Gradient\n\n" + GRADIENT[op["gradient"]].format(where=where) + "\n"


def onnx(written, read):
    lines = []
    if written:
        lines.append("Written as " + ", ".join(f"`{name}`" for name in written) + ".")
    if read:
        lines.append("Read from " + ", ".join(f"`{name}`" for name in sorted(read)) + " ([all of them](onnx.md)).")
    return "## ONNX\n\n" + (" ".join(lines) or "No counterpart.") + "\n"


READ_FROM = "<!-- onnx -->\n"


def with_onnx(text, written, read):
    return text.replace(READ_FROM, onnx(written, read))


def example(case):
    tensors = "".join(f"{file[3:]}: f32[{shape.replace(',', ', ')}] = {' '.join(elements)}\n"
                      for file, shape, *elements in case.tensors)
    return (f"## Example\n\n```text\n{case.text}```\n\nThe input{'s' if len(case.tensors) > 1 else ''}:\n\n"
            f"```text\n{tensors}```\n\nand what comes out of `cnnc {case.file.name} --run {' '.join(case.files)}`:\n\n"
            f"```text\n{case.output()}```\n")


def mistakes(case):
    found = dict(reversed(list(case.mistakes())))  # one statement for each message
    rows = "".join(f"{statement}\n    error: {message}\n" for statement, message in reversed(found.items()))
    return f"## What is refused\n\n```text\n{rows}```\n" if rows else ""


def page(op, cnnc, headers):
    """The text of a page, where the ops of ONNX that become this one are still to be put in, and those that it is written as."""
    header = headers.get(op["name"], ELEMENTWISE)
    with tempfile.TemporaryDirectory() as folder:
        case = Example(op["name"], cnnc, Path(folder))
        formula = f"\n```{{code-block}} text\n:class: wrapped\n{op['formula']}\n```\n"
        written = case.onnx()
        pieces = ["---\norphan: true\n---\n", f"# {op['name']}\n\n{op['summary'][0].upper()}{op['summary'][1:]}.\n{formula}",
                  operands(op), header.text, attributes(op, header),
                  shapes(op), gradient(op, rules()), READ_FROM, example(case), mistakes(case)]
        return "\n".join(piece for piece in pieces if piece), written


def index(ops):
    """Ops by category, in the order of the language."""
    text = ("# Ops\n\nWhat each op computes, with its attributes, the rule for its shape, its gradient, its counterpart in ONNX and "
            "an example. The pages are made from the compiler's own tables and tests; `cnnc --list-ops` prints the same, and "
            "`--json FILE` all that is known of them.\n")
    for category in dict.fromkeys(op["category"] for op in ops):
        text += f"\n## {category[0].upper()}{category[1:]}\n\n| op | |\n|---|---|\n"
        for op in (op for op in ops if op["category"] == category):
            text += f"| [`{op['name']}`]({op['name']}.md) | {in_table(op['summary'])} |\n"
    return text + "\n```{toctree}\n:hidden:\nonnx\n```\n"
