"""How far kernels are from the time that the compiler expects of them (compiler/analysis/kernel_time.h).

    estimates.py CNNC [NETWORK.ir ...] [--runs N] [--within 1.5] [--worst 5]

Every network is run here; the default are those of examples/nets. For each: how many kernels are within the factor,
measured by expected, and the worst ones. Peak and bandwidth are measured in the same runs, so the machine may be any,
but not busy.
"""
import argparse
import json
import subprocess
from pathlib import Path

NETS = Path(__file__).resolve().parents[2] / "examples/nets"


def explained(cnnc, network, runs):
    command = [cnnc, str(network), "--explain", "--runs", str(runs), "--json", "-"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def factor(kernel):
    return kernel["median_us"] / kernel["expected_us"]


def off(kernel):
    return max(factor(kernel), 1 / factor(kernel))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cnnc")
    parser.add_argument("networks", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--within", type=float, default=1.5)
    parser.add_argument("--worst", type=int, default=5)
    options = parser.parse_args()
    worst = []
    print("| network | kernels | within | of the time | sum measured, ms | expected, ms |\n|---|---|---|---|---|---|")
    for network in options.networks or sorted(NETS.glob("*.ir")):
        kernels = explained(options.cnnc, network, options.runs)["kernels"]
        near = [kernel for kernel in kernels if off(kernel) <= options.within]
        measured = sum(kernel["median_us"] for kernel in kernels)
        of_time = sum(kernel["median_us"] for kernel in near) / measured
        expected = sum(kernel["expected_us"] for kernel in kernels)
        print(f"| {network.stem} | {len(kernels)} | {100 * len(near) / len(kernels):.0f} % | {100 * of_time:.0f} % "
              f"| {measured / 1000:.1f} | {expected / 1000:.1f} |", flush=True)
        worst += [(off(kernel), network.stem, kernel) for kernel in kernels]
    print("\n| kernel | what | measured, us | expected, us | factor |\n|---|---|---|---|---|")
    for _, network, kernel in sorted(worst, key=lambda row: -row[0])[:options.worst]:
        print(f"| {network} `{kernel['kernel']}` | {kernel['description']} | {kernel['median_us']:.1f} "
              f"| {kernel['expected_us']:.1f} | {factor(kernel):.2f} |")


if __name__ == "__main__":
    main()
