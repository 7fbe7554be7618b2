"""The data of a page against what other options of cnnc print: check_report.py CNNC MODEL PAGE.html [OPTIONS]"""
import base64
import itertools
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

cnnc, model, page, *options = sys.argv[1:]
text = Path(page).read_text()


def printed(*arguments):
    return subprocess.run([cnnc, model, *options, *arguments], check=True, capture_output=True, text=True).stdout


def section(name):
    found = re.findall(rf'<script type="application/json" id="data-{name}">(.*?)</script>', text, re.S)
    assert len(found) == 1, f"{name}: {len(found)} sections"
    return json.loads(found[0])


def inflated(blob):
    return zlib.decompress(base64.b64decode(blob)).decode()


def check(what, got, expected):
    if got == expected:
        return
    if isinstance(got, str):
        got, expected = next(lines for lines in itertools.zip_longest(got.split("\n"), expected.split("\n"))
                             if lines[0] != lines[1])
    sys.exit(f"{what}: {got!r}\ninstead of {expected!r}")


def parts_of(diff):
    """The hunks of each kernel of a pass on loops, by what it is called."""
    names = re.findall(r"^(?:kernel|model) (@.*)$", diff, re.M)
    return dict(zip(names, re.split(r"^(?:kernel|model) @.*\n", diff, flags=re.M)[1:], strict=True))


def check_passes(kernels):
    """Diffs are those of --print-after-change, of passes on loops kernel by kernel; numbers are those of --stats."""
    statistics = json.loads(printed("--stats=json"))
    diffs = printed("--print-after-change")
    diffs_of = {kernel: printed("--print-after-change", f"--print-kernel=@{kernel}") for kernel in kernels}
    for recorded, expected in zip(section("passes"), statistics, strict=True):
        check("pass", recorded["name"], expected["pass"])
        changes = {change["what"]: {"before": change["before"], "after": change["after"]} for change in recorded["changes"]}
        check(recorded["name"], changes, expected["changes"])
        if recorded["diff"] and recorded["level"] == "loops":
            for name, hunks in parts_of(inflated(recorded["diff"])).items():
                if name.startswith("@\""):
                    continue  # quoted
                shown = re.search(rf"^// {recorded['name']}: .*\n((?:[-+ @].*\n)*)", diffs_of[name[1:]], re.M)
                check(f"{recorded['name']} of {name}", hunks, shown[1])
        elif recorded["diff"] and recorded["level"] == "module":
            check("kernels", len(parts_of(inflated(recorded["diff"]))), len(kernels) + 1)
        elif recorded["diff"]:
            head = f"// {recorded['name']}: {recorded['added']} line{'' if recorded['added'] == 1 else 's'} added, " \
                   f"{recorded['removed']} removed\n"
            check(recorded["name"], head + inflated(recorded["diff"]) in diffs, True)
        else:
            check(recorded["name"], f"// {recorded['name']}:" in diffs, False)


def check_explanation(about, texts, expected):
    """Decisions, registers and the estimate are those of --explain."""
    check("kernel", about["name"], expected["kernel"])
    for decision in texts["decisions"]:
        for candidate in decision["candidates"]:
            if candidate["cost"] is None:
                del candidate["cost"]
    check("decisions", texts["decisions"], expected["decisions"])
    check("lines", texts["written"], [{key: op[key] for key in ("value", "source", "line")} for op in expected["ops"]])
    code = texts["machineCode"]
    check("accumulators", code["accumulators"], expected["accumulators"])
    check("inner loop", code.get("loop", {}).get("instructions"), expected.get("inner_loop", {}).get("instructions"))
    check("expected", about["expectedOperations"], expected["expected"]["operations"])


def check_kernels(facts):
    """Texts are those of --emit with --print-kernel."""
    explained = json.loads(printed("--explain", "--json", "-"))["kernels"]
    kernels = section("kernels")
    check("kernels", len(kernels), len(facts["kernels"]))
    for kernel, about in zip(kernels, facts["kernels"]):
        def emitted(stage):
            return printed(f"--emit={stage}", f"--print-kernel=@{about['name']}")

        texts = json.loads(inflated(kernel["texts"]))
        check_explanation(about, texts, explained[kernels.index(kernel)])
        check("graph", texts["graph"], emitted("graph"))
        check("loops", texts["loops"][-1]["text"], emitted("loops"))
        code = json.loads(inflated(kernels[kernel["codeOf"]]["code"]))
        check("code of equal kernels", facts["kernels"][kernel["codeOf"]]["code"], about["code"])
        if re.fullmatch(r"[\w.]+", about["code"]):  # else LLVM quotes the symbol
            def as_alone(text):
                return text.replace(about["code"], about["name"])
            check("llvm", as_alone(code["llvm"]), emitted("llvm"))
            check("assembly", re.sub(r" +#", " #", as_alone(code["assembly"])), re.sub(r" +#", " #", emitted("asm")))


def check_page():
    assert text.count("<script") == len(re.findall(r'id="data-', text)) + 1, "something else begins a script"
    assert not re.search(r'(src|href)="?(https?:)?//', text), "the page loads something"


facts = section("facts")
check_page()
check_passes([kernel["name"] for kernel in facts["kernels"]])
check_kernels(facts)
buffers = section("memory")["buffers"]
header = printed("--emit=header")
workspace = re.search(r"WORKSPACE_SIZE\D+(\d+)", header)
if workspace:
    check("workspace", facts["workspaceBytes"], int(workspace[1]))
assert all(buffer["offset"] + buffer["bytes"] <= section("memory")["plan"] for buffer in buffers)
