"""A file that is neither text nor ONNX is named for what it is, in one line: foreign_files.py CNNC FOLDER."""
import gzip
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path


def zip_of(folder, name):
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    return (folder / name).read_bytes()


def safetensors():
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


def main():
    cnnc, folder = sys.argv[1], Path(sys.argv[2])
    cases = {
        "model.pt": (zip_of(folder, "model.zip"), "this is a zip archive, as PyTorch and Keras write them: export the model as ONNX"),
        "old.pt": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M", "this is a Python pickle, as PyTorch writes them"),
        "pickle.ir": (b"\x80\x04\x95\x10\x00", "this is a Python pickle, which holds no model that can be read"),
        "model.safetensors": (safetensors(), "this is a safetensors file, which has weights but no network"),
        "model.h5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "this is an HDF5 file, as Keras writes them"),
        "model.tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(100), "this is a TensorFlow Lite file"),
        "model.so": (Path(cnnc).read_bytes(), "this is a compiled library, object or program, not a model"),
        "model.a": (b"!<arch>\n/               0", "this is an archive of objects, not a model"),
        "x.npy": (b"\x93NUMPY\x01\x00v\x00{'descr'", "this is a .npy file with a tensor, not a model"),
        "x.png": (b"\x89PNG\r\n\x1a\n" + bytes(20), "this is a PNG image"),
        "x.jpg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "this is a JPEG image"),
        "x.gif": (b"GIF89a\x01\x00", "this is a GIF image"),
        "x.pdf": (b"%PDF-1.7\n", "this is a PDF document"),
        "model.ir.gz": (gzip.compress(b"model @m"), "this is compressed with gzip: uncompress it first"),
        "model.ir.bz2": (b"BZh91AY&SY", "this is compressed with bzip2: uncompress it first"),
        "model.ir.xz": (b"\xfd7zXZ\x00\x00", "this is compressed with xz: uncompress it first"),
        "model.ir.zst": (b"\x28\xb5\x2f\xfd\x04", "this is compressed with zstd: uncompress it first"),
        "wide.ir": ("model @m".encode("utf-16"), "this text is UTF-16: save it as UTF-8"),
        "zeros.ir": (bytes(1 << 20), "this file begins with zeros alone"),
        "noise.ir": (bytes(range(1, 256)) * 1000, "this is no text: a model is text, or an ONNX file"),
    }
    failures = 0
    for name, (content, message) in cases.items():
        file = folder / name
        file.write_bytes(content)
        for command in [[cnnc, file, "--check"], [cnnc, "-", "-o", folder / "out.so"]]:
            done = subprocess.run(command, input=content if command[1] == "-" else b"", capture_output=True)
            shown = "<stdin>" if command[1] == "-" else str(file)
            lines = done.stderr.decode(errors="replace").splitlines()
            if done.returncode != 1 or len(lines) != 1 or not lines[0].startswith(f"{shown}: error: {message}"):
                failures += 1
                print(f"{name}: exit code {done.returncode}, {len(lines)} lines: {lines[:3]}")
    onnx = folder / "foreign.onnx"
    onnx.write_bytes(cases["model.pt"][0])
    done = subprocess.run([cnnc, onnx, "--check"], capture_output=True, text=True)
    if done.stderr.count("\n") != 1 or "zip archive" not in done.stderr:
        failures += 1
        print(f"a zip named .onnx: {done.stderr}")
    print(f"{len(cases)} kinds of files, {failures} failures")
    sys.exit(1 if failures else 0)


main()
