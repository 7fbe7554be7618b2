"""Prints a model with the types of all values: round_trip.py CNNC MODEL

Fails when that text, read back, prints as another.
"""
import subprocess
import sys

cnnc, model = sys.argv[1:]
command = [cnnc, model, "--passes=infer_shapes", "--emit=graph"]
first = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
command[1] = "-"
second = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, input=first).stdout
print(first)
if first != second:
    sys.exit(f"printed again, this is\n{second}")
