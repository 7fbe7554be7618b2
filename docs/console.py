"""Runs the commands of a page: the blocks marked `console`.

    ```console
    $ cnnc examples/lenet/lenet.ir -o lenet.so
    $ cat > note.txt << end
    > a second line of the same command
    > end
    ```

All blocks of a page run in one folder, in their order, with the folders of the project in it and `cnnc` on the PATH. Each
command must end with exit code 0. What it prints is put below it, unless the page has the output written there.
"""
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

LIMIT = 60  # seconds of a command
CLOSED_PIPE = 128 + 13  # whoever read its output, as head does, had enough
# What a block is called for that shows commands which are not run; a reason must stand in front of it.
NOT_RUN = re.compile(r"<!-- not run: \S.*?-->\s*\Z", re.S)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
# Commands in blocks that nobody runs.
ANY_BLOCK = re.compile(r"^```(\w*)\n((?:.*\n)*?)```$|(?<=\n\n)((?:    .*\n)+)", re.M)
COMMAND = re.compile(r"^ *(\$ |cnnc |cmake |cc |python3 |/usr/bin/python3 |npm |ln |mkdir |(build|examples|tests|\.)/\S*( |$))", re.M)


SYNOPSIS = re.compile(r"^.* \[.*$", re.M)  # with options in brackets


class Failure(Exception):
    pass


def parse(block):
    """[(command, the output that is written below it)]"""
    commands = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append([line[2:], []])
        elif not commands:
            raise Failure(f"a console block begins with a command, `$ ...`, not with: {line}")
        elif (line + " ").startswith("> ") and not commands[-1][1]:
            commands[-1][0] += "\n" + line[2:]
        else:
            commands[-1][1].append(line)
    return commands


def scratch(folder, root):
    """The folders of the project that pages name."""
    for name in ("examples", "runtime", "tests"):
        (Path(folder) / name).symlink_to(root / name)


def fenced(language, lines):
    return "\n".join([f"```{language}", *lines, "```"]) + "\n"


def fenced_output(lines):
    """A block of its own, as a diff where it is one."""
    language = "diff" if any(line.startswith("@@ ") for line in lines) else "text"
    return fenced(f"{{code-block}} {language}\n:class: output\n", lines)


def run_commands(name, text, root, cnnc):
    """The page with the output of its commands, and [(seconds, command)]."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        scratch(folder, root)
        environment = {**os.environ, "PATH": f"{cnnc.parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}

        def output_of(command):
            start = time.monotonic()
            try:
                done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=folder, env=environment, text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
            except subprocess.TimeoutExpired:
                raise Failure(f"{name}: takes more than {LIMIT} s: {command}") from None
            times.append((time.monotonic() - start, command))
            if done.returncode not in (0, CLOSED_PIPE):
                raise Failure(f"{name}: exit code {done.returncode}: {command}\n{done.stdout}")
            return done.stdout.rstrip("\n").splitlines()

        def with_output(found):
            text, commands = "", []
            for command, written in parse(found[1]):
                printed = output_of(command)
                commands.append("$ " + command.replace("\n", "\n> "))
                if written or printed:
                    text += fenced("console", commands) + fenced_output(written or printed)
                    commands = []
            return (text + (fenced("console", commands) if commands else "")).rstrip("\n")

        return BLOCK.sub(with_output, text), times


def unmarked(text):
    """Blocks with commands that are neither run nor said to be not."""
    for block in ANY_BLOCK.finditer(text):
        language, fenced, indented = block.groups()
        if language in (None, "", "sh") and COMMAND.search(SYNOPSIS.sub("", fenced or indented)) and not NOT_RUN.search(text[: block.start()]):
            yield (fenced or indented).strip().splitlines()[0]
