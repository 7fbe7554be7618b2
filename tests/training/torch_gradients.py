"""Gradients of models against PyTorch's: all weights and inputs, same numbers on both sides.

    /usr/bin/python3 tests/training/torch_gradients.py CNNC [--batch N] [--seed 1] [--tolerance 1e-4] MODEL.ir ...

Random constants and weights of the text become inputs, so that every one of them has a gradient. The loss of
a model that returns no single number is that which `--differentiate` puts behind it. Prints for each model
the tensor whose gradient is off most, as root mean square of the difference from PyTorch's in double, relative to that, and
what PyTorch is off in single precision; and the median of all tensors, which a relu that falls to the other side of 0 leaves
alone. Exit codes: 0 all within the tolerance or twice what PyTorch is off, 1 not, 77 there is no PyTorch."""
import argparse
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError:
    print('no PyTorch: Debian has it as python3-torch')
    sys.exit(77)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from torch_model import Model


def cnnc(arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(arguments)}\n{result.stderr}")
    return result.stdout


def make_inputs(model, generator):
    values = {}
    for name, dtype, shape, kind in model.inputs:
        if dtype == 'i64':
            values[name] = generator.integers(0, 3, shape)
        elif kind == 'he':
            fan_in = max(1, int(np.prod(shape[1:])))
            values[name] = generator.normal(0, (2 / fan_in) ** .5, shape).astype(np.float32)
        elif kind == 'uniform':
            values[name] = generator.uniform(.5, 1.5, shape).astype(np.float32)
        else:
            values[name] = generator.normal(0, 1, shape).astype(np.float32)
    return values


def compare(compiler, path, batch, folder, seed):
    """[(relative error, that of PyTorch, name)] of all gradients, and the loss on both sides."""
    with_loss = ['--differentiate', '--gradients-of=*']
    if batch:
        with_loss += ['--batch', str(batch)]
    differentiated = cnnc([compiler, path, '--passes=infer_shapes,differentiate'] + with_loss)
    model = Model(forward_part(differentiated))
    values = make_inputs(model, np.random.default_rng(seed))
    files = []
    for name, *_ in model.inputs:
        files.append(os.path.join(folder, f'in{len(files)}.npy'))
        np.save(files[-1], values[name])
    whole = os.path.join(folder, 'whole.ir')
    with open(whole, 'w') as file:
        file.write(model.text_with_inputs(differentiated))
    outputs = os.path.join(folder, 'outputs')
    cnnc([compiler, whole, '--run'] + files + ['--outputs', outputs])
    names = Model(differentiated).outputs
    # Statistics are no weights: no gradient is asked for.
    statistics = {name for _, op, operands, _, _ in model.nodes if op == 'batch_norm' for name in operands[3:]}
    trained = [name for name, value in values.items() if value.dtype == np.float32 and name not in statistics]
    theirs, loss = torch_gradients(model, values, trained, torch.float32)
    exact, _ = torch_gradients(model, values, trained, torch.float64)
    errors = []
    for name, output in zip(trained, names[-len(trained):]):
        got = np.load(os.path.join(outputs, output + '.npy')).astype(np.float64)
        scale = np.sqrt(np.mean(exact[name] ** 2))
        error, other = (np.sqrt(np.mean((g - exact[name]) ** 2)) / (scale if scale > 0 else 1)
                        for g in (got, theirs[name]))
        errors.append((error, other, name))
    return errors, float(np.load(os.path.join(outputs, names[0] + '.npy'))), loss


def torch_gradients(model, values, trained, dtype):
    """({name: gradient in double}, loss)"""
    torch.set_default_dtype(dtype)
    tensors = {name: torch.tensor(value).to(dtype) if value.dtype == np.float32 else torch.tensor(value)
               for name, value in values.items()}
    for name in trained:
        tensors[name].requires_grad_()
    loss = model.run(tensors)[0]
    loss.backward()
    torch.set_default_dtype(torch.float32)
    return {name: (tensors[name].grad if tensors[name].grad is not None else torch.zeros_like(tensors[name]))
            .numpy().astype(np.float64) for name in trained}, float(loss)


def forward_part(text):
    """Without the ops of the backward pass, which follow the loss."""
    lines = text.splitlines()
    result = next(line for line in lines if line.strip().startswith('return'))
    loss = result.split()[1].rstrip(',')
    end = next(i for i, line in enumerate(lines) if line.strip().startswith(loss + '.gradient = '))
    # Pools that keep positions are pools.
    kept = [line.replace('max_pool2d_indices', 'max_pool2d').replace(' positions=window', '') for line in lines[:end]]
    return '\n'.join(kept + [f'  return {loss}', '}']) + '\n'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('cnnc')
    parser.add_argument('models', nargs='+')
    parser.add_argument('--batch', type=int, default=0)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--tolerance', type=float, default=1e-4)
    options = parser.parse_args()
    failed = False
    for path in options.models:
        with tempfile.TemporaryDirectory() as folder:
            errors, ours, theirs = compare(options.cnnc, path, options.batch, folder, options.seed)
        worst, other, name = max(errors)
        # In deep networks with random weights single precision may go astray, whoever computes.
        bad = not (worst <= options.tolerance or worst <= 2 * max(theirs_off for _, theirs_off, _ in errors))
        failed = failed or bad
        print(f'{os.path.basename(path):24} {len(errors):4} gradients, largest error {worst:.1e} (%{name}; PyTorch '
              f'{other:.1e}, at most {max(e[1] for e in errors):.1e}), median {np.median([e[0] for e in errors]):.1e} '
              f'({np.median([e[1] for e in errors]):.1e}), loss {ours:.6g} against {theirs:.6g}'
              + ('  TOO LARGE' if bad else ''), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
