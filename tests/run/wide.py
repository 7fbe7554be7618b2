"""Prints a model that is wider or longer than one kernel: wide.py chain|concat|split N."""
import sys

kind, n = sys.argv[1], int(sys.argv[2])
if kind == "chain":
    lines = [f"%s{i} = {'sigmoid' if i % 2 else 'neg'} %{f's{i - 1}' if i else 'x'}" for i in range(n)]
    result = f"%s{n - 1}"
elif kind == "concat":  # of parts that are no whole rows, so that it is a kernel
    lines = [f"%p{i} = {['relu', 'neg', 'exp'][i % 3]} %x" for i in range(n)] + ["%c = concat " + ", ".join(f"%p{i}" for i in range(n)) + " axis=3"]
    result = "%c"
else:
    lines = [f"%e = resize2d %x sizes=[3, {n}]", ", ".join(f"%s{i}" for i in range(n)) + f" = split %e axis=3 sizes={[1] * n}",
             "%y = concat " + ", ".join(f"%s{n - 1 - i}" for i in range(n)) + " axis=3"]
    result = "%y"
print("model @wide(%x: f32[1, 5, 3, 7]) {\n  " + "\n  ".join(lines) + f"\n  return {result}\n}}")
