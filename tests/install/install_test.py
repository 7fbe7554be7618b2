"""Installs the project into a folder of its own, builds tests/install/ against it, and runs what comes out.

usage: install_test.py SOURCE BUILD FOLDER
"""
import shutil
import subprocess
import sys
from pathlib import Path

source, build, folder = (Path(argument).resolve() for argument in sys.argv[1:])


def run(*command):
    print("+", *command, flush=True)
    return subprocess.run([str(part) for part in command], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


shutil.rmtree(folder, ignore_errors=True)
prefix, user = folder / "prefix", folder / "user"
run("cmake", "--install", build, "--prefix", prefix)
# The sources move away from the tree: nothing but the installed files can be found.
shutil.copytree(source / "tests/install", user)
run(prefix / "bin/cnnc", user / "small.ir", "--emit=onnx", "-o", user / "same.onnx")
run("cmake", "-S", user, "-B", user / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
    "-DCMAKE_BUILD_TYPE=Release", f"-DLENET_FOLDER={source / 'examples/lenet'}",
    f"-DJIT_EXAMPLE_FOLDER={source / 'examples/jit'}")
run("cmake", "--build", user / "build")
assert "sum of probabilities 1.0000" in run(user / "build/use_models")
assert "all right" in run(user / "build/use_compiler")
digits = run(user / "build/jit_example/run_model", source / "examples/lenet/lenet.ir").split()
assert len(digits) == 10 and abs(sum(map(float, digits)) - 1) < 1e-4, digits
again = run("cmake", "--build", user / "build")
assert "no work to do" in again, again

# Models alone. They are compiled again when their weights change, and only then.
models = user / "models_only"
for kind in ("ir", "safetensors"):
    shutil.copy(source / f"examples/lenet/lenet.{kind}", models / f"digits.{kind}")
run("cmake", "-S", models, "-B", models / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
run("cmake", "--build", models / "build")
before = run(models / "build/use_twice")
assert "no work to do" in run("cmake", "--build", models / "build")
weights = models / "digits.safetensors"
changed = bytearray(weights.read_bytes())
changed[-64:] = bytes(64)
weights.write_bytes(changed)
again = run("cmake", "--build", models / "build")
assert "Compiling the model digits" in again and "small" not in again, again
assert run(models / "build/use_twice") != before
print("the installed package works")
