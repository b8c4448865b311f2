#!/usr/bin/env python3
"""Small models of every kind, made here: cut anywhere they give what PyTorch gives, or a clear line."""
import sys

import numpy as np

from driver import Driver, check, finish

try:
    import torch
    from torch import nn
except ImportError:
    print("skipped: this Python has no torch (Debian: python3-torch)")
    sys.exit(77)

BATCH = 8


class Residual(nn.Module):
    """Skip connections, functional calls between children, children called twice, in a loop, in an
    if, and never; the plain view wants contiguous maps, the input is changed in place."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.twice = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3)))
        self.blocks = nn.ModuleList([nn.Linear(8 * 100, 20), nn.Linear(20, 20)])
        self.drop = nn.Dropout(0.5)
        self.sometimes = nn.Linear(20, 20)
        self.never = nn.Linear(20, 20)
        self.head = nn.Linear(20, 5)

    def forward(self, x):
        x = x.mul_(2.0)
        y = torch.relu_(self.norm(self.stem(x)))
        y = y + self.twice(torch.relu(self.twice(y)))
        y = self.body(y)
        y = y.view(y.size(0), -1)
        for block in self.blocks:
            y = torch.tanh(block(y))
        if y.size(1) > 1:
            y = self.sometimes(y)
        return self.head(self.drop(y))


class Tuple(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 2, 3)

    def forward(self, x):
        return self.one(x), x


class Mean(nn.Module):
    def forward(self, x):
        return x.mean()


class Picked(nn.Module):
    """A buffer of integers, which a change of precision must leave alone."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 400, 1)
        self.register_buffer("order", torch.arange(399, -1, -1))

    def forward(self, x):
        return self.conv(x)[:, self.order]


class Forwardless(nn.Module):
    @torch.jit.export
    def other(self, x):
        return x


def seeded(module):
    """Weights and batch-norm statistics that leave nothing at its default; in training mode."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape) / max(1.0, tensor[0].numel() ** 0.5))
                if "running_var" in name:
                    tensor.abs_().add_(0.5)
    return module


def save(driver, name, model):
    path = driver.path(name + ".pt")
    model.save(path)
    return path


def hooked(model, layer, images):
    """What the layer returned the last time that the model, evaluated in eager mode, called it."""
    kept = []
    hook = dict(model.named_modules())[layer].register_forward_hook(
        lambda _module, _input, output: kept.append(output.detach().clone()))
    model(torch.from_numpy(images.copy()))
    hook.remove()
    return kept[-1].numpy()


def pooled(maps):
    return maps.mean(axis=(2, 3), dtype=np.float64)


def check_layers(driver, kind, path, model, images, layers):
    for layer in layers:
        expected = hooked(model, layer, images)
        driver.check_near(f"{kind} {layer}", expected, path, images, BATCH, layer=layer, pool="none")
        if expected.ndim == 4:
            driver.check_near(f"{kind} {layer}, pooled", pooled(expected), path, images, BATCH,
                              layer=layer, pool="avg")


def check_residual(driver, images):
    model = seeded(Residual())
    scripted = save(driver, "scripted", torch.jit.script(model))  # while training: eval() is ours
    model.eval()
    traced = save(driver, "traced", torch.jit.trace(model, torch.from_numpy(images[:BATCH].copy())))
    layers = ["stem", "norm", "twice", "body", "body.0", "body.1", "body.1.0", "body.1.1", "blocks.0",
              "blocks.1", "head"]
    expected = model(torch.from_numpy(images.copy())).detach().numpy()
    for kind, path, more in (("scripted", scripted, []), ("traced", traced, ["sometimes"])):
        driver.check_near(f"{kind}, whole", expected, path, images, BATCH)
        check_layers(driver, kind, path, model, images, layers + more)
        driver.check_same_bits(kind, path, images, BATCH)
        driver.check_same_bits(f"{kind} body", path, images, BATCH, layer="body", pool="avg")
        driver.check_refused(f"{kind}, never", ["'never'", "nowhere"], path, images, BATCH,
                             layer="never")
        driver.check_refused(f"{kind}, unknown", ["no layer 'nose'", "stem, norm, twice", "head"],
                             path, images, BATCH, layer="nose")
        driver.check_refused(f"{kind}, unknown below", ["no layer 'body.7'", "of body are: 0, 1"],
                             path, images, BATCH, layer="body.7")
        driver.check_refused(f"{kind}, no chain", ["one after the other", "--layer", "head"], path,
                             images, BATCH, drop=1)
        driver.check_refused(f"{kind}, channels", ["8 x 1 x 12 x 12", "3 channels"], path,
                             images[:, :1], BATCH)
        driver.check_refused(f"{kind}, size", ["8 x 3 x 9 x 9"], path, images[:, :, :9, :9], BATCH)
    driver.check_refused("in an if", ["'sometimes'", "an if or a loop"], scripted, images, BATCH,
                         layer="sometimes")
    frozen = torch.jit.freeze(torch.jit.load(scripted).eval())
    frozen = save(driver, "frozen", frozen)
    driver.check_near("frozen before", expected, frozen, images, BATCH)
    driver.check_refused("frozen, cut", ["no layer 'head'", "frozen"], frozen, images, BATCH,
                         layer="head")


def check_chain(driver, images):
    model = seeded(nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(),
                                 nn.Linear(600, 9), nn.Linear(9, 4))).eval()
    path = save(driver, "chain", torch.jit.script(model))
    tensor = torch.from_numpy(images)
    for drop in range(6):
        maps = nn.Sequential(*list(model.children())[:6 - drop])(tensor).detach().numpy()
        driver.check_near(f"chain, drop {drop}", maps, path, images, BATCH, drop=drop)
    maps = model[:3](tensor).detach().numpy()
    driver.check_near("chain, pooled", pooled(maps), path, images, BATCH, drop=3, pool="avg")
    driver.check_near("chain, layer 2", maps, path, images, BATCH, layer="2")
    for drop in (6, 7):
        driver.check_refused(f"chain, drop {drop}", [f"--drop-last {drop}", "0, 1, 2, 3, 4, 5"], path,
                             images, BATCH, drop=drop)
    driver.check_same_bits("chain", path, images, BATCH, drop=1)


def check_precision(driver, images):
    model = seeded(Picked()).eval()
    path = save(driver, "picked", torch.jit.script(model))
    expected = model(torch.from_numpy(images)).detach().numpy()
    driver.check_near("picked", expected, path, images, BATCH)
    driver.check_near("picked, bfloat16", expected, path, images, BATCH, tolerance=0.02,
                      precision="bfloat16")
    driver.check_same_bits("picked, bfloat16", path, images, BATCH, precision="bfloat16")
    try:
        model.half()(torch.from_numpy(images).half())
    except RuntimeError:
        driver.check_refused("picked, float16", ["float16 on a CPU", "--precision bfloat16"], path,
                             images, BATCH, precision="float16")
    if not torch.cuda.is_available():
        driver.check_refused("no GPU", ["no GPU", "--device cpu"], path, images, BATCH, device="cuda")


def check_no_model(driver, images):
    chain = nn.Sequential(nn.Conv2d(3, 6, 3))
    torch.save(chain.state_dict(), driver.path("weights.pt"))
    torch.save(chain.state_dict(), driver.path("old.pt"), _use_new_zipfile_serialization=False)
    with open(driver.path("text.pt"), "w", encoding="utf-8") as f:
        f.write("weights\n")
    with open(save(driver, "whole", torch.jit.script(chain)), "rb") as f:
        whole = f.read()
    with open(driver.path("truncated.pt"), "wb") as f:
        f.write(whole[:len(whole) // 2])
    for name in ("weights.pt", "old.pt", "text.pt", "truncated.pt"):
        driver.check_refused(name, [name, "not a TorchScript model", "torch.jit.script"],
                             driver.path(name), images, BATCH)
    driver.check_refused("no file", ["missing.pt", "No such file"], driver.path("missing.pt"), images,
                         BATCH)
    path = save(driver, "forwardless", torch.jit.script(Forwardless()))
    driver.check_refused("no forward", ["no forward"], path, images, BATCH)


def check_outputs(driver, images):
    path = save(driver, "tuple", torch.jit.script(Tuple()))
    driver.check_refused("a tuple", ["Tuple", "one tensor"], path, images, BATCH)
    done, features = driver.call(path, images, BATCH, layer="one")
    check(done.returncode == 0 and features.shape[1] == 200, "a tuple can be cut before")
    path = save(driver, "mean", torch.jit.script(Mean()))
    driver.check_refused("a scalar", ["a scalar", "batch of 8"], path, images, BATCH)


def main():
    torch.set_num_threads(1)
    driver = Driver(sys.argv[1])
    images = np.random.default_rng(0).standard_normal((3 * BATCH, 3, 12, 12)).astype(np.float32)
    check_residual(driver, images)
    check_chain(driver, images)
    check_precision(driver, images)
    check_no_model(driver, images)
    check_outputs(driver, images)
    finish()


main()
