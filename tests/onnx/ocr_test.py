"""Builds examples/ocr against an installed cnnc, reads two photos with it, and compares with what is written there.

usage: ocr_test.py SOURCE BUILD FOLDER      exit code 77: the networks or the photos cannot be had
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import fetch_networks

# Of the printed page imageTextN.png, line by line.
PAGE = [
    "technical details are too complex to cover in the book itself.",
    "In teaching our courses, we have found it useful for the students to attempt a number of",
    "small implementation projects, which often build on one another, in order to get them used to",
    "working with real-world images and the challenges that these present. The students are then",
    "asked to choose an individual topic for each of their small-group, final projects. (Sometimes",
    "these projects even turn into conference papers!) The exercises at the end of each chapter",
    "contain numerous suggestions for smaller mid-term projects, as well as more open-ended",
    "problems whose solutions are still active research topics. Wherever possible, I encourage",
    "students to try their algorithms on their own personal photographs, since this better motivates",
    "them, often leads to creative variants on the problems, and better acquaints them with the",
    "variety and complexity of real-world imagery.",
    "In formulating and solving computer vision problems, I have often found it useful to draw",
    "inspiration from three high-level approaches:",
]
# On the circuit board board.jpg, among others: each must be a line of its own, with or without its spaces.
BOARD = ["FOR HOME OR OFFICE USE", "TDA1517P", "G19438", "R40", "C81"]


def run(*command):
    print("+", *command, flush=True)
    return subprocess.run([str(part) for part in command], check=True, text=True, stdout=subprocess.PIPE).stdout


def edit_distance(a, b):
    """Characters that must be inserted, removed or changed (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def build_example(source, build, folder, files):
    shutil.rmtree(folder, ignore_errors=True)
    run("cmake", "--install", build, "--prefix", folder / "prefix")
    run("cmake", "-S", source / "examples/ocr", "-B", folder / "build", "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}", f"-DOCR_NETWORKS={files / 'networks'}")
    run("cmake", "--build", folder / "build")
    return folder / "build/ocr"


def check_page(ocr, photo):
    lines = [line["text"] for line in json.loads(run(ocr, photo, "--json", "--threads", "2"))]
    print(*lines, sep="\n")
    assert len(lines) == len(PAGE), f"{len(lines)} lines of {len(PAGE)}"
    errors = sum(edit_distance(line, known) for line, known in zip(lines, PAGE))
    characters = sum(map(len, PAGE))
    right = sum(line == known for line, known in zip(lines, PAGE))
    print(f"{photo.name}: {errors} wrong of {characters} characters, {100 * errors / characters:.2f} %; "
          f"{right} of {len(PAGE)} lines without a mistake")
    assert errors <= 0.03 * characters


def check_board(ocr, photo, picture):
    text = run(ocr, photo, "-o", picture)
    print(text)
    lines = {}
    for line in text.splitlines():
        confidence, *corners, words = line.split(" ", 5)
        assert 0.5 <= float(confidence) <= 1.0001, line
        lines[words] = [tuple(map(float, corner.split(","))) for corner in corners]
    squeezed = {words.replace(" ", "").lower(): corners for words, corners in lines.items()}
    for known in BOARD:
        assert known.replace(" ", "").lower() in squeezed, f"'{known}' was not read"
    # Where it is written: the photo has 640 x 480 pixels.
    corners = squeezed["forhomeorofficeuse"]
    for (x, y), (known_x, known_y) in zip(corners, [(68, 37), (243, 37), (243, 51), (68, 51)]):
        assert abs(x - known_x) < 8 and abs(y - known_y) < 6, corners
    header = picture.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n", "no PNG was written"
    assert (int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")) == (640, 480)


def check_mistakes(ocr, folder):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    for arguments, words in [([folder / "broken.png"], "cannot be read"), ([folder / "no.jpg"], "cannot be read")]:
        result = subprocess.run([ocr, *arguments], capture_output=True, text=True)
        assert result.returncode == 1 and words in result.stderr, result


def main():
    source, build, folder = (Path(argument).resolve() for argument in sys.argv[1:])
    files = fetch_networks.fetch_or_skip()
    ocr = build_example(source, build, folder, files)
    check_page(ocr, files / "photos/imageTextN.png")
    check_board(ocr, files / "photos/board.jpg", folder / "board.png")
    check_mistakes(ocr, folder)


main()
