"""Shows that a change of the compiler changes nothing that it makes, or what it changes.

    python3 tests/identity/identity.py record CNNC FOLDER [TEXT ...]
        writes what this compiler makes of the models in the tree, or of those whose names contain one of the texts
    python3 tests/identity/identity.py compare BEFORE AFTER [TEXT ...]
        lists what differs; the exit code is 1 when something does

Recorded are, of LeNet, the networks in examples/nets and every model in tests/ops and tests/run: the assembly of each
kernel for three CPUs, the loops, the graph after all its passes, and the ONNX file. The models come from the tree in which
this script stands, so that two compilers are given the same ones.
"""
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CPUS = ["x86-64", "x86-64-v3", "znver4"]
TIMEOUT = 600  # seconds for one text; the slowest take one


def parts(text):
    """(name, text) of the files that split-file would make; comments and line numbers do not matter here."""
    pieces = re.split(r"^//--- (\S+)\n", text, flags=re.M)
    if len(pieces) == 1:
        return [("", text)]
    return [(f".{Path(name).stem}", body) for name, body in zip(pieces[1::2], pieces[2::2]) if name.endswith(".ir")]


def models():
    """(name, folder of its weights, text, names of its models)"""
    files = [ROOT / "examples/lenet/lenet.ir", *sorted((ROOT / "examples/nets").glob("*.ir"))]
    for folder in ("tests/ops", "tests/run"):
        files += sorted((ROOT / folder).glob("*.ir"))
    for file in files:
        for suffix, text in parts(file.read_text()):
            found = re.findall(r"^model @([\w.]+)", text, flags=re.M)
            if found and not suffix.startswith((".bad", ".syntax")):
                yield f"{file.parent.name}/{file.stem}{suffix}", file.parent, text, found


def run(cnnc, text, folder, arguments):
    """What the compiler prints, or how it failed, which has to stay the same, too."""
    # Beside its weights, and under a name that says nothing of this run.
    result = subprocess.run([cnnc, "-", *arguments], input=text.encode(), cwd=folder, capture_output=True,
                            timeout=TIMEOUT)
    if result.returncode != 0:
        return b"exit code %d\n" % result.returncode + result.stderr
    return result.stdout


def record_model(cnnc, out, name, folder, text, found):
    weights = next(iter(sorted(folder.glob("*.safetensors"))), None) if folder.name == "lenet" else None
    common = [f"--weights={weights.name}"] if weights else []
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    for model in found:
        choice = [*common, f"--model={model}"]
        base = f"{name}.{model}" if len(found) > 1 else name
        for cpu in CPUS:
            target = [*choice, f"--cpu={cpu}"]
            for kind in ("asm", "loops", "graph"):
                made = run(cnnc, text, folder, [*target, f"--emit={kind}"])
                (out / f"{base}.{cpu}.{kind}").write_bytes(made)
        # Files of whole networks are large: their checksums will do.
        file = run(cnnc, text, folder, [*choice, "--emit=onnx", "--jobs=1"])
        if not file.startswith(b"exit code"):
            file = hashlib.sha256(file).hexdigest().encode() + b"\n"
        (out / f"{base}.onnx").write_bytes(file)


def chosen(name, texts):
    return not texts or any(text in name for text in texts)


def record(cnnc, out, *texts):
    cnnc, out = os.path.abspath(cnnc), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        sys.exit(f"{out} is not empty")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(record_model, cnnc, out, *model) for model in models() if chosen(model[0], texts)]
        for count, job in enumerate(jobs, 1):
            job.result()
            if sys.stderr.isatty():
                print(f"\r{count} of {len(jobs)} models", end="", file=sys.stderr)
    print(f"{len(jobs)} models: {sum(1 for _ in out.rglob('*') if _.is_file())} texts in {out}")


def kernels(assembly):
    """The code of each kernel by its name; what stands before the first under an empty one."""
    pieces = re.split(r"^\t\.globl\t(\S+).*\n", assembly, flags=re.M)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2]))}


def changed_kernels(before, after):
    old, new = kernels(before), kernels(after)
    return sorted(name or "(what is before the first)" for name in {*old, *new} if old.get(name) != new.get(name))


def compare(before, after, *texts):
    before, after = Path(before), Path(after)
    names = sorted({str(p.relative_to(top)) for top in (before, after) for p in top.rglob("*")
                    if p.is_file() and chosen(str(p.relative_to(top)), texts)})
    differences = 0
    for name in names:
        if not (before / name).exists() or not (after / name).exists():
            print(f"{name}: only {'before' if (before / name).exists() else 'after'}")
            differences += 1
            continue
        old, new = ((top / name).read_text() for top in (before, after))
        if old == new:
            continue
        differences += 1
        print(f"{name}: {', '.join(changed_kernels(old, new))}" if name.endswith(".asm") else name)
    kinds = {kind: sum(1 for name in names if name.endswith("." + kind)) for kind in ("asm", "loops", "graph", "onnx")}
    print(f"{len(names)} texts ({', '.join(f'{count} {kind}' for kind, count in kinds.items())}): {differences} differ")
    if not names:
        sys.exit("there is nothing to compare")
    sys.exit(1 if differences else 0)


if len(sys.argv) < 4 or sys.argv[1] not in ("record", "compare"):
    sys.exit(__doc__)
{"record": record, "compare": compare}[sys.argv[1]](*sys.argv[2:])
