"""What cnnc says on a terminal, and in a pipe, while it works: progress.py CNNC MODEL.

The model comes four seconds late, on standard input, so that its first pass ends when somebody has waited for two seconds,
however long the compiler took to start.
"""
import os
import pty
import subprocess
import sys
import time

cnnc, model = sys.argv[1:]


def start(errors):
    """cnnc, whose standard error goes to the second of two ends."""
    read, write = errors
    process = subprocess.Popen([cnnc, "-", "--emit=graph"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=write)
    os.close(write)
    return process, read


def finish(process, read):
    """Gives it the model; what it wrote to standard error."""
    with open(model, "rb") as text:
        process.communicate(text.read())
    written = b""
    try:
        while piece := os.read(read, 4096):
            written += piece
    except OSError:  # how a terminal ends
        pass
    if process.returncode != 0:
        sys.exit(f"cnnc failed: {written}")
    return written.decode().split()


terminal, pipe = start(pty.openpty()), start(os.pipe())
time.sleep(4)
print("terminal:", finish(*terminal))
print("pipe:", finish(*pipe))
