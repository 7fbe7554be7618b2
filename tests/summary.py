"""Adds up what ctest and lit have written into build folders, and closes as ctest does: summary.py BUILD ...

Every GoogleTest case and every lit test counts as one in each folder. The last line names the tests that were skipped:
those that need the network where there is none. Exits with 1 when a test failed, or none ran in a folder.
"""
import sys
import xml.etree.ElementTree as xml
from pathlib import Path


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


def skipped(file):
    return [case.get("name") for case in elements(file) if case.find("skipped") is not None]


def summarize(build):
    """Prints what ran in a build folder; (number of tests, names of those that failed, and of those skipped)."""
    ctest, lit = cases(build / "ctest.xml"), cases(build / "tests/lit.xml")
    lit_runs = [case for case in ctest if case[0].split()[-1] == "lit"]
    others = [case for case in ctest if case not in lit_runs]
    failed = [name for name, passed in others + lit if not passed]
    # lit itself can fail without any of its tests having done so.
    if not all(passed for _, passed in lit_runs) and all(passed for _, passed in lit):
        failed.append("lit")
    if not others + lit:
        failed.append("no test has run")
    print(f"{build}: {len(others)} tests of ctest (GoogleTest cases, install and others), {len(lit)} lit tests")
    for name in failed:
        print("FAILED:", build, name)
    return len(others + lit), failed, skipped(build / "ctest.xml") + skipped(build / "tests/lit.xml")


print()
results = [summarize(Path(build)) for build in sys.argv[1:]]
total, failed = sum(count for count, *_ in results), sum(len(names) for _, names, _ in results)
percent = 100 * (total - failed) // total if total else 0
missing = list(dict.fromkeys(name for *_, names in results for name in names))
print(f"{percent}% tests passed, {failed} tests failed out of {total}" +
      (f", {len(missing)} skipped: {' '.join(missing)}" if missing else ""))
sys.exit(1 if failed else 0)
