"""Writes a tensor of f32: write_tensor.py FILE.npy SHAPE VALUE...

or a file of weights: write_tensor.py FILE.safetensors NAME SHAPE VALUE... + ...
SHAPE is like 1,3,8,8.
"""
import json
import struct
import sys


def parse(shape, *values):
    """The shape, and the bytes of the elements."""
    return [int(size) for size in shape.split(",") if size], struct.pack(f"<{len(values)}f", *map(float, values))


def weights(arguments):
    header, data = {}, b""
    while arguments:
        end = arguments.index("+") if "+" in arguments else len(arguments)
        name, *tensor = arguments[:end]
        arguments = arguments[end + 1:]
        shape, elements = parse(*tensor)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(elements)]}
        data += elements
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(arguments):
    shape, data = parse(*arguments)
    sizes = "".join(f"{size}, " for size in shape)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}"
    header = header.ljust(128 - 10 - 1).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def write(file, *arguments):
    data = weights(arguments) if file.endswith(".safetensors") else tensor(arguments)
    with open(file, "wb") as output:
        output.write(data)


if __name__ == "__main__":
    write(*sys.argv[1:])
