"""Runs examples/quickstart.sh and checks what it shows: quickstart_test.py SCRIPT"""
import re
import subprocess
import sys

result = subprocess.run([sys.argv[1]], text=True, stdout=subprocess.PIPE)
print(result.stdout)
if result.returncode != 0:
    sys.exit(f"the quickstart exits with {result.returncode}")
found = re.search(r"(\d+) of (\d+) digits right: ([\d.]+) %", result.stdout)
if not found or int(found[2]) != 2000 or float(found[3]) < 98.5:
    sys.exit("fewer than 98.5 % of 2,000 digits are right")
libraries = re.findall(r"^\s*(lib\w+)", result.stdout, re.MULTILINE)
if "libc" not in libraries or set(libraries) - {"libc", "libm", "libpthread"}:
    sys.exit(f"the library needs more than libc: {libraries}")
