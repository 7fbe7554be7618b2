"""Adds up what ctest and lit have written, and closes as ctest does: summary.py CTEST.xml LIT.xml

Every GoogleTest case and every lit test counts as one. Exits with 1 when a test failed or none ran.
"""
import sys
import xml.etree.ElementTree as xml


def elements(file):
    """The elements <testcase> of a file, if there is one."""
    try:
        return list(xml.parse(file).getroot().iter("testcase"))
    except FileNotFoundError:
        return []


def cases(file):
    """(name, passed) of every test that ran."""
    return [((case.get("name") if case.get("classname") == case.get("name") else
              f"{case.get('classname')} {case.get('name')}"),
             case.find("failure") is None and case.get("status") not in ("fail", "notrun"))
            for case in elements(file) if case.find("skipped") is None]


ctest, lit = cases(sys.argv[1]), cases(sys.argv[2])
lit_runs = [case for case in ctest if case[0].split()[-1] == "lit"]
others = [case for case in ctest if case not in lit_runs]
tests = others + lit
failed = [name for name, passed in tests if not passed]
# lit itself can fail without any of its tests having done so.
if not all(passed for _, passed in lit_runs) and all(passed for _, passed in lit):
    failed.append("lit")
print(f"\n{len(others)} tests of ctest (GoogleTest cases, install and others), {len(lit)} lit tests")
for case in elements(sys.argv[1]):
    if case.find("skipped") is not None:
        print("SKIPPED:", case.get("name"))
for name in failed:
    print("FAILED:", name)
total = len(tests)
percent = 100 * (total - len(failed)) // total if total else 0
print(f"{percent}% tests passed, {len(failed)} tests failed out of {total}")
sys.exit(1 if failed or total == 0 else 0)
