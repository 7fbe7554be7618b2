"""Inputs that the fuzzers begin with: what is in the tests, small and of every kind.

usage: make_seeds.py CNNC FOLDER
"""
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
cnnc, folder = sys.argv[1], Path(sys.argv[2])


def write(kind, name, data):
    file = folder / kind / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def texts():
    """(name, text) of the tests of ops and passes, in the parts that split-file would make."""
    for kind in ("ops", "graph_passes", "loop_passes", "run"):
        for file in sorted((ROOT / "tests" / kind).glob("*.ir")):
            parts = re.split(r"^//--- (\S+)\n", file.read_text(), flags=re.M)
            bodies = [parts[0]] if len(parts) == 1 else parts[2::2]
            for i, body in enumerate(bodies):
                yield f"{kind}-{file.stem}-{i}", "\n".join(
                    line for line in body.split("\n") if not line.lstrip().startswith("//"))


def emit(text_file, stage):
    done = subprocess.run([cnnc, text_file, f"--emit={stage}", "-o", "-"], capture_output=True)
    return done.stdout if done.returncode == 0 else None


def npy(descr, order, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def safetensors(dtype, shape, data):
    header = json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]},
                         "__metadata__": {"format": "pt"}}).encode()
    return struct.pack("<Q", len(header)) + header + data


for number, (name, text) in enumerate(texts()):
    if len(text) > 1500:  # with sanitizers the passes take a fifth of a second
        continue
    file = write("text", name + ".ir", text.encode())
    if len(text) < 2000 and number % 4 == 0:  # the rest would take minutes
        for stage, kind in (("graph", "text"), ("onnx", "onnx")):
            if data := emit(file, stage):
                if len(data) <= 4096:
                    write(kind, f"{name}.{stage}", data)
for i, (descr, order, shape, size) in enumerate(
        [("<f4", False, (2, 3), 24), ("<f8", True, (2, 1, 2), 32), ("|b1", False, (), 1), ("<i8", False, (0,), 0)]):
    write("npy", f"{i}.npy", npy(descr, order, shape, bytes(size)))
for i, (dtype, shape, size) in enumerate([("F32", [2, 2], 16), ("BF16", [3], 6), ("F64", [], 8), ("I64", [0], 0)]):
    write("safetensors", f"{i}.safetensors", safetensors(dtype, shape, bytes(size)))
