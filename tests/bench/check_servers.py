"""Starts both servers on LeNet as compare.py does, and checks what they answer."""
import array
import random
import sys
from pathlib import Path

from servers import Server

bench, network, library, temporary = sys.argv[1:]
given = temporary + ".input"
generator = random.Random(1)
with open(given, "wb") as file:
    array.array("f", (generator.random() for _ in range(28 * 28))).tofile(file)

jit = Server([f"{bench}/jit_server", network, given])
assert jit.about["multiplications"] == 416520, jit.about
assert jit.about["jit_seconds"] > 0 and jit.about["weights_bytes"] > 4 * 61706 - 64, jit.about
avx2 = Server([f"{bench}/jit_server", network, given, "haswell"])
assert avx2.about["cpu"] == "haswell", avx2.about
compiled = Server([f"{bench}/library_server", library, "lenet", given])

outputs = {}
for name, server in {"jit": jit, "avx2": avx2, "library": compiled}.items():
    for threads in (1, 2):
        wall, cpu = server.ask("run", threads, 3)
        assert len(wall) == len(cpu) == 3 and all(0 < s < 10 for s in wall + cpu), (wall, cpu)
    assert server.ask("memory") > 1e6
    file = Path(f"{temporary}.{name}")
    assert server.ask("output", file) is True
    values = array.array("f")
    values.frombytes(file.read_bytes())
    assert len(values) == 10 and abs(sum(values) - 1) < 1e-4, values  # probabilities
    outputs[name] = values
assert outputs["jit"] == outputs["library"], outputs
assert max(abs(a - b) for a, b in zip(outputs["jit"], outputs["avx2"])) < 1e-5, outputs
assert jit.ask("peak", 1) > 1e8
assert compiled.ask("memory") < jit.ask("memory")
for server in (jit, avx2, compiled):
    server.close()
    assert server.process.returncode == 0, server.process.returncode
