"""Interrupts --reduce while its command runs: interrupt.py CNNC MODEL OUTPUT. The output is the smallest so far, the
command is gone, and so is the temporary folder."""
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gone import wait_until_gone

cnnc, model, output = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    # The command succeeds once, and hangs then.
    command = f"test -e {folder}/second && {{ echo $$ > {folder}/hangs; sleep 1000; }}; touch {folder}/second #"
    process = subprocess.Popen([cnnc, model, "--reduce", "--test", command, "-o", output],
                               env={**os.environ, "TMPDIR": folder}, stderr=subprocess.DEVNULL)
    hangs = Path(folder) / "hangs"
    while not hangs.exists() or not hangs.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM, process.returncode
    assert "model @" in Path(output).read_text()
    wait_until_gone(hangs.read_text().strip())
    left = [name for name in os.listdir(folder) if name.endswith(".tmp")]
    assert not left, left
