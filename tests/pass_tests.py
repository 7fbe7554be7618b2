"""What the tests of passes, tests/*_passes/NAME.ir, consist of: models and kernels, and RUN lines of cnnc and FileCheck."""
import re
import subprocess
import tempfile
from pathlib import Path

FILE_CHECK = re.compile(r"%FileCheck %s(?: --check-prefix=(\w+))?( --strict-whitespace)?( < (?P<file>\S+))?$")


def run_lines(test):
    return re.findall(r"^// RUN: (.*)$", test.read_text(), re.MULTILINE)


def items(text):
    """The text of each model and kernel, from its first line to its closing brace."""
    return re.findall(r"^(?:model|kernel) @.*?^}$", text, re.MULTILINE | re.DOTALL)


def split_file(test, folder):
    """What `split-file --leading-lines` does: each part keeps its line numbers."""
    folder.mkdir()
    lines, name = test.read_text().splitlines(), None
    for number, line in enumerate(lines):
        if line.startswith("//--- "):
            name = line[6:].strip()
            (folder / name).write_text("\n" * (number + 1))
        elif name:
            with open(folder / name, "a") as part:
                part.write(line + "\n")


def checked_texts(test, cnnc):
    """{prefix: the text that FileCheck compares with the lines of this prefix}, as the RUN lines make it."""
    texts = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "test"

        def shell(command):
            command = command.replace("%cnnc", str(cnnc)).replace("%s", str(test)).replace("%t", str(base))
            return subprocess.run(re.sub(r"^not ", "! ", command), shell=True, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL).stdout

        for line in run_lines(test):
            check = FILE_CHECK.search(line)
            if line.startswith("%split_file"):
                split_file(test, base)
            elif check:
                command = f"cat {check['file']}" if check["file"] else line[: check.start()].rstrip(" |")
                texts.setdefault(check[1] or "CHECK", shell(command))
            elif " -o %t" in line:
                shell(line)
    return texts


def run_item(test, item, cnnc):
    """What the first run of cnnc in a test prints, messages included, when its input is one item alone."""
    line = next(line for line in run_lines(test) if line.startswith("%cnnc"))
    options = [word for word in line.split()[2:] if word.startswith("--")]
    with tempfile.NamedTemporaryFile("w", suffix=".ir") as file:
        file.write(item)
        file.flush()
        return subprocess.run([cnnc, file.name, *options], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
