"""Every text that the compiler prints on its way compiles when it is fed back, to the same assembly.

    python3 feed_back.py CNNC MODEL.ir [options of cnnc, like --cpu=x86-64-v3]

Runs `cnnc MODEL.ir --print-after=all`, gives every text of it to `cnnc -` again and compares its assembly
with that of the model itself. The text is also printed once more without any pass: it must not change.
"""
import functools
import re
import subprocess
import sys


@functools.cache
def run(*command, text=None):
    """What a command prints. Passes that change nothing leave texts that have been given to it before."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}\ntext:\n{text}")
    return done.stdout


def texts_after_passes(cnnc, model, options):
    """(pass, text) for every pass, without the LLVM IR at the end."""
    everything = run(cnnc, model, "--print-after=all", *options)
    parts = re.split(r"^// after (\w+)\n", everything.split("\n; after ")[0], flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def first_difference(expected, actual):
    for number, (a, b) in enumerate(zip(expected.splitlines(), actual.splitlines()), 1):
        if a != b:
            return f"line {number}: expected\n  {a}\nbut got\n  {b}"
    return f"{len(expected.splitlines())} lines expected, {len(actual.splitlines())} written"


def main():
    cnnc, model, *options = sys.argv[1:]
    listed = [line.split(None, 2) for line in run(cnnc, "--list-passes").splitlines()]
    passes = [name for name, _, what in listed if not what.startswith("with --")]  # those that an option asks for
    texts = texts_after_passes(cnnc, model, options)
    if [name for name, _ in texts] != passes:
        sys.exit(f"printed after {[name for name, _ in texts]}, but the passes are {passes}")
    expected = run(cnnc, model, "--emit=asm", *options)
    failures = 0
    for name, text in texts:
        again = run(cnnc, "-", "--passes=infer_shapes", "--emit=loops", *options, text=text)
        if again.strip() != text.strip():
            failures += 1
            print(f"{name}: printed again, the text differs: {first_difference(text.strip(), again.strip())}")
        assembly = run(cnnc, "-", "--emit=asm", *options, text=text)
        if assembly != expected:
            failures += 1
            print(f"{name}: the assembly differs: {first_difference(expected, assembly)}")
    print(f"{model}: {len(texts)} texts fed back, {failures} failures")
    sys.exit(1 if failures else 0)


main()
