"""What is left of files when the compiler is killed while it writes, and what becomes of links: written_files.py CNNC FOLDER."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MODEL = """model @large(%x: f32[1, 3000]) {
  %w = random(1, he) : f32[3000, 3000]
  %v = random(2, he) : f32[3000, 3000]
  %a = dense %x, %w
  %y = dense %a, %v
  return %y
}
"""


def temporaries(folder):
    return [name for name in os.listdir(folder) if name.startswith(".")]


def kill_while_writing(cnnc, folder, number):
    """Kills the compiler once it has a temporary file. None when it was faster."""
    process = subprocess.Popen([cnnc, folder / "model.ir", "-o", folder / "model.so"], stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None)
    while process.poll() is None and not temporaries(folder):
        time.sleep(0.001)
    process.send_signal(number)
    return process.wait()


def main():
    cnnc, folder = sys.argv[1], Path(sys.argv[2])
    (folder / "model.ir").write_text(MODEL)
    failures = []

    def check(ok, what):
        if not ok:
            failures.append(f"{what}: {sorted(os.listdir(folder))}")

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        check(kill_while_writing(cnnc, folder, number) == -number, f"{number!r} does not end it")
        check(sorted(os.listdir(folder)) == ["model.ir"], f"{number!r} leaves files")
    check(kill_while_writing(cnnc, folder, signal.SIGKILL) == -signal.SIGKILL, "SIGKILL came too late")
    check(len(temporaries(folder)) == 1, "SIGKILL leaves one temporary")
    subprocess.run([cnnc, folder / "model.ir", "--emit=graph", "-o", folder / "graph.ir"], check=True)
    check(temporaries(folder) == [], "the next run removes it")

    # Links stay links, also those to files that are not there yet.
    (folder / "elsewhere").mkdir()
    for name, options in {"lib.so": [], "lib.o": [], "lib.a": [], "text.ir": ["--emit=graph"]}.items():
        for present in (False, True):
            target, link = folder / "elsewhere" / name, folder / f"link_{present}_{name}"
            target.write_text("old") if present else target.unlink(missing_ok=True)
            link.symlink_to(Path("elsewhere") / name)
            done = subprocess.run([cnnc, folder / "model.ir", *options, "-o", link], capture_output=True)
            check(done.returncode == 0 and link.is_symlink() and target.stat().st_size > 100, f"{link} is no link any more")
    check(temporaries(folder) == [] and temporaries(folder / "elsewhere") == [], "temporaries")
    print(*failures, sep="\n")
    sys.exit(1 if failures else 0)


main()
