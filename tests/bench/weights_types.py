"""Weights of 16 bits beside f32: size, time and error of compiled libraries, in turn in one run.

    python3 tests/bench/weights_types.py CNNC [--threads 1,2] [--seconds 20] [--cpu NAME] [NETWORK.ir ...]

Without networks: VGG-16, ResNet-50, ResNet-18 and MobileNetV2. Prints medians and least times in milliseconds, the ratios to f32
(of medians, of least times, of the medians of CPU time), the size of the library, how long it took to compile, and how far its output is from that of f32
weights: the largest difference relative to the largest element, and in rms relative to the rms. Needs library_server, which
is built with the tests."""
import argparse
import math
import os
import statistics
import tempfile
import time
from pathlib import Path

import networks
from compare import read_floats, run_compiler, symbol_of, write_input
from servers import Server

ROOT = Path(__file__).resolve().parents[2]
TYPES = ["f32", "bf16", "f16"]
NETWORKS = ["vgg16", "resnet50", "resnet18", "mobilenet_v2"]


class Library:
    def __init__(self, options, network, dtype, folder):
        self.dtype, self.folder = dtype, folder
        library = folder / f"{dtype}.so"
        self.compile_seconds, _, _, _ = run_compiler([options.cnnc, network, f"--weights-type={dtype}",
                                                      f"--cpu={options.cpu}", "-o", library])
        self.size = os.path.getsize(library)
        server = options.cnnc.parents[2] / "tests/bench/library_server"
        self.server = Server([server, library, symbol_of(library), folder / "input.raw"])
        self.seconds, self.cpu = {}, {}

    def run(self, threads, count):
        wall, cpu = self.server.ask("run", threads, count)
        self.seconds.setdefault(threads, []).extend(wall)
        self.cpu.setdefault(threads, []).extend(cpu)

    def output(self):
        file = self.folder / f"{self.dtype}.raw"
        self.server.ask("output", file)
        return read_floats(file)


def errors(reference, values):
    differences = [a - b for a, b in zip(reference, values)]
    largest = max(map(abs, differences)) / max(map(abs, reference))
    return largest, math.sqrt(sum(d * d for d in differences) / sum(r * r for r in reference))


def take_turns(libraries, threads, seconds):
    end = time.monotonic() + seconds
    fastest = min(libraries[0].server.ask("run", threads, 1)[0])
    count = max(1, min(50, round(0.12 / fastest)))
    turn = 0
    while time.monotonic() < end or turn < 5:
        for library in libraries if turn % 2 == 0 else reversed(libraries):
            library.run(threads, count)
        turn += 1


def print_rows(name, libraries, threads):
    reference = libraries[0].output()
    for library in libraries:
        cells = []
        for count in threads:
            ours, first = library.seconds[count], libraries[0].seconds[count]
            median, least = statistics.median(ours), min(ours)
            cpu = statistics.median(library.cpu[count]) / statistics.median(libraries[0].cpu[count])
            cells.append(f"{1e3 * median:8.2f} {1e3 * least:8.2f} {median / statistics.median(first):6.2f} "
                         f"{least / min(first):6.2f} {cpu:6.2f}")
        largest, rms = errors(reference, library.output())
        print(f"{name:14} {library.dtype:5} {'  '.join(cells)} {library.size / 1e6:8.1f} "
              f"{library.size / libraries[0].size:6.2f} {library.compile_seconds:8.2f}  {largest:8.1e} {rms:8.1e}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cnnc", type=Path)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=20, help="of measuring per network and number of threads")
    parser.add_argument("--cpu", default="native")
    options = parser.parse_intermixed_args()
    options.cnnc = options.cnnc.resolve()
    threads = [int(count) for count in options.threads.split(",")]
    print(f"load average {os.getloadavg()[0]:.1f}; milliseconds: median, least, ratios of both and of CPU time to f32, for "
          f"{' and '.join(map(str, threads))} threads; MB, ratio; seconds to compile; error: largest, rms")
    for network in options.networks:
        path = Path(network) if network.endswith(".ir") else ROOT / "examples/nets" / f"{network}.ir"
        with tempfile.TemporaryDirectory(prefix="cnnc-bench-") as folder:
            write_input(Path(folder) / "input.raw", networks.input_shape(path))
            libraries = [Library(options, path, dtype, Path(folder)) for dtype in TYPES]
            for count in threads:
                take_turns(libraries, count, options.seconds)
            print_rows(path.stem, libraries, threads)
            for library in libraries:
                library.server.close()


main()
