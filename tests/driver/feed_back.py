"""Feeds the text after every pass back into the compiler: usage: feed_back.py CNNC MODEL [OPTIONS...].

Each text must give the loops that the model itself gives, in whatever order its kernels come, and print
as itself. Options of training are for the texts that have no gradients yet.
"""
import functools
import subprocess
import sys


TRAINING = ("--differentiate", "--train", "--gradients-of", "--loss", "--freeze", "--momentum", "--weight-decay", "--batch")


@functools.cache
def run(*arguments, text=None, trained=False):
    """What the compiler prints. Passes that change nothing leave texts that have been given to it before."""
    given = [option for option in options if not (trained and option.split("=")[0] in TRAINING)]
    result = subprocess.run([cnnc, *arguments, *given], input=text, text=True, capture_output=True)
    if result.returncode != 0:
        sys.exit(f"cnnc {' '.join(arguments)} failed:\n{result.stderr}\non this text:\n{text}")
    return result.stdout


def parts(text):
    """The models and kernels of a text, which stand apart by an empty line."""
    return sorted(part.strip() for part in text.split("\n\n"))


cnnc, model, *options = sys.argv[1:]
final = run(model, "--emit=loops")
stages = run(model, "--print-after=all").split("// after ")[1:]
names = []
for stage in stages:
    name, text = stage.split("\n", 1)
    text = text.split("\n; after ")[0].rstrip("\n") + "\n"
    names.append(name)
    trained = "make_training_step" in names or ("--differentiate" in options and "differentiate" in names)
    if run("-", "--passes=none", text=text, trained=True) != text:
        sys.exit(f"the text after {name} does not print as itself")
    if parts(run("-", "--emit=loops", text=text, trained=trained)) != parts(final):
        sys.exit(f"the text after {name} compiles to other loops")
for level in ("infer_shapes", "plan_memory", "lower_loops", "check_bounds"):
    if level not in names:
        sys.exit(f"--print-after=all shows nothing after {level}")
print(len(names), "texts")
