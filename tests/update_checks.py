"""Rewrites the tables in the documentation that cnnc prints itself:

    python3 tests/update_checks.py BUILD/compiler/driver/cnnc

With --check nothing is written; the exit code tells whether a table differs (tests/meta/tables.test).
"""
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# file, word in the markers `<!-- word -->` and `<!-- end of word -->`, option that prints the table
TABLES = [
    ("ir/README.md", "ops", "--list-ops"),
    ("compiler/README.md", "passes", "--list-passes"),
]


def with_table(text, name, table, file):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f"{file}: expected one line {begin.strip()} and one {end}")
    before, rest = text.split(begin)
    return before + begin + table + end + rest.split(end)[1]


def main():
    check = "--check" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    cnnc = arguments[0]
    differs = False
    for file, name, option in TABLES:
        path = ROOT / file
        command = [cnnc, option, "--markdown"]
        table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        text = path.read_text()
        updated = with_table(text, name, table, file)
        if updated == text:
            continue
        if check:
            differs = True
            print(f"{file}: the table of {name} is not what `cnnc {option} --markdown` prints.")
        else:
            path.write_text(updated)
            print(f"{file}: table of {name} updated")
    if differs:
        sys.exit(f"Run: python3 tests/update_checks.py {cnnc}")


main()
