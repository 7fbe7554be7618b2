"""Gradients of every op against PyTorch's, on the small models of op_models.py.

    /usr/bin/python3 tests/training/torch_ops.py CNNC [--gradients-test BUILD/tests/gradients_test] [--tolerance 1e-5] [OP ..]

Prints the table of tests/training/README.md, which says what its columns mean. Each error is a root mean square relative to
that of the gradient, the largest of all inputs of all models of an op. Exit codes: 0 all within the tolerance, 1 not, 77
there is no PyTorch."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import torch
except ImportError:
    print('no PyTorch: Debian has it as python3-torch')
    sys.exit(77)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from op_models import CASES, WITHOUT
from torch_gradients import cnnc

ROOT = Path(__file__).resolve().parents[2]


def parsed_inputs(text):
    """[(name, shape, kind)]"""
    result = []
    for item in text.split(';'):
        name, rest = item.split(':')
        words = rest.replace(',', ' ').split()
        kind = words.pop() if words[-1].isalpha() else 'normal'
        result.append((name.strip(), [int(word) for word in words], kind))
    return result


def make(generator, shape, kind):
    if kind == 'ties':
        return (generator.integers(-2, 3, shape) / 2).astype(np.float32)
    if kind == 'positive':
        return generator.uniform(.5, 1.5, shape).astype(np.float32)
    return generator.normal(0, 100 if kind == 'wide' else 1, shape).astype(np.float32)


def torch_gradients(case, values, factors, dtype):
    """The gradients of the sum of all results times their factors, in double. What has none as a number has 0."""
    torch.set_default_dtype(dtype)
    inputs = [torch.tensor(value).to(dtype).requires_grad_() for value in values]
    results = case.theirs(*inputs)
    results = results if isinstance(results, (tuple, list)) else [results]
    if not factors:
        generator = np.random.default_rng(2)
        factors += [make(generator, list(result.shape), 'normal') for result in results]
    total = sum((result * torch.tensor(factor).to(dtype)).sum() for result, factor in zip(results, factors))
    gradients = torch.autograd.grad(total, inputs, allow_unused=True)
    torch.set_default_dtype(torch.float32)
    return [np.zeros(value.shape) if gradient is None else gradient.numpy().astype(np.float64)
            for value, gradient in zip(values, gradients)]


def model_text(case, inputs, factors):
    """The model as a sum of its results times their factors, which are inputs, too."""
    statements = [item.strip() for item in case.body.split(';')]
    if not statements[-1].startswith('%'):
        statements[-1] = '%y = ' + statements[-1]
    outputs = re.findall(r'%(\w+)', statements[-1].split('=')[0])
    types = [f"%{name}: f32[{', '.join(map(str, shape))}]" for name, shape, _ in inputs]
    total = None
    for output, factor in zip(outputs, factors):
        types.append(f"%{output}.factor: f32[{', '.join(map(str, factor.shape))}]")
        statements.append(f'%{output}.times = mul %{output}, %{output}.factor')
        statements.append(f'%{output}.sum = reduce_sum %{output}.times axes={list(range(factor.ndim))} keep_dims=false'
                          if factor.ndim else f'%{output}.sum = reshape %{output}.times shape=[]')
        if total:
            statements.append(f'%{output}.total = add {total}, %{output}.sum')
        total = f'%{output}.total' if total else f'%{output}.sum'
    statements.append(f'return {total}')
    return '\n'.join([f"model @m({', '.join(types)}) {{"] + ['  ' + item for item in statements] + ['}', ''])


def our_gradients(compiler, text, names, arrays, folder):
    path = os.path.join(folder, 'model.ir')
    with open(path, 'w') as file:
        file.write(text)
    files = []
    for array in arrays:
        files.append(os.path.join(folder, f'in{len(files)}.npy'))
        np.save(files[-1], array)
    cnnc([compiler, path, '--differentiate', '--gradients-of', ','.join(names), '--run', *files, '--outputs', folder])
    return [np.load(os.path.join(folder, name + '.gradient.npy')).astype(np.float64) for name in names]


def relative(difference, exact):
    scale = np.sqrt(np.mean(exact ** 2))
    error = np.sqrt(np.mean(difference ** 2)) / (scale if scale > 0 else 1)
    return error if np.isfinite(error) else np.inf


def compare(compiler, case):
    """(our largest error, PyTorch's in single precision)"""
    inputs = parsed_inputs(case.inputs)
    generator = np.random.default_rng(1)
    values = [make(generator, shape, kind) for _, shape, kind in inputs]
    factors = []
    exact = torch_gradients(case, values, factors, torch.float64)
    single = torch_gradients(case, values, factors, torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        ours = our_gradients(compiler, model_text(case, inputs, factors), [name for name, *_ in inputs], values + factors,
                             folder)
    return (max(relative(got - wanted, wanted) for got, wanted in zip(ours, exact)),
            max(relative(got - wanted, wanted) for got, wanted in zip(single, exact)))


def rules():
    """{op: where its rule stands, or that it stops}"""
    result = {}
    table = (ROOT / 'ir/graph/ops/elementwise_table.cpp').read_text()
    for row in re.findall(r'\n    \{(\.name.*?)\},(?=\n    \{\.name|\n\};)', table, re.S):
        stops = '.gradient' not in row or '.gradient = no_gradient' in row
        result[re.match(r'\.name = "(\w+)"', row)[1]] = 'stops' if stops else '`elementwise_table.cpp`'
    ops_of = {}  # struct: ops
    for header in sorted((ROOT / 'ir/graph/ops').glob('*.h')):
        for struct, body in re.findall(r'\bstruct (\w+) \{\n(.*?)\n\};', header.read_text(), re.S):
            ops_of[struct] = re.findall(r'string_view(?:, \d+>)? names?\s*=\s*([^;]*);', body)
    for source in sorted((ROOT / 'ir/graph/gradients').glob('*.cpp')):
        for struct, body in re.findall(r'void (\w+)(?:<\w+>)?::differentiate\(Backward &\w*\) const \{(.*?)\}',
                                       source.read_text(), re.S):
            for name in re.findall(r'"(\w+)"', ' '.join(ops_of.get(struct, []))):
                result[name] = f'`{source.name}`' if body.strip() else 'stops'
    return result


def differences(test):
    """{op: largest error of gradients_test}, which it reports as properties of its tests."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, 'report.json')
        subprocess.run([test, '--gtest_output=json:' + report], check=True, capture_output=True)
        with open(report) as file:
            suites = json.load(file)['testsuites']
    result = {}
    for test_case in (item for suite in suites for item in suite['testsuite']):
        for key, value in test_case.items():
            if key.startswith('error_of_'):
                op = key.removeprefix('error_of_')
                result[op] = max(result.get(op, 0), float(value))
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('cnnc')
    parser.add_argument('ops', nargs='*', help='these alone')
    parser.add_argument('--gradients-test')
    parser.add_argument('--tolerance', type=float, default=1e-5)
    options = parser.parse_args()
    listed = [line.split()[0] for line in cnnc([options.cnnc, '--list-ops']).splitlines() if line[:1].strip()]
    by_rule, by_differences = rules(), differences(options.gradients_test) if options.gradients_test else {}
    failed = False
    print('| op | rule | models | differences | PyTorch | PyTorch in single precision |\n|---|---|---|---|---|---|')
    for op in options.ops or listed:
        if op in WITHOUT:
            print(f'| `{op}` | {WITHOUT[op]} | | | | |')
            continue
        errors = []
        for case in (case for case in CASES if case.op == op):
            ours, theirs = compare(options.cnnc, case)
            errors.append((ours, theirs))
            if not ours <= options.tolerance:
                failed = True
                print(f'{op} of {case.inputs}: {case.body}: error {ours:.1e}, PyTorch {theirs:.1e}', file=sys.stderr)
        difference = f'{by_differences[op]:.1e}' if op in by_differences else ''
        ours, theirs = (max(column) for column in zip(*errors))
        print(f'| `{op}` | {by_rule[op]} | {len(errors)} | {difference} | {ours:.1e} | {theirs:.1e} |', flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
