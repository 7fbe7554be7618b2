"""The goals; ratios are of medians in one run. Those of speed are meant for one kind of machine, Zen 4."""

# Times as fast as ONNX Runtime, on one core and with two threads.
FASTER = {
    "resnet18": (1.9, 1.8),
    "resnet50": (1.25, 1.2),
    "vgg16": (2.8, 2.6),
    "mobilenet_v2": (1.15, 1.1),
    "squeezenet": (1.3, 1.2),
    "efficientnet_b0": (1.3, 1.2),
    "mobilenet_v3_large": (1.25, 1.15),
    "densenet121": (1.2, 1.25),
    "inception_v3": (1.1, 1.25),
    "shufflenet_v1": (1.2, 1.25),
    "shufflenet_v2": (1.2, 1.25),
    "regnet_y_400mf": (1.2, 1.25),
    "convnext_tiny": (1.1, 1.25),
    "resnext50": (1.2, 1.25),
}
# Of every other network.
NOT_SLOWER = (1.0, 1.0)
# Times as fast with two threads as with one.
TWO_CORES = {"resnet50": 1.85, "vgg16": 1.85, "mobilenet_v2": 1.6, "mobilenet_v3_large": 1.6, "efficientnet_b0": 1.6}
# AVX2 code against AVX-512 code, at most. Meant for CPUs on which both have the same FMA peak.
AVX2 = 1.25
# Direct-convolution operations with --fp=strict, in % of the FMA peak.
STRICT_PERCENT = {"resnet50": 88}
JIT_SECONDS = {"resnet50": 1.0}
COMPILE_SECONDS = {"resnet50": 2.0, "vgg16": 8.0}
CODE_BYTES = {"resnet50": 1_000_000}
COMPILE_MEMORY = {"vgg16": lambda weights: 2 * weights + 300_000_000}
# Outputs may differ by this much of the largest one.
AGREEMENT = 1e-3


def bars_of(name, result):
    """(what, measured, bound, reached?) for every bar that this network has."""
    bars = []

    def at_least(what, value, bound):
        if value is not None and bound is not None:
            bars.append((what, value, f">= {bound}", value >= bound))

    def at_most(what, value, bound):
        if value is not None and bound is not None:
            bars.append((what, value, f"<= {bound:g}", value <= bound))

    for threads, bound in zip((1, 2), FASTER.get(name, NOT_SLOWER)):
        at_least(f"ONNX Runtime / cnnc, {threads} thread{'s' if threads > 1 else ''}",
                 result["ratios"].get(f"onnxruntime_{threads}"), bound)
    at_least("2 cores against 1", result["ratios"].get("two_cores"), TWO_CORES.get(name))
    at_most("AVX2 / AVX-512", result["ratios"].get("avx2"), AVX2)
    at_least("% of peak with --fp=strict", result["lanes"].get("cnnc_strict_1", {}).get("percent_of_peak"),
             STRICT_PERCENT.get(name))
    at_most("JIT, seconds", result["jit_seconds"], JIT_SECONDS.get(name))
    compiled = result["compiler"]
    at_most("compile to .so, seconds", compiled["seconds"], COMPILE_SECONDS.get(name))
    at_most("code, bytes", compiled["code_bytes"], CODE_BYTES.get(name))
    if name in COMPILE_MEMORY:
        at_most("memory of the compiler, bytes", compiled["peak_memory_bytes"],
                COMPILE_MEMORY[name](result["weights_bytes"]))
    at_most("error against ONNX Runtime", result["error"], AGREEMENT)
    return bars
