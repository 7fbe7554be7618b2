"""What the JSON and the trace of --profile say of LeNet: sizes, counts, and rates that agree with each other."""
import json
import sys

report = json.load(open(sys.argv[1]))
kernels = {kernel["kernels"][0]: kernel for kernel in report["kernels"]}
conv = kernels["conv2"]
assert conv["multiplications"] == 16 * 10 * 10 * 6 * 5 * 5, conv
assert conv["algorithm"] == "direct" and "max_pool2d 2x2/2" in conv["ops"], conv
assert conv["weight_bytes"] >= 4 * 16 * 6 * 5 * 5, conv
assert 0 < conv["min_us"] <= conv["median_us"], conv
rate = 2 * conv["multiplications"] / conv["median_us"] * 1e-3
assert abs(rate / conv["gflops"] - 1) < 1e-6, (rate, conv)
assert abs(100 * rate / report["peak_gflops"] / conv["percent_of_peak"] - 1) < 1e-6, (report, conv)
# As counted by hand; cnnc --summary prints them, too.
assert report["multiplications"] == 117600 + 240000 + 48000 + 10080 + 840, report["multiplications"]
assert sum(len(kernel["kernels"]) for kernel in report["kernels"]) == 8
assert abs(sum(kernel["percent_of_time"] for kernel in report["kernels"]) - 100) < 1e-6

# The trace: every kernel once, in order and not before the one in front has ended; what threads do of it lies inside.
events = [event for event in json.load(open(sys.argv[2]))["traceEvents"] if event["ph"] == "X"]
whole = [event for event in events if event["tid"] == 0]
assert [event["name"] for event in whole] == [name for kernel in report["kernels"] for name in kernel["kernels"]], whole
for before, after in zip(whole, whole[1:]):
    assert after["ts"] > before["ts"] + before["dur"] - 1, (before, after)
parts = [event for event in events if event["tid"] > 0]
assert {event["tid"] for event in parts} == {1, 2}, parts
for part in parts:
    kernel = next(event for event in whole if event["name"] == part["name"])
    assert kernel["ts"] - 1 <= part["ts"] and part["ts"] + part["dur"] <= kernel["ts"] + kernel["dur"] + 1, (kernel, part)
