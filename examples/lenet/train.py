#!/usr/bin/env python3
"""Trains LeNet on handwritten digits and writes its weights as lenet.safetensors.

8,000 digits are trained on; the 2,000 of held_out.txt only measure the result, after the last
epoch. Needs PyTorch (Debian: python3-torch), and npm for the first download of the digits.
"""

import argparse
import json
import math
import struct
import sys
import time
from pathlib import Path

import digits

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    sys.exit("error: train.py needs PyTorch; on Debian: apt install python3-torch, "
             "then run it with /usr/bin/python3")


def dense(layer, values):
    """A dense layer as a 1 x 1 convolution, which is faster where PyTorch has a slow BLAS."""
    weights = layer.weight[:, :, None, None]
    return functional.conv2d(values[:, :, None, None], weights, layer.bias).flatten(1)


class LeNet(nn.Module):
    """LeNet-5 with ReLU and max pooling: f32[n, 1, 28, 28] in [0, 1] to the logits f32[n, 10]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, images):
        values = functional.max_pool2d(torch.relu(self.conv1(images)), 2)
        values = functional.max_pool2d(torch.relu(self.conv2(values)), 2)
        values = torch.relu(dense(self.fc1, values.flatten(1)))
        return dense(self.fc3, torch.relu(dense(self.fc2, values)))


def to_tensors(chosen):
    """(label, pixels) pairs as images f32[n, 1, 28, 28] in [0, 1] and labels i64[n]."""
    pixels = torch.frombuffer(bytearray(b"".join(image for _, image in chosen)), dtype=torch.uint8)
    images = pixels.reshape(-1, 1, digits.SIDE, digits.SIDE).float() / 255
    return images, torch.tensor([label for label, _ in chosen])


def augment(images, generator):
    """Each image turned by up to 15 degrees, scaled by up to 15 % and shifted by up to 2 pixels."""
    count = len(images)

    def uniform(limit):
        return (2 * torch.rand(count, generator=generator) - 1) * limit

    angle = uniform(math.radians(15))
    scale = 1 + uniform(0.15)
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    shift = 2 * 2 / digits.SIDE  # affine_grid counts an image as 2 wide
    rows = [cosine, -sine, uniform(shift), sine, cosine, uniform(shift)]
    maps = torch.stack(rows, dim=1).reshape(count, 2, 3)
    grid = functional.affine_grid(maps, images.shape, align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def train(images, labels, epochs, batch, seed):
    """Returns the trained network; prints the loss of every epoch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = LeNet()
    optimizer = torch.optim.Adam(network.parameters())
    steps = epochs * math.ceil(len(images) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for epoch in range(1, epochs + 1):
        start = time.monotonic()
        total = 0.0
        for chosen in torch.randperm(len(images), generator=generator).split(batch):
            logits = network(augment(images[chosen], generator))
            loss = functional.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch:2}/{epochs}  loss {total / len(images):.4f}  "
              f"{time.monotonic() - start:.1f} s", flush=True)
    return network


def safetensors(parameters):
    """The named f32 tensors in the safetensors format: u64 header size, JSON header, data.

    The header is padded with spaces so that the data starts at a multiple of 8 bytes.
    """
    header, data = {}, b""
    for name, tensor in parameters:
        values = tensor.detach().flatten().tolist()
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def main():
    parser = argparse.ArgumentParser(
        description="Trains LeNet on 8,000 handwritten digits with one thread, in 1.5 minutes, "
        "measures it on 2,000 others and writes its weights.")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        default=digits.HERE / "lenet.safetensors",
                        help="where the weights go (default: lenet.safetensors beside this script)")
    parser.add_argument("--epochs", type=int, default=30, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1998, help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.epochs < 1 or arguments.batch < 1:
        parser.error("--epochs and --batch must be at least 1")

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    every = digits.load_digits()
    held_out = digits.held_out_indices()
    training = sorted(set(range(len(every))) - set(held_out))
    network = train(*to_tensors([every[index] for index in training]), arguments.epochs,
                    arguments.batch, arguments.seed)

    images, labels = to_tensors([every[index] for index in held_out])
    with torch.no_grad():
        correct = int((network.eval()(images).argmax(1) == labels).sum())
    print(f"held-out digits: {correct} of {len(labels)} right, {correct / len(labels):.2%}")
    digits.write_replacing(arguments.output, safetensors(network.named_parameters()))
    print(f"{arguments.output}: "
          f"{sum(value.numel() for value in network.parameters())} parameters")


if __name__ == "__main__":
    main()
