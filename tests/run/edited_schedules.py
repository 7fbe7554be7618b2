"""Edited schedules: each is obeyed and changes no result beyond rounding, or is an error of the user at its place.

    python3 edited_schedules.py CNNC EDITS [SEED]

Prints the graph of small networks with `--emit=graph`, edits their schedules at random (sizes, loops, entries that are added, doubled,
moved and removed), and runs each text. What it computes must be what the unedited text computes. An error must have the place of
the schedule, and must be none of the compiler's own.
"""
import array
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NETWORKS = {
    "relu": ("f32[1, 1, 1, 5]", "%y = relu %x"),
    "add": ("f32[1, 19, 7, 10]", "%a = sigmoid %x\n  %y = add %a, %x"),
    "conv": ("f32[1, 3, 12, 14]", "%w = random(1, he) : f32[20, 3, 3, 3]\n  %c = conv2d %x, %w pad=[1, 1, 1, 1]\n  %y = relu %c"),
    "pointwise": ("f32[1, 32, 7, 7]", "%w = random(1, he) : f32[48, 32, 1, 1]\n  %y = conv2d %x, %w"),
    "strided": ("f32[1, 16, 9, 11]", "%w = random(1, he) : f32[16, 16, 3, 3]\n  %y = conv2d %x, %w stride=[2, 2] winograd=-1"),
    "winograd": ("f32[1, 16, 12, 14]", "%w = random(1, he) : f32[32, 16, 3, 3]\n  %c = conv2d %x, %w pad=[1, 1, 1, 1] winograd=4\n"
                 "  %y = relu %c"),
    "depthwise": ("f32[1, 32, 9, 9]", "%w = random(1, he) : f32[32, 1, 3, 3]\n  %y = conv2d %x, %w pad=[1, 1, 1, 1] groups=32"),
    "grouped": ("f32[1, 8, 6, 6]", "%w = random(1, he) : f32[8, 2, 3, 3]\n  %y = conv2d %x, %w groups=4"),
    "pooled": ("f32[1, 16, 12, 12]", "%w = random(1, he) : f32[32, 16, 3, 3]\n  %c = conv2d %x, %w pad=[1, 1, 1, 1] winograd=-1\n"
               "  %r = relu %c\n  %y = max_pool2d %r kernel=[2, 2] stride=[2, 2]"),
    "transposed": ("f32[1, 8, 5, 6]", "%w = random(1, he) : f32[8, 16, 2, 2]\n  %y = conv_transpose2d %x, %w stride=[2, 2]"),
    "dense": ("f32[1, 40]", "%w = random(1, he) : f32[30, 40]\n  %b = random(2, he) : f32[30]\n  %y = dense %x, %w, %b"),
    "matmul": ("f32[7, 20]", "%w = random(1, he) : f32[20, 47]\n  %y = matmul %x, %w"),
    "products": ("f32[3, 6, 10]", "%t = transpose %x permutation=[0, 2, 1]\n  %y = matmul %x, %t"),
    "max_pool": ("f32[1, 20, 9, 9]", "%y = max_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1]"),
    "avg_pool": ("f32[1, 20, 9, 9]", "%y = avg_pool2d %x kernel=[3, 3] pad=[1, 1, 1, 1]"),
    "global_pool": ("f32[1, 20, 9, 9]", "%y = global_avg_pool2d %x"),
    "softmax": ("f32[6, 21]", "%y = softmax %x"),
    "layer_norm": ("f32[5, 37]", "%y = layer_norm %x"),
    "reduce": ("f32[4, 9, 17]", "%y = reduce_sum %x axes=[1]"),
    "transpose": ("f32[1, 9, 10, 12]", "%y = transpose %x permutation=[0, 2, 3, 1]"),
    "concat": ("f32[1, 5, 6, 7]", "%a = relu %x\n  %b = sigmoid %x\n  %y = concat %a, %b axis=3"),
    "resize": ("f32[1, 5, 6, 7]", "%y = resize2d %x sizes=[12, 14] mode=linear"),
    "pixels": ("f32[1, 16, 6, 7]", "%y = depth_to_space %x block=[2, 2]"),
    "residual": ("f32[1, 16, 10, 10]", "%w = random(1, he) : f32[16, 16, 3, 3]\n  %v = random(2, he) : f32[16, 16, 1, 1]\n"
                 "  %c = conv2d %x, %w pad=[1, 1, 1, 1]\n  %r = relu %c\n  %d = conv2d %r, %v\n  %e = add %d, %x\n  %y = relu %e"),
}
LOOPS = ["n", "oc", "oh", "ow", "ic", "icb", "kh", "kw", "c", "h", "w", "i", "j", "k", "b0", "d0", "d1", "d2", "tb", "ob", "ty", "tx", "zz"]
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16, 17, 24, 28, 31, 32, 33, 47, 48, 64, 100, 1000, 4096, 4097, 0, -1, 65536]
ENTRY = re.compile(r"(\w+)=(\[[^\]]*\]|[^,\s]+)")


def read_npy(file):
    """The elements of a .npy file of f32."""
    data = file.read_bytes()
    return array.array("f", data[10 + int.from_bytes(data[8:10], "little"):])


def parse(schedule):
    return [(key, [item.strip() for item in value.strip("[]").split(",") if item.strip()]) for key, value in ENTRY.findall(schedule)]


def spell(entries):
    return ", ".join(f"{key}={items[0] if len(items) == 1 else '[' + ', '.join(items) + ']'}" for key, items in entries)


def new_item(key, known):
    loop = random.choice(known if random.random() < 0.8 else LOOPS)
    return loop if key == "parallel" else f"{loop}:{random.choice(SIZES)}"


def edit(entries, known):
    entries = [(key, list(items)) for key, items in entries]
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        what = random.choice(["size", "size", "size", "loop", "add", "add", "remove", "item", "swap", "double", "key"])
        sized = [(e, i) for e, (key, items) in enumerate(entries) for i in range(len(items))]
        if what == "size" and sized:
            e, i = random.choice(sized)
            if ":" in entries[e][1][i]:
                entries[e][1][i] = f"{entries[e][1][i].split(':')[0]}:{random.choice(SIZES)}"
        elif what == "loop" and sized:
            e, i = random.choice(sized)
            if entries[e][0] != "prefetch":
                size = entries[e][1][i].split(":")[1:]
                entries[e][1][i] = ":".join([random.choice(known)] + size)
        elif what == "add":
            key = random.choice(["vector", "tile", "tile", "unroll", "parallel", "block", "partial", "stage"])
            present = [items for name, items in entries if name == key]
            (present[0].append if present else lambda item: entries.append((key, [item])))(new_item(key, known))
        elif what == "remove" and entries:
            entries.pop(random.randrange(len(entries)))
        elif what == "item" and sized:
            e, i = random.choice(sized)
            if len(entries[e][1]) > 1:
                entries[e][1].pop(i)
        elif what == "swap" and len(entries) > 1:
            random.shuffle(entries)
        elif what == "double" and entries:
            key, items = random.choice(entries)
            (items.append(random.choice(items)) if random.random() < 0.5 else entries.append((key, list(items))))
        elif what == "key" and entries:
            e = random.randrange(len(entries))
            entries[e] = (random.choice(["vector", "tile", "unroll", "parallel", "block", "partial", "stage", "prefetch"]), entries[e][1])
    return entries


class Tester:
    def __init__(self, cnnc, folder):
        self.cnnc, self.folder, self.failures, self.obeyed, self.refused = cnnc, Path(folder), 0, 0, 0

    def compute(self, text):
        model, output = self.folder / "model.ir", self.folder / "y.npy"
        model.write_text(text)
        output.unlink(missing_ok=True)
        try:
            done = subprocess.run([self.cnnc, model, "--run", "-o", output, "--jobs=1"], capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return None, "took more than a minute"
        if done.returncode == 0:
            return read_npy(output), ""
        return None, done.stderr if done.returncode == 1 else f"ended with {done.returncode}\n{done.stderr}"

    def fail(self, name, text, why):
        self.failures += 1
        print(f"{name}: {why}\n{text}\n")

    def network(self, name, edits):
        type_, body = NETWORKS[name]
        source = f"model @{name}(%x: {type_}) {{\n  {body}\n  return %y\n}}\n"
        graph = subprocess.run([self.cnnc, "-", "--emit=graph"], input=source, capture_output=True, text=True, check=True).stdout
        expected, error = self.compute(graph)
        if error:
            sys.exit(f"{name}: {error}\n{graph}")
        # Nothing of the graph's memory is written in a text whose schedules change the sizes of tiles.
        kernels = [m for m in re.finditer(r"kernel @[^\n]*\{", graph)]
        for _ in range(edits):
            kernel = random.choice(kernels).group(0)
            found = re.search(r" schedule\((.*)\)", kernel)
            entries = parse(found.group(1)) if found else []
            known = sorted({item.split(":")[0] for key, items in entries if key != "prefetch" for item in items}) + LOOPS[:3]
            head = re.sub(r" schedule\(.*\)", "", kernel).removesuffix("{").rstrip()
            edited = graph.replace(kernel, f"{head} schedule({spell(edit(entries, known))}) {{")
            self.judge(name, edited, expected)

    def judge(self, name, text, expected):
        got, error = self.compute(text)
        if got is not None:
            self.obeyed += 1
            tolerance = 1e-4 * max(abs(x) for x in expected)
            if len(got) != len(expected) or not all(abs(a - b) <= tolerance for a, b in zip(got, expected)):
                self.fail(name, text, "computes something else")
            return
        self.refused += 1
        first = next((line for line in error.splitlines() if "error:" in line), error)
        if "internal error" in error or not re.match(r"\S+model\.ir:\d+:\d+: error: ", first):
            self.fail(name, text, error)


def main():
    cnnc, edits = sys.argv[1], int(sys.argv[2])
    random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    names = sys.argv[4:] or list(NETWORKS)
    with tempfile.TemporaryDirectory() as folder:
        tester = Tester(cnnc, folder)
        for name in names:
            tester.network(name, edits)
    print(f"{tester.obeyed} schedules obeyed, {tester.refused} refused, {tester.failures} failures")
    sys.exit(1 if tester.failures or tester.obeyed == 0 else 0)


main()
