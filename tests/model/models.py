#!/usr/bin/env python3
"""Small models of every kind, made here: cut anywhere they give what PyTorch gives, or a clear line."""
import os
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
    """What the layer returned, or with ":in" took, the last time that the model, evaluated in eager
    mode, called it."""
    kept = []
    module = dict(model.named_modules())[layer.removesuffix(":in")]
    if layer.endswith(":in"):
        hook = module.register_forward_pre_hook(
            lambda _module, taken: kept.append(taken[0].detach().clone()))
    else:
        hook = module.register_forward_hook(
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
        if expected.ndim == 4 and ":" not in layer:
            driver.check_near(f"{kind} {layer}, pooled", pooled(expected), path, images, BATCH,
                              layer=layer, pool="avg")


def split_outputs(features, widths):
    """The features of each output, which follow each other batch by batch."""
    batches = features.reshape(-1, BATCH * sum(widths))
    ends = np.cumsum([0, *widths]) * BATCH
    return [batches[:, ends[i]:ends[i + 1]].reshape(-1, width) for i, width in enumerate(widths)]


def check_several(driver, kind, path, model, images, layers):
    """Layers of one pass give the bits that each gives alone, although what follows them changes
    some in place."""
    alone = [driver.features(f"{kind} {layer} alone", path, images, BATCH, layer=layer, pool="none")
             for layer in layers]
    together = driver.features(f"{kind}, several", path, images, BATCH, layer=",".join(layers), pool="none")
    if together is None or any(one is None for one in alone):
        return  # the driver has said so
    parts = split_outputs(together, [one.shape[1] for one in alone])
    for layer, one, part in zip(layers, alone, parts):
        expected = hooked(model, layer, images).reshape(len(images), -1)
        error = np.abs(part - expected).max() / np.abs(expected).max()
        check(error <= 1e-5, f"{kind} {layer} among several: relative error {error:.2e}")
        near = np.abs(part - one).max() / np.abs(one).max()
        check(near <= 1e-5, f"{kind} {layer} among several and alone: {near:.2e}")
    if kind == "scripted":
        driver.check_same_bits(f"{kind}, several", path, images, BATCH, layer=",".join(layers))


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
        inputs = ["stem:in", "norm:in", "twice:in", "body.1.0:in", "blocks.1:in", "head:in"]
        check_layers(driver, kind, path, model, images, layers + more + inputs)
        check_several(driver, kind, path, model, images, ["head:in", "norm", "body.0", "norm:in", "body"])
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
        done, _ = driver.call(path, images, BATCH, drop=drop)
        check(done.stdout.endswith(": \n"), f"chain, drop {drop}: no warning, not {done.stdout}")
    maps = model[:3](tensor).detach().numpy()
    driver.check_near("chain, pooled", pooled(maps), path, images, BATCH, drop=3, pool="avg")
    driver.check_near("chain, layer 2", maps, path, images, BATCH, layer="2")
    for drop in (6, 7):
        driver.check_refused(f"chain, drop {drop}", [f"--drop-last {drop}", "0, 1, 2, 3, 4, 5"], path,
                             images, BATCH, drop=drop)
    driver.check_same_bits("chain", path, images, BATCH, drop=1)


class Almost(nn.Module):
    """Its children run one after the other, but not only they."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(8, 8, 3)
        self.third = nn.Conv2d(8, 8, 3)
        self.last = nn.Linear(8, 4)

    def forward(self, x):
        return self._features(x)

    def _features(self, x):
        y = self.second(torch.relu(self.first(x)))
        y = y + self.third(torch.zeros_like(x)[:, :1].expand(-1, 8, -1, -1))[:, :, :8, :8]
        return self.last(y.mean([2, 3]))


def check_warning(driver, images):
    """--drop-last says where what is kept is no chain in the model, and only then."""
    path = save(driver, "almost", torch.jit.script(seeded(Almost()).eval()))
    for drop, words in ((3, None), (2, ["relu", "'second'"]), (1, ["relu", "'second'"])):
        done, _ = driver.call(path, images, BATCH, drop=drop)
        said = done.stdout.strip()
        check(done.returncode == 0, f"almost, drop {drop}: {done.stderr}")
        check((words is None and said.endswith(":")) or (words and all(w in said for w in words)),
              f"almost, drop {drop}: {said}")


class Tokens(nn.Module):
    """Sequences as a transformer's, [B, T, C]."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        tokens = self.norm(self.patch(x).flatten(2).transpose(1, 2))
        return tokens + self.attention(tokens, tokens, tokens)[0]


def check_pools(driver, images):
    model = seeded(Tokens()).eval()
    path = save(driver, "tokens", torch.jit.script(model))
    maps, tokens = (hooked(model, layer, images).astype(np.float64) for layer in ("patch", "norm"))
    for pool, of_maps, of_tokens in (("avg", maps.mean((2, 3)), tokens.mean(1)),
                                     ("max", maps.max((2, 3)), tokens.max(1)),
                                     ("none", maps, tokens), ("cls", None, tokens[:, 0])):
        driver.check_near(f"tokens, {pool}", of_tokens, path, images, BATCH, layer="norm", pool=pool)
        if of_maps is not None:
            driver.check_near(f"maps, {pool}", of_maps, path, images, BATCH, layer="patch", pool=pool)
    driver.check_refused("maps, cls", ["16 x 3 x 3", "--pool avg"], path, images, BATCH, layer="patch",
                         pool="cls")
    driver.check_refused("a layer that returns two", ["'attention'", "(Tensor, Tensor?)", "one tensor"], path, images,
                         BATCH, layer="attention")
    flat = tokens.reshape(len(images), -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    driver.check_near("unit length", unit, path, images, BATCH, layer="norm", pool="none", unit=1)
    zeros = nn.Sequential(nn.ReLU(), nn.Flatten())
    path = save(driver, "zeros", torch.jit.script(zeros))
    black = driver.scaled(np.zeros((BATCH, 12, 12, 3), np.uint8))
    features = driver.features("unit length of nothing", path, black, BATCH, unit=1)
    check(features is not None and not features.any(), "rows of zeros stay")


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
    os.rename(driver.path("text.pt"), driver.path("package.pt2"))
    driver.check_refused("a package", ["AOTInductor", "torch.jit.script"], driver.path("package.pt2"), images,
                         BATCH)
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


class Viewing(nn.Module):
    """Flattens its maps as much code does, which takes no maps with channels last."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)

    def forward(self, x):
        return self.conv(x).view(x.size(0), -1)


class Hungry(nn.Module):
    """Its memory holds so many images at once."""

    def __init__(self, most: int):
        super().__init__()
        self.most = most

    def forward(self, x):
        if x.size(0) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return x.mean((2, 3))


def check_input(driver, images):
    """What a network gets, to the bit, in one channel as well; and in the layout that it takes."""
    path = save(driver, "identity", torch.jit.script(nn.Identity()))
    for what, some in (("three channels", images), ("one channel", images[:, :1].copy())):
        features = driver.features(what, path, some, BATCH)
        check(features is not None and features.tobytes() == some.tobytes(), f"{what}: the same bits")
    model = Viewing().eval()
    expected = model(torch.from_numpy(images)).detach().numpy()
    driver.check_near("view", expected, save(driver, "view", torch.jit.script(model)), images, BATCH)


def check_memory(driver, images):
    """A batch that does not fit is run in halves, which is said; half of one that does not is an error."""
    for most, halved in ((BATCH, False), (BATCH - 1, True), (BATCH // 2, True)):
        path = save(driver, f"hungry-{most}", torch.jit.script(Hungry(most)))
        driver.check_near(f"{most} at once", images.mean((2, 3)), path, images, BATCH)
        done, _ = driver.call(path, images, BATCH)
        check(("halved" in done.stdout) == halved, f"{most} at once: {done.stdout}")
    path = save(driver, "starving", torch.jit.script(Hungry(BATCH // 2 - 1)))
    done, _ = driver.call(path, images, BATCH)
    check(done.returncode == 1 and "half a batch" in done.stderr and "--batch" in done.stderr, done.stderr)


def main():
    torch.set_num_threads(1)
    driver = Driver(sys.argv[1])
    images = driver.random_images(3 * BATCH, 3, 12, 12)
    check_input(driver, images)
    check_memory(driver, images)
    check_residual(driver, images)
    check_chain(driver, images)
    check_warning(driver, images)
    check_pools(driver, images)
    check_precision(driver, images)
    check_no_model(driver, images)
    check_outputs(driver, images)
    finish()


if __name__ == "__main__":
    main()
