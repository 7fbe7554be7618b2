"""cnnc against ONNX Runtime, network by network; run.sh starts this. README.md says how to read it."""
import argparse
import array
import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bars
import networks
from servers import Server

UNITS = {"bytes": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


def progress(text):
    print(text, file=sys.stderr, flush=True)


def run_compiler(command):
    """Seconds of wall and of CPU, peak memory in bytes and standard error of a command that must succeed."""
    with tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read()
    if process.returncode != 0:
        raise SystemExit(f"run.sh: error: {' '.join(map(str, command))}\n{text}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text


def compile_library(cnnc, network, library):
    """To a .so; the second of two compilations counts: the file cache is warm. Then how long checking takes, which
    for an ONNX file is its import."""
    command = [cnnc, network.source, *network.options, "-o", library]
    run_compiler(command)
    seconds, cpu, memory, text = run_compiler(command)
    number, unit = re.search(r"code ([0-9.]+) (bytes|KB|MB|GB)", text).groups()
    check_seconds, _, check_memory, _ = run_compiler([cnnc, network.source, *network.options, "--check"])
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_memory_bytes": memory,
            "code_bytes": float(number) * UNITS[unit], "file_bytes": os.path.getsize(library),
            "check_seconds": check_seconds, "check_memory_bytes": check_memory}


def other_form(cnnc, network, folder):
    """The network as text for the JIT and as ONNX for the others: one is the source, the other made of it."""
    text, onnx = (folder / f"{network.name}{suffix}" for suffix in (".ir", ".onnx"))
    if network.is_onnx:
        run_compiler([cnnc, network.source, *network.options, "-o", text])
        return text, network.source
    run_compiler([cnnc, network.source, "--emit=onnx", "-o", onnx])
    return network.source, onnx


def symbol_of(library):
    """The name that the functions of a compiled network begin with, from its header."""
    return re.search(r"const cnnc_model_v1 \*(\w+)_model\(void\);", library.with_suffix(".h").read_text())[1]


def write_input(file, shape):
    count = math.prod(shape)
    generator = random.Random(1)
    array.array("f", (generator.uniform(-1, 1) for _ in range(count))).tofile(open(file, "wb"))


def read_floats(file):
    values = array.array("f")
    values.frombytes(Path(file).read_bytes())
    return values


def relative_error(reference_file, file):
    reference, values = read_floats(reference_file), read_floats(file)
    if len(reference) != len(values):
        raise SystemExit(f"run.sh: error: outputs of {len(reference)} and {len(values)} elements")
    largest = max(abs(value) for value in reference)
    difference = max(abs(a - b) for a, b in zip(reference, values))
    return difference / largest if difference == difference else float("inf")


class Lane:
    """One of the things that take turns: a server and a number of threads."""

    def __init__(self, name, server, threads, has_peak):
        self.name, self.server, self.threads, self.has_peak = name, server, threads, has_peak
        self.seconds, self.cpu, self.peaks = [], [], []
        self.count = 1

    def turn(self):
        if self.has_peak:
            self.peaks.append(self.server.ask("peak", self.threads))
        wall, cpu = self.server.ask("run", self.threads, self.count)
        self.seconds += wall
        self.cpu += cpu

    def warm_up(self, seconds_of_a_turn):
        """Also finds how many runs make a turn of that length."""
        fastest = min(self.server.ask("run", self.threads, 2)[0])
        self.count = max(1, min(50, round(seconds_of_a_turn / fastest)))
        return fastest * (self.count + 1)

    def summary(self, operations):
        result = {"median_seconds": statistics.median(self.seconds), "min_seconds": min(self.seconds),
                  "cpu_seconds": statistics.median(self.cpu), "runs": len(self.seconds)}
        if self.has_peak:
            peak = statistics.median(self.peaks)
            result["peak_gflops"] = peak * 1e-9
            result["percent_of_peak"] = 100 * operations / result["median_seconds"] / peak
            result["percent_of_best_peak"] = 100 * operations / result["min_seconds"] / max(self.peaks)
        return result


def make_lanes(servers, threads):
    lanes = []
    for count in threads:
        lanes.append(Lane(f"onnxruntime_{count}", servers["onnxruntime"], count, False))
        lanes.append(Lane(f"cnnc_{count}", servers["jit"], count, True))
    lanes.append(Lane("cnnc_library_1", servers["library"], 1, False))
    lanes.append(Lane("cnnc_prepared_1", servers["prepared"], 1, False))
    if "avx2" in servers:
        lanes.append(Lane("cnnc_avx2_1", servers["avx2"], 1, True))
    if "strict" in servers:
        lanes.append(Lane("cnnc_strict_1", servers["strict"], 1, True))
    return lanes


def take_turns(lanes, seconds):
    """At least five rounds, and as many as fit into the time."""
    round_seconds = sum(lane.warm_up(0.12) for lane in lanes)
    rounds = max(5, int(seconds / round_seconds))
    progress(f"  {rounds} rounds of {', '.join(f'{lane.count} {lane.name}' for lane in lanes)}")
    for number in range(rounds):
        for lane in lanes if number % 2 == 0 else reversed(lanes):
            lane.turn()


def ratios_of(lanes):
    def ratio(slow, fast, key):
        return lanes[slow][key] / lanes[fast][key] if slow in lanes and fast in lanes else None

    pairs = {"two_cores": ("cnnc_1", "cnnc_2"), "avx2": ("cnnc_avx2_1", "cnnc_1"),
             "onnxruntime_two_cores": ("onnxruntime_1", "onnxruntime_2"), "library": ("cnnc_library_1", "cnnc_1"),
             "prepared": ("cnnc_prepared_1", "cnnc_1")}
    for name in lanes:
        kind, _, threads = name.rpartition("_")
        if kind == "onnxruntime":
            pairs[name] = (name, f"cnnc_{threads}")
    both = {}
    for name, (slow, fast) in pairs.items():
        value = ratio(slow, fast, "median_seconds")
        if value is not None:
            both[name] = value
            both[name + "_of_minima"] = ratio(slow, fast, "min_seconds")
            both[name + "_of_cpu"] = ratio(slow, fast, "cpu_seconds")
    return both


def start_servers(options, network, folder, library):
    build, given = options.build / "tests" / "bench", folder / "input.raw"
    text, onnx = other_form(options.cnnc, network, folder)
    shape = networks.input_shape(text)
    write_input(given, shape)
    servers = {}
    progress("  starting ONNX Runtime")
    servers["onnxruntime"] = Server(["node", options.root / "tests/bench/onnxruntime_server.js", options.onnxruntime,
                                     onnx, given, ",".join(map(str, shape)), *options.threads])
    progress("  compiling in memory")
    servers["jit"] = Server([build / "jit_server", text, given])
    for name, prepare in {"library": [], "prepared": ["prepare"]}.items():
        servers[name] = Server([build / "library_server", library, symbol_of(library), given, *prepare])
    if "avx512f" in servers["jit"].about["features"] and not options.no_avx2:
        servers["avx2"] = Server([build / "jit_server", text, given, "haswell"])
    if network.name in bars.STRICT_PERCENT:
        servers["strict"] = Server([build / "jit_server", text, given, "native", "strict"])
    return servers


def compare_outputs(servers, folder):
    """The largest error of any of ours against ONNX Runtime."""
    files = {}
    for name, server in servers.items():
        files[name] = folder / f"{name}.raw"
        server.ask("output", files[name])
    return max(relative_error(files["onnxruntime"], files[name]) for name in files if name != "onnxruntime")


def measure(options, network, folder):
    name = network.name
    library = folder / f"{name}.so"
    progress(f"{name}: compiling to {library.name}, and to {'a text' if network.is_onnx else '.onnx'}")
    compiled = compile_library(options.cnnc, network, library)
    servers = start_servers(options, network, folder, library)
    about = servers["jit"].about
    lanes = make_lanes(servers, options.threads)
    take_turns(lanes, options.seconds)
    operations = 2 * about["multiplications"]
    summaries = {lane.name: lane.summary(operations) for lane in lanes}
    result = {"network": name, "lanes": summaries, "ratios": ratios_of(summaries), "cpu": about["cpu"],
              "multiplications": about["multiplications"], "error": compare_outputs(servers, folder),
              "jit_seconds": about["jit_seconds"], "compiler": compiled, "weights_bytes": about["weights_bytes"],
              "workspace_bytes": about["workspace_bytes"],
              "load": os.getloadavg()[0], "run_memory_bytes": servers["library"].ask("memory"),
              "onnxruntime_memory_bytes": servers["onnxruntime"].ask("memory")}
    for server in servers.values():
        server.close()
    result["bars"] = [dict(zip(("what", "measured", "bound", "reached"), bar)) for bar in bars.bars_of(name, result)]
    return result


def table(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
    print(flush=True)


def print_speed(results, threads):
    for count in threads:
        ours, theirs = f"cnnc_{count}", f"onnxruntime_{count}"
        print(f"{count} thread{'s' if count > 1 else ''}; milliseconds, median and least")
        table(["network", "ORT", "least", "cnnc", "least", "ORT/cnnc", "of least", "of CPU", "bar", "", "%peak", "%best",
               "error"],
              [[result["network"], *(f"{1e3 * result['lanes'][lane][key]:.2f}" for lane in (theirs, ours)
                                     for key in ("median_seconds", "min_seconds")),
                f"{result['ratios'][theirs]:.2f}", f"{result['ratios'][theirs + '_of_minima']:.2f}",
                f"{result['ratios'][theirs + '_of_cpu']:.2f}", *bar_cells(result, count),
                *(f"{result['lanes'][ours][key]:.0f}" for key in ("percent_of_peak", "percent_of_best_peak")),
                f"{result['error']:.1g}"]
               for result in results])


def bar_cells(result, threads):
    for bar in result["bars"]:
        if bar["what"].startswith(f"ONNX Runtime / cnnc, {threads} "):
            return bar["bound"], "reached" if bar["reached"] else "MISSED"
    return "", ""


def print_more(results):
    def ratio(result, name):
        return f"{result['ratios'][name]:.2f}" if name in result["ratios"] else "-"

    def mega(number):
        return f"{number / 1e6:.2f}" if number < 1e7 else f"{number / 1e6:.0f}"

    def strict(result):
        lane = result["lanes"].get("cnnc_strict_1")
        return f"{lane['percent_of_peak']:.0f}" if lane else "-"

    print("cores, vectors and the library; ratios of medians")
    table(["network", "1 core/2 cores", "of least", "ORT 1/2", "AVX2/AVX-512", "of least", "of CPU", "strict %peak", ".so/JIT",
           "prepared/JIT",           "peak 1", "peak 2"],
          [[result["network"], ratio(result, "two_cores"), ratio(result, "two_cores_of_minima"),
            ratio(result, "onnxruntime_two_cores"), ratio(result, "avx2"), ratio(result, "avx2_of_minima"), ratio(result, "avx2_of_cpu"),
            strict(result),
            ratio(result, "library"), ratio(result, "prepared"),
            *(f"{result['lanes'][lane]['peak_gflops']:.0f}" if lane in result["lanes"] else "-"
              for lane in ("cnnc_1", "cnnc_2"))]
           for result in results])
    print("compiling and memory; seconds and MB")
    table(["network", "check", "its memory", "compile", "its CPU", "JIT", "code", "weights", "workspace", "compiler memory", "run memory", "ORT memory"],
          [[result["network"], f"{result['compiler']['check_seconds']:.3f}", mega(result["compiler"]["check_memory_bytes"]),
            f"{result['compiler']['seconds']:.2f}", f"{result['compiler']['cpu_seconds']:.2f}",
            f"{result['jit_seconds']:.2f}",
            *(mega(number) for number in (result["compiler"]["code_bytes"], result["weights_bytes"],
                                          result["workspace_bytes"], result["compiler"]["peak_memory_bytes"],
                                          result["run_memory_bytes"], result["onnxruntime_memory_bytes"]))]
           for result in results])


def print_bars(results):
    missed = [(result["network"], bar) for result in results for bar in result["bars"] if not bar["reached"]]
    total = sum(len(result["bars"]) for result in results)
    print(f"bars reached: {total - len(missed)} of {total}" + ("; missed:" if missed else ""))
    for network, bar in missed:
        print(f"  {network}: {bar['what']}: {bar['measured']:.4g}, asked for {bar['bound']}")


def parse_options():
    parser = argparse.ArgumentParser(prog="run.sh", description="Compares cnnc with ONNX Runtime, in turn in one run.")
    parser.add_argument("networks", nargs="*", metavar="network",
                        help=f"some of {', '.join(networks.EXAMPLES)}, which are the default; of {', '.join(networks.REAL)}, "
                        "or 'real' for all of these, ONNX files from npm; or FILE.onnx[@SHAPE]")
    parser.add_argument("--threads", default="1,2", help="numbers of threads to compare; default: 1,2")
    parser.add_argument("--seconds", type=float, default=20, help="of measuring per network; default: 20")
    parser.add_argument("--no-avx2", action="store_true", help="leave out AVX2 code")
    parser.add_argument("--json", type=Path, help="file for the numbers; default: bench/run.json in the build folder")
    for name in ("root", "build", "onnxruntime"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.threads = [int(count) for count in options.threads.split(",")]
    try:
        options.networks = [network for word in options.networks or networks.EXAMPLES for network in networks.find(word)]
    except ValueError as error:
        parser.error(str(error))
    options.cnnc = options.build / "compiler/driver/cnnc"
    options.json = options.json or options.build / "bench" / "run.json"
    return options


def main():
    options = parse_options()
    start = time.monotonic()
    results = []
    with tempfile.TemporaryDirectory(prefix="cnnc-bench-") as folder:
        for network in options.networks:
            results.append(measure(options, network, Path(folder)))
            for file in Path(folder).iterdir():
                file.unlink()
    print(f"ONNX Runtime {options.onnxruntime.name.rpartition('-')[2]} and cnnc, batch 1, f32, {results[0]['cpu']}; "
          f"load average {min(result['load'] for result in results):.1f} to {max(result['load'] for result in results):.1f}"
          "\n")
    print_speed(results, options.threads)
    print_more(results)
    print_bars(results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=2) + "\n")
    progress(f"{options.json} written; {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
