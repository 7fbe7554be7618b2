"""Pages of passes: from `cnnc --list-passes --json`, the comment on top of each pass, and what it does to networks."""
import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESNET, LENET = ROOT / "examples/nets/resnet50.ir", ROOT / "examples/lenet/lenet.ir"
# With which options the passes that run on request are there.
REQUESTS = {"differentiate": "--differentiate --batch 1 --stop-after=differentiate",
            "equalize_channels": "--passes=infer_shapes,fold_batch_norm,equalize_channels",
            "make_training_step": "--train=sgd --batch 1 --stop-after=make_training_step",
            "narrow_weights": "--weights-type=bf16 --stop-after=narrow_weights",
            "rematerialize": "--train=sgd --batch 1 --remat --stop-after=rematerialize"}


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def source(name):
    return next(path for path in ROOT.glob(f"compiler/*/{name}.cpp") if path.parent.name != "api")


def head(path):
    """The comment that a file begins with, as Markdown: indented lines are drawings."""
    text, code = "", False
    for line in re.match(r"(//.*\n)*", path.read_text())[0].splitlines():
        line = line[2:].rstrip()
        drawn = line.startswith("   ") or code and not line
        if drawn != code and line:
            text += "```text\n" if drawn else ("" if not code else "```\n\n")
            code = drawn
        text += (line[3:] if code else line.lstrip()) + "\n"
    text += "```\n" if code else ""
    return re.sub(r"\n+```$", "\n```", text, flags=re.M).replace("```text\n```", "```text")


def statistics(cnnc, pool):
    """{pass: (options, {what: (before, after)})} on ResNet-50."""
    def run(options):
        return options, json.loads(output(cnnc, RESNET, "--stats=json", *options.split()))

    runs = [pool.submit(run, options) for options in ["", *REQUESTS.values()]]
    result = {}
    for options, passes in (run.result() for run in runs):
        for entry in passes:
            result.setdefault(entry["pass"], (options, {what: (change["before"], change["after"])
                                                        for what, change in entry["changes"].items()}))
    return result


def changes_of_lenet(cnnc):
    """{pass: the diff of the text}"""
    printed = output(cnnc, LENET, "--cpu=x86-64-v3", "--print-after-change")
    return dict(re.findall(r"^// (\w+): [^\n]*\n(.*?)(?=^// \w+: |\Z)", printed, re.M | re.S))


def numbers(name, entry):
    options, changes = entry
    command = " ".join(["cnnc examples/nets/resnet50.ir --stats", *options.split()])
    if not changes:
        return f"## On ResNet-50\n\nIt changes nothing that `{command}` counts.\n"
    rows = "".join(f"| {what} | {before:,} | {after:,} |\n" for what, (before, after) in changes.items())
    return f"## On ResNet-50\n\nWhat `{command}` counts, before and after:\n\n| | before | after |\n|---|--:|--:|\n{rows}"


LONGEST_DIFF = 60  # lines


def diff(text):
    lines = text.strip("\n").splitlines()
    if len(lines) > LONGEST_DIFF:
        lines = [*lines[:LONGEST_DIFF], f"... {len(lines) - LONGEST_DIFF} lines more"]
    return ("## On LeNet\n\nWhat it changes in the text, `cnnc examples/lenet/lenet.ir --cpu=x86-64-v3 --print-after-change`:\n\n```diff\n"
            + "\n".join(lines) + "\n```\n")


def page(entry, before, after, measured, changes):
    name = entry["name"]
    level = {"graph": "the graph of a model", "module": "all of the text", "loops": "each kernel of loops"}[entry["level"]]
    facts = [f"| works on | {level} |"]
    if entry["needs"]:
        facts.append(f"| needs | [`{entry['needs']}`]({entry['needs']}.md) |")
    facts.append(f"| why it stands there | {entry['place']} |")
    neighbours = [f"after [`{before}`]({before}.md)"] if before else []
    neighbours += [f"before [`{after}`]({after}.md)"] if after else []
    facts.append(f"| where | {', '.join(neighbours)} |")
    facts.append(f"| source, test | `{source(name).relative_to(ROOT)}`, `tests/{'graph' if entry['level'] == 'graph' else 'loop'}"
                 f"_passes/{name}.ir` |")
    pieces = [f"# {name}\n\n{entry['summary'][0].upper()}{entry['summary'][1:]}.\n", "| | |\n|---|---|\n" + "\n".join(facts) + "\n",
              "## What it does\n\n" + head(source(name)), numbers(name, measured[name])]
    if name in changes:
        pieces.append(diff(changes[name]))
    return "\n".join(pieces)


def index(passes):
    text = ("# Passes\n\nIn their order. Each page is made from the compiler's table, the comment on top of the pass, whose drawings a test "
            "compares with what the pass does, and from the numbers of `--stats`.\n\n| pass | what it does | why it stands there |\n"
            "|---|---|---|\n")
    for entry in passes:
        text += f"| [`{entry['name']}`]({entry['name']}.md) | {entry['summary']} | {entry['place']} |\n"
    names = "\n".join(entry["name"] for entry in passes)
    return text + f"\n```{{toctree}}\n:hidden:\n{names}\n```\n"
