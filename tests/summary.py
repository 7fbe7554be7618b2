"""Adds up what ctest and lit have written into build folders, and closes as ctest does: summary.py BUILD ...

Every GoogleTest case and every lit test counts as one in each folder. What tests that failed have printed last comes first: of
a run whose end alone was kept, nothing else says why. The last line names the tests that were skipped: those that need the
network where there is none. Exits with 1 when a test failed, or none ran in a folder.
"""
import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import NamedTuple

LINES_OF_TEST, LINES_OF_ALL, COLUMNS = 25, 200, 400


class Case(NamedTuple):
    """A test that ran, and the lines that it printed, as far as they were recorded."""
    name: str
    passed: bool
    lines: list


class Run(NamedTuple):
    """What ran in a build folder: how often what, and the cases that failed."""
    build: Path
    others: int
    lit: int
    failed: list
    skipped: list


def elements(file):
    """The elements <testcase> of a file, if there is one."""
    try:
        return list(xml.parse(file).getroot().iter("testcase"))
    except FileNotFoundError:
        return []


def printed(element):
    """Lines of a test: ctest has an element for them, lit puts them into the one that says that it failed."""
    texts = [(element.findtext(tag) or "").strip("\n") for tag in ("system-out", "failure")]
    without_colours = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(filter(None, texts)))
    return without_colours.splitlines()


def cases(file):
    """Every test that ran."""
    return [Case(element.get("name") if element.get("classname") == element.get("name") else
                 f"{element.get('classname')} {element.get('name')}",
                 element.find("failure") is None and element.get("status") not in ("fail", "notrun"), printed(element))
            for element in elements(file) if element.find("skipped") is None]


def skipped(file):
    return [element.get("name") for element in elements(file) if element.find("skipped") is not None]


def read_run(build):
    """What ran in a build folder."""
    ctest, lit = cases(build / "ctest.xml"), cases(build / "tests/lit.xml")
    lit_runs = [case for case in ctest if case.name.split()[-1] == "lit"]
    others = [case for case in ctest if case not in lit_runs]
    failed = [case for case in others + lit if not case.passed]
    # lit itself can fail without any of its tests having done so.
    if all(case.passed for case in lit):
        failed += [case._replace(name="lit") for case in lit_runs if not case.passed]
    if not others + lit:
        failed.append(Case("no test has run", False, []))
    return Run(build, len(others), len(lit), failed, skipped(build / "ctest.xml") + skipped(build / "tests/lit.xml"))


def print_outputs(run, room):
    """Prints the last lines of the tests that failed, `room` of them at most; how many more there is room for."""
    for case in run.failed:
        last = case.lines[-min(LINES_OF_TEST, room):] if room > 0 else []
        if last:
            print(f"== {run.build} {case.name}: the last {len(last)} of {len(case.lines)} lines",
                  *(line[:COLUMNS] for line in last), sep="\n")
        elif case.lines:
            print(f"== {run.build} {case.name}: {len(case.lines)} lines are in {run.build}/ctest.xml or tests/lit.xml")
        room -= len(last)
    return room


print()
runs = [read_run(Path(build)) for build in sys.argv[1:]]
room = LINES_OF_ALL
for run in runs:
    room = print_outputs(run, room)
for run in runs:
    print(f"{run.build}: {run.others} tests of ctest (GoogleTest cases, install and others), {run.lit} lit tests")
    for case in run.failed:
        print("FAILED:", run.build, case.name)
total, failed = sum(run.others + run.lit for run in runs), sum(len(run.failed) for run in runs)
percent = 100 * (total - failed) // total if total else 0
missing = list(dict.fromkeys(name for run in runs for name in run.skipped))
print(f"{percent}% tests passed, {failed} tests failed out of {total}" +
      (f", {len(missing)} skipped: {' '.join(missing)}" if missing else ""))
sys.exit(1 if failed else 0)
