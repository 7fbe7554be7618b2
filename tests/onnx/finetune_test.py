"""Runs examples/train/finetune.sh: an ONNX file that learns another task, and is compiled with what it learned.

usage: finetune_test.py SOURCE CNNC FOLDER      exit code 77: the network cannot be had
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fetch_networks


def check_error(program, arguments, code, message):
    result = subprocess.run([program, *arguments], text=True, capture_output=True)
    assert result.returncode == code and re.search(message, result.stderr), result


def main():
    source, cnnc, folder = (Path(argument).absolute() for argument in sys.argv[1:])
    fetch_networks.fetch_or_skip()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = dict(os.environ, CNNC=str(cnnc), OUT=str(folder))
    output = subprocess.run([source / "examples/train/finetune.sh"], env=environment, check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    print(output)
    right = [int(count) for count in re.findall(r"(\d+) of 2000 held-out digits right", output)]
    assert len(right) == 6, "before, after 4 epochs, and the model that was compiled at the end"
    assert right[0] < 1200, "a network for another task cannot know this one"
    assert right[4] >= 1900, "95 % of the digits"
    assert right[5] == right[4], "the same weights, as inputs and as constants, read the same digits right"
    libraries = re.findall(r"^\s+(\S+) =>", output, re.MULTILINE)
    digits = source / "examples/lenet/held_out_digits.bin"
    check_error(folder / "finetune", ["--read", folder / "network.ir", digits], 1, "finetune: error: .*network.ir")
    check_error(folder / "finetune", [digits, digits, folder / "trained.ir", folder / "none"], 1,
                "finetune: error: .*trained.ir: cannot open it")
    check_error(folder / "finetune", [digits], 2, "usage: finetune")
    assert libraries == ["parity_train.so", "parity_forward.so", "libc.so.6"], libraries


main()
