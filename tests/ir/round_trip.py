"""Every text of the project that can be read prints as a text that reads back to the same.

    python3 round_trip.py CNNC FOLDER...

Takes every .ir file below the folders; one with parts (`//--- name`, for split-file) part by part. Texts that
are wrong on purpose must be refused with exit code 1.
"""
import re
import subprocess
import sys
from pathlib import Path


def print_text(cnnc, text):
    command = [cnnc, "-", "--passes=infer_shapes", "--emit=loops"]
    return subprocess.run(command, input=text, capture_output=True, text=True)


def parts(path):
    text = path.read_text()
    pieces = re.split(r"^//--- (\S+)\n", text, flags=re.M)
    if len(pieces) == 1:
        return [(str(path), text)]
    return [(f"{path}, {name}", piece) for name, piece in zip(pieces[1::2], pieces[2::2])]


def main():
    cnnc, *folders = sys.argv[1:]
    same, refused, failures = 0, 0, 0
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.ir")):
            for name, text in parts(path):
                first = print_text(cnnc, text)
                if first.returncode == 1:
                    refused += 1
                    continue
                second = print_text(cnnc, first.stdout)
                if first.returncode == 0 and second.returncode == 0 and first.stdout == second.stdout:
                    same += 1
                    continue
                failures += 1
                print(f"{name}: exit codes {first.returncode}, {second.returncode}")
                print(first.stderr, first.stdout, second.stderr, second.stdout, sep="\n")
    print(f"{same} texts read back, {refused} refused, {failures} failures")
    sys.exit(1 if failures or same < refused or same < 20 else 0)


main()
