"""Changes the .npy files of a folder, for compare_each.test.

    values.py change FILE.npy INDEX       adds 1 to one element, f32 as cnnc writes it
    values.py pack FOLDER OUT.npz stored|deflated [UNDERSCORED=NAME]
                                          NumPy's archive of the files, under other names where they are given
    values.py damage FILE.npz             changes a byte of the data of the first file in it
"""
import struct
import sys
import zipfile
from pathlib import Path


def change(file, index):
    data = bytearray(Path(file).read_bytes())
    place = 10 + struct.unpack_from("<H", data, 8)[0] + 4 * int(index)
    struct.pack_into("<f", data, place, struct.unpack_from("<f", data, place)[0] + 1)
    Path(file).write_bytes(data)


def pack(folder, out, method, *renamed):
    names = dict(pair.split("=") for pair in renamed)
    with zipfile.ZipFile(out, "w", {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}[method]) as archive:
        for file in sorted(Path(folder).iterdir()):
            archive.write(file, names.get(file.stem, file.stem) + ".npy")


def damage(file):
    data = bytearray(Path(file).read_bytes())
    data[300] ^= 1
    Path(file).write_bytes(data)


{"change": change, "pack": pack, "damage": damage}[sys.argv[1]](*sys.argv[2:])
