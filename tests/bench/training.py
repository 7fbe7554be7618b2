"""Training steps beside PyTorch's: forward, backward and update, in turn in one run.

    /usr/bin/python3 tests/bench/training.py CNNC [--threads 1,2] [--seconds 20] [--layers] [MODEL.ir@BATCH ...]

Without models: LeNet in batches of 64, ResNet-18 and MobileNetV2 in batches of 8. SGD with momentum. PyTorch runs the
same graph, op by op, with its automatic differentiation; its threads are set alike. Prints medians and least times of a
step in milliseconds, their ratio, and the most memory that a process with the step alone had; then the bars, those
missed first. --layers: also every kernel of the step that takes a hundredth of its time, with the percent of the FMA
peak. Exit codes: 0 measured, 77 there is no PyTorch."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
    import torch
except ImportError:
    print('no PyTorch: Debian has it as python3-torch')
    sys.exit(77)
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(root, 'tests', 'training'))
from torch_gradients import cnnc, forward_part, make_inputs
from torch_model import Model
from torch_steps import Step, compile_step

BARS = {'lenet': 3, 'resnet18': 1.4, 'mobilenet_v2': 2}


class Torch:
    def __init__(self, forward, values, threads):
        torch.set_num_threads(threads)
        self.model = forward
        self.weights = {name: torch.tensor(values[name]) for name, _, _, kind in forward.inputs if kind != 'data'}
        norms = {name for _, op, operands, _, _ in forward.nodes if op == 'batch_norm' for name in operands[3:]}
        trained = [t.requires_grad_() for name, t in self.weights.items() if name not in norms]
        self.data = {name: torch.tensor(values[name]) for name, _, _, kind in forward.inputs if kind == 'data'}
        self.optimizer = torch.optim.SGD(trained, 1e-3, momentum=0.9)

    def step(self):
        self.optimizer.zero_grad()
        loss = self.model.run({**self.data, **self.weights}, training=True)[0]
        loss.backward()
        self.optimizer.step()
        return float(loss)


def cnnc_step(library, values, threads):
    step = Step(library, threads)
    for name in step.names:
        if name in values:
            step.set(name, values[name])
    step.set('rate', np.float32(1e-3))
    return step


def timed(step):
    start = time.perf_counter()
    step.step()
    return (time.perf_counter() - start) * 1000


def with_all_weights(path, folder):
    """The network with random numbers for the zeros that stand for its biases and running means: constants are not
    trained, and a batch norm with one keeps its statistics."""
    with open(path) as file:
        text = re.sub(r'^( *%\S+\.(?:bias|mean)) = splat 0 :', r'\1 = random(1, uniform) :', file.read(), flags=re.M)
    changed = os.path.join(folder, os.path.basename(path))
    with open(changed, 'w') as file:
        file.write(text)
    return changed


def prepare(compiler, path, batch, folder):
    path = with_all_weights(path, folder)
    library = compile_step(compiler, path, 'sgd', batch, 0, folder)
    text = cnnc([compiler, path, '--differentiate', '--batch', str(batch), '--passes=infer_shapes,differentiate'])
    forward = os.path.join(folder, 'forward.ir')
    with open(forward, 'w') as file:
        file.write(forward_part(text))
    return library, forward


def load(forward):
    with open(forward) as file:
        model = Model(file.read())
    return model, make_inputs(model, np.random.default_rng(1))


def peak_memory(kind, library, forward, threads):
    """MB of a process that takes three steps, of PyTorch or of ours."""
    result = subprocess.run([sys.executable, __file__, '--child', kind, library, forward, str(threads)],
                            capture_output=True, text=True, check=True)
    return float(result.stdout)


def child(kind, library, forward, threads):
    model, values = load(forward)
    step = Torch(model, values, threads) if kind == 'torch' else cnnc_step(library, values, threads)
    # What Python and the inputs take is on both sides; PyTorch is loaded in both.
    for _ in range(3):
        step.step()
    # Not ru_maxrss, which begins with what the parent had.
    with open('/proc/self/status') as status:
        print(next(int(line.split()[1]) / 1024 for line in status if line.startswith('VmHWM')))


def print_kernels(compiler, path, batch, folder):
    """The kernels of a step on one thread, those of equal code in one row, the slowest first."""
    step, report = os.path.join(folder, 'step.ir'), os.path.join(folder, 'layers.json')
    cnnc([compiler, with_all_weights(path, folder), '--train=sgd', '--batch', str(batch), '--emit=graph', '-o', step])
    cnnc([compiler, step, '--profile', '--json', report])
    with open(report) as file:
        kernels = json.load(file)['kernels']
    print(f'kernels of {os.path.basename(path)}, batch {batch}:   % of time   % of FMA peak')
    for kernel in sorted(kernels, key=lambda k: -k['percent_of_time']):
        if kernel['percent_of_time'] >= 1:
            peak = f"{kernel['percent_of_peak']:5.0f}" if kernel['multiplications'] else '    -'
            print(f"  {len(kernel['kernels']):3} x {kernel['ops']:44} {kernel['algorithm']:12} "
                  f"{kernel['percent_of_time']:5.1f} {peak}   {kernel['kernels'][0]}")


def measure(compiler, path, batch, threads, seconds):
    """Prints a row. Returns (name, threads, times as fast, bar), where it has a bar."""
    name = os.path.basename(path).removesuffix('.ir')
    with tempfile.TemporaryDirectory() as folder:
        library, forward = prepare(compiler, path, batch, folder)
        model, values = load(forward)
        ours, theirs = cnnc_step(library, values, threads), Torch(model, values, threads)
        for step in (ours, theirs):
            step.step()
        times = ([], [])
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(times[1]) < 3:
            # As many of ours as take the time of one of PyTorch's.
            times[1].append(timed(theirs))
            spent = 0
            while spent < times[1][-1]:
                times[0].append(timed(ours))
                spent += times[0][-1]
        a, b = (statistics.median(t) for t in times)
        memory = [peak_memory(kind, library, forward, threads) for kind in ('cnnc', 'torch')]
        print(f'{name:14} {batch:5} {threads:7}  {b:9.2f} {min(times[1]):9.2f}  {a:9.2f} {min(times[0]):9.2f}  '
              f'{b / a:7.2f} {min(times[1]) / min(times[0]):8.2f}  {memory[1]:8.0f} {memory[0]:8.0f}', flush=True)
        return [(name, threads, b / a, BARS[name])] if name in BARS else []


def main():
    if sys.argv[1:2] == ['--child']:
        return child(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    parser = argparse.ArgumentParser()
    parser.add_argument('cnnc')
    parser.add_argument('models', nargs='*', default=['examples/lenet/lenet.ir@64', 'examples/nets/resnet18.ir@8',
                                                      'examples/nets/mobilenet_v2.ir@8'])
    parser.add_argument('--threads', default='1,2')
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--layers', action='store_true')
    options = parser.parse_intermixed_args()
    print(f'PyTorch {torch.__version__}; load average {os.getloadavg()[0]:.1f}; milliseconds a step, MB at most')
    print('model          batch threads    PyTorch     least       cnnc     least    ratio of least  PyTorch      cnnc')
    models = []
    for item in options.models:
        path, _, batch = item.partition('@')
        models.append((path if os.path.exists(path) else os.path.join(root, path), int(batch or 1)))
    bars = []
    for threads in [int(n) for n in options.threads.split(',')]:
        for path, batch in models:
            bars += measure(options.cnnc, path, batch, threads, options.seconds)
    for name, threads, ratio, bar in sorted(bars, key=lambda row: row[2] >= row[3]):
        verdict = 'reached' if ratio >= bar else 'MISSED '
        print(f'{verdict} {name}, {threads} threads: {ratio:.2f} times as fast as PyTorch, at least {bar}')
    for path, batch in models if options.layers else []:
        with tempfile.TemporaryDirectory() as folder:
            print_kernels(options.cnnc, path, batch, folder)


if __name__ == '__main__':
    main()
