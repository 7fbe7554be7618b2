"""What --explain says of kernels against their machine code: registers, accumulators, spills.

    check_explanations.py CNNC MODEL CPU [kernel:products ...]

A kernel's innermost loop is looked for in the text of --emit=asm. products: multiply-adds that the loop has for each
accumulator, which then has to be the register tile of the explanation.
"""
import json
import re
import subprocess
import sys


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def inner_loops(assembly):
    """The instructions of loops of one block: those that end with a jump to their own label."""
    label, block = None, []
    for line in assembly.splitlines():
        begins = re.match(r"(?:(\.LBB\w+):|# %bb\.\d+:)", line)
        if begins:
            label, block = begins[1], []
        elif line.startswith("\t") and not line.startswith("\t."):
            block.append(line.split("#")[0].split(None, 1))
            if label and block[-1][0].startswith("j") and block[-1][1].strip() == label:
                yield [(name, rest[0].strip() if rest else "") for name, *rest in block]


def numbers(operands):
    return [int(number) for number in re.findall(r"%[xyz]mm(\d+)", operands)]


def describe(loop):
    """The numbers of the JSON, from text: of operands the last is written, and read by what accumulates."""
    result = {"instructions": len(loop), "vector_instructions": 0, "products": 0, "spill_loads": 0, "spill_stores": 0}
    used, read_first, written = set(), set(), set()
    for name, operands in loop:
        registers = numbers(operands)
        if not registers:
            continue
        result["vector_instructions"] += 1
        used.update(registers)
        stored = operands.endswith(")")
        target = [] if stored or "%k" in operands.rsplit(",", 1)[-1] else registers[-1:]
        sources = registers if stored or name.startswith("vfm") else registers[:-1]
        if stored and "(%rsp)" in operands:
            result["spill_stores"] += 1
        elif "(%rsp)" in operands:
            result["spill_loads"] += 1
        result["products"] += name.startswith("vfmadd")
        read_first.update(set(sources) - written)
        written.update(target)
    result["vector_registers"] = len(used)
    result["accumulators"] = len(read_first & written)
    return result


def main():
    cnnc, model, cpu, *wanted = sys.argv[1:]
    products = dict(word.split(":") for word in wanted)
    explained = json.loads(run(cnnc, model, "--explain", "--json", "-", "--cpu", cpu))
    for kernel in explained["kernels"]:
        name = kernel["kernel"]
        assembly = run(cnnc, model, "--emit=asm", f"--print-kernel=@{name}", "--cpu", cpu)
        loops = [describe(loop) for loop in inner_loops(assembly)]
        assert bool(loops) == ("inner_loop" in kernel), (name, loops, kernel)
        if not loops:
            continue
        loop = max(loops, key=lambda loop: (loop["accumulators"], loop["vector_instructions"]))
        for what, value in kernel["inner_loop"].items():
            assert value == loop[what], (cpu, name, what, value, loop)
        if name in products:
            assert loop["products"] == kernel["accumulators"] * int(products.pop(name)), (cpu, name, kernel, loop)
    assert not products, f"no kernel {list(products)}"


main()
