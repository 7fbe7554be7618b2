"""Gradients of models against PyTorch's: all weights and inputs, same numbers on both sides.

    /usr/bin/python3 tests/training/torch_gradients.py CNNC [--batch N] [--tolerance 1e-4] MODEL.ir ...

Random constants and weights of the text become inputs, so that every one of them has a gradient. The loss of
a model that returns no single number is that which `--differentiate` puts behind it. Prints for each model
the tensor whose gradient differs most, as root mean square of the difference relative to that of PyTorch's.
Exit codes: 0 all within the tolerance, 1 not, 77 there is no PyTorch."""
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


def compare(compiler, path, batch, folder, seed=1):
    """[(relative error, name)] of all gradients, and the loss on both sides."""
    with_loss = ['--differentiate', '--gradients-of=*']
    if batch:
        with_loss += ['--batch', str(batch)]
    # The loss and its inputs, before gradients hide them: the model up to its first output.
    typed = cnnc([compiler, path, '--passes=infer_shapes'])
    model = Model(typed)
    text = os.path.join(folder, 'model.ir')
    with open(text, 'w') as file:
        file.write(model.text_with_inputs(typed))
    if batch:
        typed_inputs = cnnc([compiler, text, '--passes=infer_shapes'])
        text_batch = typed_inputs
    differentiated = cnnc([compiler, text, '--passes=infer_shapes,differentiate'] + with_loss)
    forward = forward_part(differentiated)
    model = Model(forward)
    values = make_inputs(model, np.random.default_rng(seed))
    files = []
    for name, *_ in model.inputs:
        files.append(os.path.join(folder, f'in{len(files)}.npy'))
        np.save(files[-1], values[name])
    whole = os.path.join(folder, 'whole.ir')
    with open(whole, 'w') as file:
        file.write(differentiated)
    outputs = os.path.join(folder, 'outputs')
    cnnc([compiler, whole, '--run'] + files + ['--outputs', outputs])
    tensors = {name: torch.tensor(value, requires_grad=value.dtype == np.float32) for name, value in values.items()}
    loss = model.run(tensors)[0]
    loss.backward()
    names = Model(differentiated).outputs
    ours = np.load(os.path.join(outputs, names[0] + '.npy'))
    errors = []
    gradients = names[-sum(1 for t in tensors.values() if t.requires_grad):]
    wanted = [(name, tensor) for name, tensor in tensors.items() if tensor.requires_grad]
    for (name, tensor), output in zip(wanted, gradients):
        got = np.load(os.path.join(outputs, output + '.npy')).astype(np.float64)
        expected = (tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)).numpy().astype(np.float64)
        scale = np.sqrt(np.mean(expected ** 2))
        error = np.sqrt(np.mean((got - expected) ** 2))
        errors.append((error / scale if scale > 0 else error, name))
    return errors, float(ours), float(loss)


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
    parser.add_argument('--tolerance', type=float, default=1e-4)
    options = parser.parse_args()
    failed = False
    for path in options.models:
        with tempfile.TemporaryDirectory() as folder:
            errors, ours, theirs = compare(options.cnnc, path, options.batch, folder)
        worst, name = max(errors)
        failed = failed or not worst <= options.tolerance
        print(f'{os.path.basename(path):28} {len(errors):4} gradients, largest error {worst:.1e} (%{name}), '
              f'loss {ours:.6g} against {theirs:.6g}' + ('' if worst <= options.tolerance else '  TOO LARGE'), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
