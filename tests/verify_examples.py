"""Runs `cnnc --verify` on the examples in the tests of passes: the golden text says what a pass writes, this that it
means the same. verify_examples.py CNNC TEST.ir ...

Each model is compiled by the whole pipeline and compared with the reference interpreter of what is written. Weights
become random numbers.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pass_tests import items

# Examples of what stands between two passes: layouts of inputs and outputs, places, kernels that stand elsewhere.
INCOMPLETE = re.compile(r"nchw\d|call \"|: f32\[[^]]*\] at \d")


def with_random_weights(model):
    seeds = iter(range(1, 1000))

    def integers(match):
        indent, name, dtype, shape = match.groups()
        made = {"i8": "quantize %{}.made scale=0.01 to=i8", "u8": "quantize %{}.made scale=0.01 zero_point=128 to=u8",
                "i32": "cast %{}.made to=i32"}[dtype].format(name)
        return f"{indent}%{name}.made = random({next(seeds)}, he) : f32{shape}\n{indent}%{name} = {made}"

    model = re.sub(r"( *)%(\S+) = weight \"[^\"]*\" : (i8|u8|i32)(\[[^]]*\])", integers, model)
    return re.sub(r"\bweight \"[^\"]*\" : f32", lambda _: f"random({next(seeds)}, he) : f32", model)


def verify(cnnc, model, folder):
    """What cnnc says if it doesn't find the model right, else nothing."""
    text = folder / "model.ir"
    text.write_text(with_random_weights(model))
    run = subprocess.run([cnnc, text, "--verify"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return "" if run.returncode == 0 else run.stdout


cnnc, tests = sys.argv[1], [Path(name) for name in sys.argv[2:]]
verified, wrong = 0, 0
with tempfile.TemporaryDirectory() as folder:
    for test in tests:
        good = test.read_text().split("//--- bad.ir")[0]
        for item in items(good):
            if not item.startswith("model") or INCOMPLETE.search(item):
                continue
            verified += 1
            if message := verify(cnnc, item, Path(folder)):
                wrong += 1
                print(f"{test}: {item.splitlines()[0]}\n{message}")
print(f"{verified} models, {wrong} wrong")
sys.exit(1 if wrong else 0)
