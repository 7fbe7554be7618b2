"""What the JSON of --compare-schedules says of a 3x3 convolution that Winograd's method is possible for."""
import json
import sys

report = json.load(open(sys.argv[1]))
candidates = report["candidates"]
assert report["kernel"] == "b" and report["threads"] == 2 and report["rounds"] == 5, report
assert report["multiplications"] == 64 * 32 * 9 * 20 * 20, report
assert [candidate["chosen"] for candidate in candidates].count(True) == 1, candidates
plain = {candidate["algorithm"] for candidate in candidates if not candidate["otherwise"]}
assert plain == {"direct"} | {f"winograd({m})" for m in (2, 3, 4, 5, 6)}, plain
changes = {candidate["otherwise"] for candidate in candidates if candidate["algorithm"] == "direct"}
assert {"tile", "order", "unroll", "prefetch"} <= changes, changes
schedules = [(candidate["algorithm"], candidate["schedule"]) for candidate in candidates]
assert len(set(schedules)) == len(schedules), "a candidate is measured twice"
for candidate in candidates:
    assert 0 < candidate["least_us"] <= candidate["median_us"], candidate
    assert candidate["error"] <= 2e-4 * max(1, candidate["largest"]), candidate
    assert candidate["expected_us"] > 0, candidate
    tile = candidate["loads_per_multiply_accumulate"]
    assert 0 < tile <= 2, candidate
medians = [candidate["median_us"] for candidate in candidates]
assert medians == sorted(medians), medians
