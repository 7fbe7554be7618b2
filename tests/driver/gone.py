"""Waits for a process to end: gone.py FILE, which has its number."""
import sys
import time
from pathlib import Path


def is_gone(process):
    """Also as one whose end nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(process, seconds=5):
    for _ in range(seconds * 100):
        if is_gone(process):
            return
        time.sleep(0.01)
    sys.exit(f"process {process} is still there")


if __name__ == "__main__":
    wait_until_gone(Path(sys.argv[1]).read_text().strip())
