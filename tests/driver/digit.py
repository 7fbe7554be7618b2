"""Writes held-out digits as .npy and prints their labels: digit.py held_out_digits.bin out.npy INDEX|FROM:TO:STEP

The file is described in examples/lenet/digits.py. Pixels become 0..1, as in training.
"""
import struct
import sys

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"CNNCDIG1"
count, rows, columns = struct.unpack_from("<IHH", data, 8)
ends = [int(end) if end else None for end in sys.argv[3].split(":")]
indices = range(count)[slice(*ends)] if len(ends) > 1 else ends
begins = [16 + index * (1 + rows * columns) for index in indices]
pixels = [value / 255 for begin in begins for value in data[begin + 1 : begin + 1 + rows * columns]]
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(begins)}, 1, {rows}, {columns}), }}"
header = header.ljust(128 - 10 - 1).encode() + b"\n"
with open(sys.argv[2], "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    file.write(struct.pack(f"<{len(pixels)}f", *pixels))
print("label", *(data[begin] for begin in begins))
