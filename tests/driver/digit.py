"""Writes one of the held-out digits as .npy and prints its label: digit.py held_out_digits.bin out.npy INDEX

The file is described in examples/lenet/digits.py. Pixels become 0..1, as in training.
"""
import struct
import sys

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"CNNCDIG1"
_, rows, columns = struct.unpack_from("<IHH", data, 8)
begin = 16 + int(sys.argv[3]) * (1 + rows * columns)
pixels = [value / 255 for value in data[begin + 1 : begin + 1 + rows * columns]]
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, {rows}, {columns}), }}"
header = header.ljust(128 - 10 - 1).encode() + b"\n"
with open(sys.argv[2], "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    file.write(struct.pack(f"<{len(pixels)}f", *pixels))
print("label", data[begin])
