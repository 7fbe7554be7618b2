"""Training steps against PyTorch's: the same weights, images and labels, and the losses step by step.

    /usr/bin/python3 tests/training/torch_steps.py CNNC [--optimizer sgd|adamw] [--steps 50] [--batch 64]
                                                   [--rate X] [--weight-decay X] MODEL.ir

The model is trained as `cnnc --train` makes it: with the loss behind it, and weights as its text has them (random
ones are made here). Exit codes: 0 all losses within 1e-3 of PyTorch's, 1 not, 77 there is no PyTorch."""
import argparse
import ctypes
import os
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError:
    print('no PyTorch: Debian has it as python3-torch')
    sys.exit(77)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from torch_gradients import cnnc, forward_part, make_inputs
from torch_model import Model


class Tensor(ctypes.Structure):
    _fields_ = [('name', ctypes.c_char_p), ('dtype', ctypes.c_int), ('rank', ctypes.c_uint32),
                ('shape', ctypes.POINTER(ctypes.c_int64)), ('size', ctypes.c_size_t)]


class Table(ctypes.Structure):  # the head of cnnc_model_v1
    _fields_ = [('abi_version', ctypes.c_uint32), ('name', ctypes.c_char_p), ('target_cpu', ctypes.c_char_p),
                ('target_features', ctypes.c_char_p), ('input_count', ctypes.c_uint32),
                ('inputs', ctypes.POINTER(Tensor)), ('output_count', ctypes.c_uint32),
                ('outputs', ctypes.POINTER(Tensor)), ('kernel_count', ctypes.c_uint32),
                ('kernel_names', ctypes.c_void_p), ('workspace_size', ctypes.c_size_t),
                ('workspace_per_thread', ctypes.c_size_t), ('workspace_alignment', ctypes.c_size_t),
                ('weights_size', ctypes.c_size_t), ('run', ctypes.c_void_p)]


class Context(ctypes.Structure):  # cnnc_context
    _fields_ = [('threads', ctypes.c_uint32), ('batch', ctypes.c_int64), ('parallel_for', ctypes.c_void_p),
                ('parallel_user', ctypes.c_void_p), ('profile', ctypes.c_void_p), ('profile_user', ctypes.c_void_p)]


def aligned(size):
    memory = np.zeros(size + 64, np.uint8)
    return memory[(-memory.ctypes.data) % 64:][:size]


class Step:
    """A compiled training step and its state."""

    def __init__(self, library, threads=1):
        self.library = ctypes.CDLL(library)
        self.library.step_model.restype = ctypes.POINTER(Table)
        self.table = self.library.step_model().contents
        self.run = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
            self.table.run)
        self.inputs = [self.table.inputs[i] for i in range(self.table.input_count)]
        self.names = [tensor.name.decode() for tensor in self.inputs]
        self.shapes = [[t.shape[d] for d in range(t.rank)] for t in self.inputs]
        self.memory = {name: aligned(max(1, tensor.size)) for name, tensor in zip(self.names, self.inputs)}
        self.outputs = []
        for i in range(self.table.output_count):
            name = self.table.outputs[i].name.decode()
            state = name.removesuffix('.next')
            self.outputs.append(self.memory[state] if name.endswith('.next') else aligned(self.table.outputs[i].size))
        self.context = Context(threads=threads)
        self.workspace = aligned(self.table.workspace_size + (threads - 1) * self.table.workspace_per_thread + 64)
        pointers = [self.memory[name].ctypes.data for name in self.names]
        self.input_pointers = (ctypes.c_void_p * len(pointers))(*pointers)
        self.output_pointers = (ctypes.c_void_p * len(self.outputs))(*[o.ctypes.data for o in self.outputs])

    def set(self, name, value):
        memory = self.memory[name]
        memory[:] = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)

    def step(self):
        status = self.run(self.input_pointers, self.output_pointers, self.workspace.ctypes.data,
                          ctypes.addressof(self.context))
        assert status == 0, status
        return float(self.outputs[0].view(np.float32)[0])


def compile_step(compiler, path, optimizer, batch, weight_decay, folder, extra=()):
    library = os.path.join(folder, 'step.so')
    cnnc([compiler, path, f'--train={optimizer}', '--batch', str(batch), '--weight-decay', str(weight_decay),
          '--name', 'step', '-o', library, *extra])
    return library


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('cnnc')
    parser.add_argument('model')
    parser.add_argument('--optimizer', default='sgd', choices=['sgd', 'adamw'])
    parser.add_argument('--steps', type=int, default=50)
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument('--rate', type=float)
    parser.add_argument('--weight-decay', type=float, default=1e-3)
    options = parser.parse_args()
    rate = options.rate or (0.02 if options.optimizer == 'sgd' else 1e-3)
    with tempfile.TemporaryDirectory() as folder:
        step = Step(compile_step(options.cnnc, options.model, options.optimizer, options.batch, options.weight_decay,
                                 folder))
        forward = Model(forward_part(cnnc([options.cnnc, options.model, '--differentiate', '--batch', str(options.batch),
                                           '--passes=infer_shapes,differentiate'])))
        generator = np.random.default_rng(1)
        values = make_inputs(forward, generator)
        weights = {name: torch.tensor(values[name], requires_grad=True) for name, _, _, kind in forward.inputs
                   if kind != 'data'}
        for name, tensor in weights.items():
            step.set(name, tensor.detach().numpy())
        step.set('rate', np.float32(rate))
        torch_optimizer = (torch.optim.SGD(weights.values(), rate, momentum=0.9, weight_decay=options.weight_decay)
                           if options.optimizer == 'sgd' else
                           torch.optim.AdamW(weights.values(), rate, weight_decay=options.weight_decay))
        largest = 0
        for number in range(options.steps):
            data = {name: value for name, value in make_inputs(forward, generator).items() if name not in weights}
            for name, value in data.items():
                step.set(name, value)
            ours = step.step()
            torch_optimizer.zero_grad()
            loss = forward.run({**{n: torch.tensor(v) for n, v in data.items()}, **weights})[0]
            loss.backward()
            torch_optimizer.step()
            largest = max(largest, abs(ours - float(loss)) / max(1, abs(float(loss))))
            if number % 10 == 0 or number == options.steps - 1:
                print(f'step {number:3}  loss {ours:.6f}, PyTorch {float(loss):.6f}')
        print(f'{options.steps} steps of {options.optimizer}: largest difference of losses {largest:.1e}')
        sys.exit(0 if largest <= 1e-3 else 1)


if __name__ == '__main__':
    main()
