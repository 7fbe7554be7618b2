"""Unit tests of what builds the documentation: docs_test.py SOURCE_ROOT CNNC"""
import json
import math
import re
import struct
import sys
import tempfile
import unittest
from pathlib import Path

ROOT, CNNC = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(ROOT / "docs"))
import console
import glossary
import links
import onnx_nodes
import op_pages
import pass_pages
import write_tensor


OUTPUT = "```{code-block} text\n:class: output\n\n"


class Console(unittest.TestCase):
    def run_page(self, text):
        return console.run_commands("page.md", text, ROOT, CNNC)[0]

    def test_output_is_put_below_the_command(self):
        page = "a\n```console\n$ echo one\n$ cat << end\n> x\n>\n> end\n```\nb\n"
        self.assertEqual(self.run_page(page), "a\n```console\n$ echo one\n```\n" + OUTPUT + "one\n```\n```console\n$ cat << end\n> x\n> \n> end\n"
                         "```\n" + OUTPUT + "x\n```\nb\n")

    def test_commands_without_output_share_a_block(self):
        self.assertEqual(self.run_page("```console\n$ true\n$ echo '@@ 1'\n```\n"),
                         "```console\n$ true\n$ echo '@@ 1'\n```\n" + OUTPUT.replace("text", "diff") + "@@ 1\n```\n")

    def test_written_output_stays(self):
        self.assertIn("\nabout 300 KB\n", self.run_page("```console\n$ echo 305 KB\nabout 300 KB\n```\n"))

    def test_blocks_share_a_folder_with_the_examples(self):
        self.assertIn("\n$ cat a\n```\n" + OUTPUT + "// LeNet-5", self.run_page("```console\n$ head -1 examples/lenet/lenet.ir > a\n```\n\n"
                                                               "```console\n$ cat a\n```\n"))

    def test_a_command_that_fails_is_an_error_with_its_output(self):
        with self.assertRaisesRegex(console.Failure, "page.md: exit code 2: cnnc --bad-option\n.*--bad-option"):
            self.run_page("```console\n$ cnnc --bad-option\n```\n")

    def test_so_is_one_in_a_pipe(self):
        with self.assertRaisesRegex(console.Failure, "exit code 3"):
            self.run_page("```console\n$ (exit 3) | cat\n```\n")

    def test_a_block_begins_with_a_command(self):
        with self.assertRaisesRegex(console.Failure, "begins with a command"):
            self.run_page("```console\ncnnc --version\n```\n")

    def test_commands_that_nobody_runs_have_a_reason(self):
        fenced, indented = "```\ncnnc a.ir --check\n```\n", "\n\n    tests/run.sh   # all\n    more\n\n"
        self.assertEqual(list(console.unmarked(fenced + indented)), ["cnnc a.ir --check", "tests/run.sh   # all"])
        self.assertEqual(list(console.unmarked("<!-- not run: takes an hour -->\n" + fenced)), [])
        self.assertEqual(list(console.unmarked("<!-- not run: takes an hour -->" + indented)), [])
        self.assertEqual(list(console.unmarked("<!-- not run: -->\n" + fenced)), ["cnnc a.ir --check"])
        self.assertEqual(list(console.unmarked("```\n%c = conv2d %x, %w\n```\n\n\n    cnnc a.ir --profile [x.npy]\n\n")), [])


class Links(unittest.TestCase):
    def test_links_of_documents(self):
        moved = links.move_links("[a](ir/README.md#gradients) [b](examples/train/) [c](ir/graph/op.h) [d](https://x.org/y) [e](#f)\n"
                                 "```\n[a](ir/README.md)\n```\n", "README.md", "guides/page.md")
        self.assertEqual(moved, "[a](../reference/texts.md#gradients) [b](../reference/train.md) c [d](https://x.org/y) [e](#f)\n"
                                "```\n[a](ir/README.md)\n```\n")

    def test_pictures_of_documents(self):
        text = "![a](docs/images/lenet_graph.png) [b](ir/README.md)"
        self.assertEqual(links.move_images(text, "README.md", "guides/x.md"), "![a](../images/lenet_graph.png) [b](ir/README.md)")
        with self.assertRaisesRegex(links.Broken, "no picture docs/images/gone.png"):
            links.move_images("![a](docs/images/gone.png)", "README.md", "x.md")
        self.assertEqual(links.move_links("![a](docs/images/lenet_graph.png)", "README.md", "x.md"), "![a](docs/images/lenet_graph.png)")

    def test_files_that_are_linked_exist(self):
        with self.assertRaisesRegex(links.Broken, "ir/README.md: there is no file ../gone.md"):
            links.move_links("[a](../gone.md)", "ir/README.md", "page.md")

    def test_sections(self):
        text = "# T\n\nhead\n\n## One\n\n```\n# no heading\n```\n### Deeper\nx\n\n## Two (2)\n\ny\n"
        self.assertEqual(links.section(text, None), "head\n")
        self.assertEqual(links.section(text, "one"), "```\n# no heading\n```\n### Deeper\nx\n")
        self.assertEqual(links.section(text, "two-2"), "y\n")
        with self.assertRaisesRegex(KeyError, "#three"):
            links.section(text, "three")

    def test_broken_links(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.html").write_text('<a id="x" href="b.html#y">1</a><a href="b.html#z">2</a><a href="c.html">3</a>'
                                                 '<a href="https://x.org/">4</a><img src="d.png">')
            (Path(folder) / "b.html").write_text('<p id="y"><a href="a.html#x">5</a></p>')
            self.assertEqual(list(links.broken_links(folder)),
                             ["a.html: there is no place b.html#z", "a.html: there is no file c.html", "a.html: there is no file d.png"])


class Generated(unittest.TestCase):
    def test_words_are_linked_where_they_stand_first(self):
        page = "# A kernel\n\nA kernel, kernels; `kernel` and conv2d of a [tile](x.md), fuse_kernels.\n\n```\nkernel\n```\nA tile.\n"
        self.assertEqual(glossary.with_links("ops/x.md", page, {"kernel": "", "tile": ""}, ["conv2d"], ["fuse_kernels"]),
                         "# A kernel\n\nA {term}`kernel <kernel>`, kernels; `kernel` and [`conv2d`](conv2d.md) of a [tile](x.md), "
                         "[`fuse_kernels`](../passes/fuse_kernels.md).\n\n```\nkernel\n```\nA {term}`tile <tile>`.\n")

    def test_words_of_a_row(self):
        pages = {"glossary.md": "| word | means |\n|---|---|\n| stride (of windows) | a step |\n"}
        found = glossary.words(ROOT, pages)
        self.assertEqual(found["stride"], "a step")
        self.assertEqual(found["member"], found["anchor"])

    def test_the_head_of_a_pass(self):
        with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
            file.write("// Does this.\n//\n//   a\n//\n//     b\n// becomes\n//   c\n#include <x>\n// no\n")
            file.flush()
            self.assertEqual(pass_pages.head(Path(file.name)), "Does this.\n\n```text\na\n\n  b\n```\n\nbecomes\n```text\nc\n```\n")

    def test_the_example_of_an_op(self):
        with tempfile.TemporaryDirectory() as folder:
            case = op_pages.Example("conv2d", CNNC, Path(folder))
            self.assertEqual(case.onnx(), ["Conv"])
            self.assertIn("47 57 77 87", case.output())
            self.assertIn("'stride' must be between 1 and", " ".join(message for _, message in case.mistakes()))

    def test_comments_of_headers(self):
        found = op_pages.headers()
        self.assertTrue(found["conv2d"].text.startswith("2-D convolution (cross-correlation"))
        self.assertEqual(found["conv2d"].attributes["pad"], "top, left, bottom, right")
        self.assertIn("choose_algorithms sets it", found["conv2d"].attributes["winograd"])
        self.assertEqual(found["reduce_max"].text, found["reduce_sum"].text)

    def test_ops_of_onnx(self):
        self.assertTrue({"Conv", "Einsum", "Resize"} <= onnx_nodes.supported())
        self.assertEqual(onnx_nodes.without_copies(["abs", "reshape"]), ["abs"])
        self.assertEqual(onnx_nodes.without_copies(["reshape"]), ["reshape"])

    def test_formulas_of_elementwise_ops(self):
        """Evaluated as they stand, they give what compiled code does."""
        ops = json.loads(pass_pages.output(CNNC, "--list-ops", "--json", "-"))
        checked = [op["name"] for op in ops if op["category"] == "element-wise" and self.check_formula(op)]
        self.assertGreaterEqual(len(checked), 40, checked)

    def check_formula(self, op):
        """False where the formula is in words."""
        formula = python_of(op["formula"])
        names = {attribute["name"].replace("lambda", "lambda_"): float(attribute["default"]) for attribute in op["attributes"] if attribute["default"]}
        try:
            code = compile(formula, op["name"], "eval")
        except SyntaxError:
            return False
        if not set(code.co_names) <= FUNCTIONS.keys() | names.keys() | {"x", "a", "b"}:
            return False
        values = {"a": [-2, -0.75, -0.25, 0.25, 1.5, 3, 2.5, 0.5], "b": [1.5, -2, 0.25, 0.25, 3, 2, -1, 2]}
        values = values if len(op["operands"]) == 2 else {"x": values["a"]}
        if op["name"] in ("log", "sqrt", "pow"):
            values = {name: [abs(value) for value in row] for name, row in values.items()}
        wanted = [float(eval(code, FUNCTIONS | names | dict(zip(values, row)))) for row in zip(*values.values())]
        for got, expected in zip(run_op(op["name"], values), wanted):
            self.assertLess(abs(got - expected), 1e-6 * max(1, abs(expected)), f"{op['name']}: {formula}")
        return True


FUNCTIONS = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "tanh", "sin", "cos", "erf", "pi", "inf")}
FUNCTIONS |= {"maximum": max, "minimum": min, "abs": abs}


def python_of(formula):
    """A formula as an expression of Python, as far as it is one."""
    text = re.sub(r"( as bool)?, with broadcasting$|; .*", "", formula).replace("^", "**")
    text = re.sub(r"\|x\|", "abs(x)", text)
    text = re.sub(r"^the (sine|cosine|natural logarithm|error function) of x$",
                  lambda found: {"sine": "sin", "cosine": "cos", "natural logarithm": "log", "error function": "erf"}[found[1]] + "(x)", text)
    text = re.sub(r"^the (smaller|larger) of a and b$", lambda found: ("min" if found[1] == "smaller" else "max") + "imum(a, b)", text)
    text = re.sub(r"\b(max|min)\(", r"\1imum(", text)  # both are attributes of clip as well
    return with_choices(re.sub(r"^a to the power b$", "a ** b", text.replace("lambda", "lambda_")))


def with_choices(text):
    """`c ? a : b` as Python says it; in brackets first."""
    inner = re.search(r"\(([^()]* \? [^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*)\)", text)
    if inner:
        return text[: inner.start() + 1] + with_choices(inner[1]) + text[inner.end() - 1 :]
    condition, question, rest = text.partition(" ? ")
    if not question:
        return text
    then, _, otherwise = rest.partition(" : ")
    return f"({then}) if ({condition}) else ({with_choices(otherwise)})"


def run_op(name, values):
    """The elements that compiled code computes."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for operand, row in values.items():
            files.append(f"{folder}/{operand}.npy")
            write_tensor.write(files[-1], "8", *map(str, row))
        inputs, operands = ", ".join(f"%{operand}: f32[8]" for operand in values), ", ".join(f"%{operand}" for operand in values)
        Path(folder, "m.ir").write_text(f"model @m({inputs}) {{\n  %y = {name} {operands}\n  %z = cast %y to=f32\n  return %z\n}}\n")
        pass_pages.output(CNNC, f"{folder}/m.ir", "--run", *files, "-o", f"{folder}/y.npy")
        return struct.unpack("<8f", Path(folder, "y.npy").read_bytes()[-32:])


unittest.main(argv=sys.argv[:1])
