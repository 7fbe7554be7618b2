"""Every list of passes works or is an error that names a pass, at its place: never a crash, never an internal error.

    python3 lists_of_passes.py CNNC MODEL.ir

Each pass alone and none at all in every mode, then lists in which passes are missing or stand in another order. Those
that an option asks for (training) are no part of such lists, as they change what the model is.
"""
import random
import re
import subprocess
import sys
import tempfile

MODES = [["-o", "m.so"], ["--run"], ["--verify"], ["--emit=llvm"], ["--emit=loops"], ["--check"]]


def lists(all_passes, passes):
    yield from ([name] for name in ["none", *all_passes])
    random.seed(1)
    for _ in range(40):
        some = [name for name in passes[1:] if random.random() < random.choice([0.6, 0.9])]
        if random.random() < 0.3:
            random.shuffle(some)
        yield [passes[0], *some]


def judge(cnnc, model, names, mode, folder):
    """Whether the list works, or names the pass that it lacks; prints what is wrong otherwise."""
    command = [cnnc, model, "--passes=" + ",".join(names), *mode]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    if done.returncode == 0 and not errors:
        return "works"
    if done.returncode == 1 and errors and re.search(r": run \w+_\w+|; run \w+_\w+", errors[0]):
        return "refused"
    print(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return "wrong"


def main():
    cnnc, model = sys.argv[1:]
    listed = subprocess.run([cnnc, "--list-passes"], check=True, capture_output=True, text=True).stdout
    all_passes = [line.split()[0] for line in listed.splitlines()]
    passes = [line.split()[0] for line in listed.splitlines() if not line.split(None, 2)[2].startswith("with --")]
    counts = {"works": 0, "refused": 0, "wrong": 0}
    with tempfile.TemporaryDirectory() as folder:
        for names in lists(all_passes, passes):
            for mode in MODES if len(names) == 1 else [random.choice(MODES)]:
                counts[judge(cnnc, model, names, mode, folder)] += 1
    print(counts)
    sys.exit(0 if counts["works"] and counts["refused"] and not counts["wrong"] else 1)


main()
