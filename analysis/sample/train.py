#!/usr/bin/env python3
"""Train the small network of the quickstart on images it has drawn itself.

    train.py --draw BUILD/analysis/sample/shardsne-draw-sample [--out sample-cnn.pt]

Draws a training and a validation set with seeds that the quickstart does not use, prints the accuracy
on the validation set after each epoch and saves the network as TorchScript. Needs PyTorch, NumPy and
Pillow (Debian: python3-torch python3-numpy python3-pil); takes some minutes on two cores.
"""
import argparse
import collections
import os
import subprocess
import tempfile
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # the program's defaults
TRAINING, VALIDATION = (1001, 2000), (1002, 200)  # seed, images of each class
BATCH = 128


def draw(program, seed, count):
    """Images [N, 3, 32, 32] uint8, labels [N] and the names of the classes, in alphabetical order."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder, "--seed", str(seed), "--count", str(count)],
                       check=True, stdout=subprocess.DEVNULL)
        classes = sorted(os.listdir(folder))
        images, labels = [], []
        for label, name in enumerate(classes):
            for file in sorted(os.listdir(os.path.join(folder, name))):
                with Image.open(os.path.join(folder, name, file)) as image:
                    images.append(np.asarray(image).transpose(2, 0, 1))
                labels.append(label)
    return torch.from_numpy(np.stack(images)), torch.tensor(labels), classes


def network(classes):
    """A pure chain of named children: the program's --drop-last 1 leaves the 64 features of `flatten`."""
    chain, channels = collections.OrderedDict(), 3
    for i, (width, stride) in enumerate([(24, 1), (32, 2), (48, 1), (64, 2), (64, 1)], 1):
        chain[f"conv{i}"] = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        chain[f"bn{i}"] = nn.BatchNorm2d(width)
        chain[f"relu{i}"] = nn.ReLU(inplace=True)
        channels = width
    chain["pool"] = nn.AdaptiveAvgPool2d(1)
    chain["flatten"] = nn.Flatten()
    chain["linear"] = nn.Linear(channels, classes)
    return nn.Sequential(chain)


def normalise(images):
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (images.float() / 255 - mean) / std


def turned(images):
    """The batch in one of the eight positions of a square: what a thing is does not depend on it."""
    images = torch.rot90(images, int(torch.randint(4, ())), (2, 3))
    return images.flip(3) if torch.rand(()) < 0.5 else images


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        hits = sum((model(normalise(x)).argmax(1) == y).sum().item()
                   for x, y in zip(images.split(BATCH), labels.split(BATCH)))
    return hits / len(labels)


def train_epoch(model, optimizer, schedule, images, labels):
    model.train()
    for rows in torch.randperm(len(labels)).split(BATCH):
        optimizer.zero_grad()
        outputs = model(normalise(turned(images[rows])))
        functional.cross_entropy(outputs, labels[rows], label_smoothing=0.05).backward()
        optimizer.step()
        schedule.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draw", default="shardsne-draw-sample", help="the program that draws")
    parser.add_argument("--out", default="sample-cnn.pt")
    parser.add_argument("--epochs", type=int, default=12)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(2)

    images, labels, classes = draw(args.draw, *TRAINING)
    unseen, truth, _ = draw(args.draw, *VALIDATION)
    model = network(len(classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.2, epochs=args.epochs, steps_per_epoch=-(-len(labels) // BATCH))
    start = time.monotonic()
    for epoch in range(1, args.epochs + 1):
        train_epoch(model, optimizer, schedule, images, labels)
        print(f"epoch {epoch:2}: validation accuracy {accuracy(model, unseen, truth):.4f}, "
              f"{time.monotonic() - start:.0f} s", flush=True)

    torch.jit.script(model.eval()).save(args.out)
    print(f"{args.out}: {os.path.getsize(args.out)} bytes")


if __name__ == "__main__":
    main()
