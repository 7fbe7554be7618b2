"""Writes a tensor of f32: write_tensor.py FILE.npy SHAPE VALUE...

or a file of weights: write_tensor.py FILE.safetensors NAME SHAPE VALUE... SHAPE is like 1,3,8,8.
"""
import json
import struct
import sys

file, *arguments = sys.argv[1:]
name = arguments.pop(0) if file.endswith(".safetensors") else None
shape = [int(size) for size in arguments.pop(0).split(",") if size]
values = [float(value) for value in arguments]
data = struct.pack(f"<{len(values)}f", *values)
if name is None:
    sizes = "".join(f"{size}, " for size in shape)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}"
    header = header.ljust(128 - 10 - 1).encode() + b"\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
else:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({name: entry}).encode()
    data = struct.pack("<Q", len(header)) + header + data
with open(file, "wb") as output:
    output.write(data)
