"""Stands for a compiler with a bug, as --test of --reduce: miscompile.py CNNC MODEL gives 0 where the bug shows. The
bug is that max pools behind a relu take the mean: so does the model that is run as this compiler's code."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

cnnc, model = sys.argv[1], Path(sys.argv[2])


def outputs(text, folder, name):
    file = folder / f"{name}.ir"
    file.write_text(text)
    weights = [f"--weights={model.with_suffix('.safetensors')}"] if model.with_suffix(".safetensors").exists() else []
    subprocess.run([cnnc, file, "--run", "--outputs", folder / name, *weights], check=True)
    return [path.read_bytes() for path in sorted((folder / name).iterdir())]


text = model.read_text()
pools_behind_relu = {name for name in re.findall(r"%(\S+) = relu ", text)}
miscompiled = re.sub(r"= max_pool2d %(\S+) ", lambda pool: pool[0].replace("max_", "avg_")
                     if pool[1] in pools_behind_relu else pool[0], text)
with tempfile.TemporaryDirectory() as folder:
    right, wrong = outputs(text, Path(folder), "right"), outputs(miscompiled, Path(folder), "wrong")
print("the outputs are", "the same" if right == wrong else "different")
sys.exit(right == wrong)
