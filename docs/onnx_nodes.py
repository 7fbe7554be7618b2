"""Which ops of ONNX become which of ours: the single nodes of ONNX's own tests, imported one by one."""
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = Path("/usr/share/libonnx-testdata/data/node")  # Debian's libonnx-testdata
EACH = 2  # models of an op: its tests differ in attributes more than in what they become
GRAPH, NODE, OUTPUT, OP_TYPE = 7, 1, 2, 4  # numbers of the fields in onnx.proto


def fields(data):
    """(number, bytes) of the messages and strings in a message of protobuf."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 2:
            size = varint()
            yield number, data[at : at + size]
            at += size
        elif kind == 0:
            varint()
        else:
            at += {1: 8, 5: 4}[kind]


class Node:
    def __init__(self, message):
        texts = [(number, data) for number, data in fields(message) if number in (OUTPUT, OP_TYPE)]
        self.op = next(data.decode() for number, data in texts if number == OP_TYPE)
        self.outputs = [data.decode() for number, data in texts if number == OUTPUT]

    def makes(self, values):
        """Whether it makes one of the values, or a step on the way to one, which the exporter names after it."""
        return any(output in values or output.rpartition(".")[0] in values for output in self.outputs)


def nodes_of(file):
    """The nodes of a model, in their order."""
    for number, graph in fields(Path(file).read_bytes()):
        if number == GRAPH:
            yield from (Node(message) for inner, message in fields(graph) if inner == NODE)


def single_nodes():
    """[(op, model)] of the tests with one node."""
    count = {}
    for model in sorted(TESTS.glob("*/model.onnx")):
        ops = [node.op for node in nodes_of(model)]
        if len(ops) == 1 and count.setdefault(ops[0], 0) < EACH:
            count[ops[0]] += 1
            yield ops[0], model


def imported(cnnc, model):
    """The names of our ops in the text of a model; none when it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "model.ir"
        subprocess.run([cnnc, model, "-o", text], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return re.findall(r" = ([a-z]\w*)\b", text.read_text()) if text.exists() else []


CONSTANTS = ("weight", "splat", "literal", "random")


def without_copies(names):
    """A value that is an output under two names is copied by a reshape."""
    return [name for name in names if name != "reshape"] or names


def table(cnnc, pool, written):
    """{op of ONNX: our ops in its import}, without constants; empty lists where all tests of an op are refused.

    `written` has what each of our ops is written as: it is read from that where it is one op alone, or nothing else is.
    """
    nodes = list(single_nodes())
    if not nodes:
        raise RuntimeError(f"there are no models of ONNX's tests in {TESTS}: install libonnx-testdata")
    result = {}
    for (op, _), ours in zip(nodes, pool.map(lambda node: imported(cnnc, node[1]), nodes)):
        known = result.setdefault(op, [])
        known += [name for name in dict.fromkeys(ours) if name not in known and name not in CONSTANTS]
    result = {op: without_copies(known) for op, known in result.items()}
    for ours, ops in written.items():
        for op in ops:
            if (len(ops) == 1 or not result.get(op)) and ours not in result.get(op, []):
                result[op] = [ours, *result.get(op, [])]
    return result


def supported():
    """The ops in the tables of the importer that are not element-wise."""
    sources = (ROOT / "compiler/onnx/import").glob("*.cpp")
    return {op for source in sources for op in re.findall(r'\{"(\w+)",\s+(?:import|fold)_\w+', source.read_text())}


def page(known, names):
    text = ("# ONNX ops\n\nWhat the importer makes of the ops of ONNX, as seen in two models each of ONNX's own tests, and in what the "
            "examples of our ops are written as. Where one becomes several of ours, all of them are listed.\n\n"
            "| ONNX | here |\n|---|---|\n")
    for op, ours in sorted(known.items()):
        if ours:
            text += f"| `{op}` | " + ", ".join(f"[`{name}`]({name}.md)" for name in ours if name in names) + " |\n"
    shown = {op for op, ours in known.items() if ours}
    others = sorted(supported() - shown)
    missing = sorted(known.keys() - shown - supported())
    return (text + "\nComputed at import, or not shown by these models: " + ", ".join(f"`{op}`" for op in others) +
            ".\n\nNot supported: " + ", ".join(f"`{op}`" for op in missing) + ".\n")
