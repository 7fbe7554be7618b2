"""The networks that run.sh measures: texts of examples/nets, and ONNX files that people use."""
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import bars

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/onnx"))
import fetch_networks  # noqa: E402

EXAMPLES = list(bars.FASTER)
REAL = {entry["name"]: entry for entry in json.loads((ROOT / "tests/onnx/real_networks.json").read_text())
        if "batch" not in entry}


@dataclass
class Network:
    name: str
    source: Path     # what cnnc compiles: .ir or .onnx
    options: list    # of cnnc: shapes of inputs

    @property
    def is_onnx(self):
        return self.source.suffix == ".onnx"


def find(word):
    """The networks of one argument of run.sh; ValueError when there are none."""
    if word == "real":
        return [network for name in REAL for network in find(name)]
    name = Path(word).stem
    if name in EXAMPLES:
        return [Network(name, ROOT / "examples/nets" / f"{name}.ir", [])]
    if name in REAL:
        entry = REAL[name]
        return [Network(name, fetch_networks.fetch_or_skip() / "networks" / entry["file"],
                        ["--shape", entry["shape"]] if "shape" in entry else [])]
    file, _, shape = word.partition("@")
    if file.endswith(".onnx") and Path(file).is_file():
        return [Network(Path(file).stem, Path(file), ["--shape", shape] if shape else [])]
    raise ValueError(f"there is no network '{word}': {', '.join([*EXAMPLES, 'real', *REAL])}, or FILE.onnx[@SHAPE]")


def input_shape(text):
    """Of the first input of a model, from its text."""
    found = re.search(r"^model @.*?\(\s*%.*?: f32\[([0-9, ]+)\]", Path(text).read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        raise SystemExit(f"run.sh: error: the first input of {text} is no f32 tensor of known size")
    return [int(size) for size in found[1].split(",")]
