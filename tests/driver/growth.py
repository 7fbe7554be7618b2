"""Compiling four times as many ops takes four times as long, not sixteen times: growth.py CNNC [KIND SIZE ...].

For each kind of model the CPU time of `cnnc --emit=llvm` at a size and at four times the size. Constant costs make the ratio
smaller, quadratic steps larger. With sizes behind a kind, prints a table of these sizes instead.
"""
import os
import subprocess
import sys
import tempfile

LARGEST_RATIO = 8  # 4 is linear, 16 quadratic


def convolutions(n):
    lines, value = [], "%x"
    for i in range(n):
        lines += [f"%w{i} = random({i}, he) : f32[8, 8, 3, 3]", f"%c{i} = conv2d {value}, %w{i} pad=[1, 1, 1, 1]", f"%r{i} = relu %c{i}"]
        value = f"%r{i}"
    return lines, value


def unary(n):
    return [f"%s{i} = sigmoid %{f's{i - 1}' if i else 'x'}" for i in range(n)], f"%s{n - 1}"


def adds(n):
    return [f"%s{i} = add %{f's{i - 1}' if i else 'x'}, %x" for i in range(n)], f"%s{n - 1}"


def gated(n):
    lines, value = [], "%x"
    for i in range(n // 3):
        lines += [f"%a{i} = relu {value}", f"%b{i} = sigmoid {value}", f"%m{i} = mul %a{i}, %b{i}"]
        value = f"%m{i}"
    return lines, value


def concat(n):
    lines = [f"%p{i} = {'relu' if i % 2 else 'exp'} %x" for i in range(n)]
    return [*lines, "%c = concat " + ", ".join(f"%p{i}" for i in range(n)) + " axis=1"], "%c"


def same_concat(n):
    return ["%c = concat " + ", ".join(["%x"] * n) + " axis=3"], "%c"


def split(n):
    lines = [f"%e = resize2d %x sizes=[{n}, 6]", f"{', '.join(f'%s{i}' for i in range(n))} = split %e axis=2 sizes={[1] * n}"]
    return [*lines, "%y = concat " + ", ".join(f"%s{n - 1 - i}" for i in range(n)) + " axis=2"], "%y"


def kernels(n):
    return [f"%p{i} = max_pool2d %{f'p{i - 1}' if i else 'x'} kernel=[3, 3] pad=[1, 1, 1, 1]" for i in range(n)], f"%p{n - 1}"


KINDS = {"convolutions": (convolutions, 50), "unary": (unary, 200), "adds": (adds, 200), "gated": (gated, 240), "concat": (concat, 200),
         "same_concat": (same_concat, 300), "split": (split, 200), "kernels": (kernels, 60)}


def seconds(cnnc, folder, make, n, options):
    lines, result = make(n)
    file = os.path.join(folder, "model.ir")
    with open(file, "w") as model:
        model.write("model @m(%x: f32[1, 8, 6, 6]) {\n  " + "\n  ".join(lines) + f"\n  return {result}\n}}\n")
    before = os.times()
    subprocess.run([cnnc, file, "--jobs=1", *options], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main():
    cnnc, *table = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        options = ["-o", os.path.join(folder, "model.so")]
        if table:
            for n in map(int, table[1:]):
                print(f"{table[0]:<16} {n:>8} {seconds(cnnc, folder, KINDS[table[0]][0], n, options):>8.2f} s", flush=True)
            return
        failures = 0
        for name, (make, n) in KINDS.items():
            small, large = (min(seconds(cnnc, folder, make, size, options) for _ in range(2)) for size in (n, 4 * n))
            failures += large > LARGEST_RATIO * small
            print(f"{name:<16} {n:>8} {small:>8.2f} s {4 * n:>8} {large:>8.2f} s, {large / small:.1f} times", flush=True)
        sys.exit(1 if failures else 0)


main()
