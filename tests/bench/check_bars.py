"""Which bars are reached, on numbers made up for it."""
import bars

result = {"lanes": {"cnnc_strict_1": {"percent_of_peak": 90}}, "ratios": {"onnxruntime_1": 1.3, "onnxruntime_2": 1.1, "two_cores": 1.85, "avx2": 1.26},
          "jit_seconds": 0.9, "weights_bytes": 10, "error": 1e-6,
          "compiler": {"seconds": 2.1, "code_bytes": 900_000, "peak_memory_bytes": 300_000_021}}
reached = {what: ok for what, _, _, ok in bars.bars_of("resnet50", result)}
assert reached == {"ONNX Runtime / cnnc, 1 thread": True, "ONNX Runtime / cnnc, 2 threads": False,
                   "2 cores against 1": True, "AVX2 / AVX-512": False, "% of peak with --fp=strict": True, "JIT, seconds": True,
                   "compile to .so, seconds": False, "code, bytes": True,
                   "error against ONNX Runtime": True}, reached
vgg16 = {what: ok for what, _, _, ok in bars.bars_of("vgg16", result)}
assert vgg16["memory of the compiler, bytes"] is False, vgg16
result["ratios"] = {}
assert "2 cores against 1" not in {what for what, *_ in bars.bars_of("resnet50", result)}
assert {what: ok for what, _, _, ok in bars.bars_of("another", {**result, "ratios": {"onnxruntime_1": 0.99}})}[
    "ONNX Runtime / cnnc, 1 thread"] is False
