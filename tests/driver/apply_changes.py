"""Applies the diffs of --print-after-change to the texts before the passes: usage: apply_changes.py CNNC MODEL.

Each must give the text after its pass, and a pass without a diff must have changed nothing.
"""
import re
import subprocess
import sys


def run(*arguments):
    return subprocess.run([cnnc, model, *arguments], text=True, capture_output=True, check=True).stdout


def texts(when):
    """The text of every pass: [(pass, lines)]."""
    parts = re.split(rf'^// {when} (\w+)\n', run(f'--print-{when}=all'), flags=re.M)[1:]
    # An empty line ends each; what is behind is LLVM IR.
    return [(name, text.split('\n; after ')[0].rstrip('\n').split('\n')) for name, text in zip(parts[::2], parts[1::2])]


def apply(lines, hunks):
    result, at = [], 0
    for line in hunks:
        if line.startswith('@@'):
            start, count = (int(n) for n in re.match(r'@@ -(\d+),(\d+)', line).groups())
            first = start - 1 if count else start
            result += lines[at:first]
            at = first
        elif line.startswith('+'):
            result.append(line[1:])
        else:
            assert lines[at] == line[1:], (lines[at], line)
            at += 1
            if line.startswith(' '):
                result.append(line[1:])
    return result + lines[at:]


cnnc, model = sys.argv[1:]
parts = re.split(r'^// (\w+): (\d+) lines? added, (\d+) removed\n', run('--print-after-change'), flags=re.M)[1:]
diffs = {name: (int(added), int(removed), text.rstrip('\n').split('\n'))
         for name, added, removed, text in zip(*(parts[i::4] for i in range(4)))}
for (name, before), (_, after) in zip(texts('before'), texts('after')):
    if name not in diffs:
        if before != after:
            sys.exit(f'{name} changes the text, but there is no diff')
        continue
    added, removed, hunks = diffs.pop(name)
    if apply(before, hunks) != after:
        sys.exit(f'the diff of {name} does not give its text')
    if (added, removed) != tuple(sum(line.startswith(sign) for line in hunks) for sign in '+-'):
        sys.exit(f'{name}: {added} lines added and {removed} removed are not what the diff says')
if diffs:
    sys.exit(f'diffs of passes that did not run: {list(diffs)}')
