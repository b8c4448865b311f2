#!/usr/bin/env python3
"""torchvision's networks with random weights, scripted and traced: their layers give what PyTorch gives.

`published.py DRIVER full` runs a ViT-B/16 at 224 pixels, which takes minutes, in place of a small one."""
import sys
import warnings

import numpy as np

from driver import Driver, check, finish
from models import hooked, seeded

try:
    import torch
    from torchvision import models
except ImportError:
    print("skipped: this Python has no torchvision (Debian: python3-torchvision)")
    sys.exit(77)

BATCH = 4
TOLERANCE = 1e-4  # of the layer's largest value


def small_vit():
    return models.VisionTransformer(image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=32,
                                    mlp_dim=64)


# the layers asked for, each alone, and in one pass
NETWORKS = {
    "resnet18": (models.resnet18, ["avgpool", "layer2.0", "layer2.0.bn1", "layer4:in", "fc:in"]),
    "mobilenet": (models.mobilenet_v3_small, ["avgpool", "features.4", "features.4.block.1:in", "classifier:in"]),
    "densenet": (models.densenet121, ["features.denseblock2", "features.norm5", "features.transition1.conv:in"]),
    "vit": (small_vit, ["encoder.layers.encoder_layer_0", "encoder.ln", "encoder.layers.encoder_layer_1.mlp:in",
                        "heads:in"]),
}  # fmt: skip


def exports(driver, name, model, images):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, exported in (
            ("scripted", torch.jit.script(model)),
            ("traced", torch.jit.trace(model, torch.from_numpy(images[:BATCH]), check_trace=False)),
        ):
            path = driver.path(f"{name}-{kind}.pt")
            exported.save(path)
            yield f"{name}, {kind}", path


def check_network(driver, name, make, layers, images):
    model = seeded(make()).eval()
    with torch.no_grad():
        expected = {layer: hooked(model, layer, images) for layer in layers}
        whole = model(torch.from_numpy(images)).numpy()
    for what, path in exports(driver, name, model, images):
        driver.check_near(what, whole, path, images, BATCH, tolerance=TOLERANCE)
        for layer in layers:
            driver.check_near(f"{what}, {layer}", expected[layer], path, images, BATCH, tolerance=TOLERANCE,
                              layer=layer, pool="none")
        flat = [one.reshape(2, BATCH, -1) for one in expected.values()]
        together = driver.features(what, path, images, BATCH, layer=",".join(layers), pool="none")
        if together is None:
            continue
        together, at = together.reshape(2, -1), 0
        for layer, one in zip(layers, flat):
            size = one.shape[1] * one.shape[2]
            part = together[:, at:at + size].reshape(one.shape)
            error = np.abs(part - one).max() / np.abs(one).max()
            check(error <= TOLERANCE, f"{what}, {layer} among several: relative error {error:.1e}")
            at += size
        check(at == together.shape[1], f"{what}: as many features as the layers have")


def main():
    torch.set_num_threads(1)
    full = sys.argv[2:] == ["full"]
    driver = Driver(sys.argv[1])
    for name, (make, layers) in NETWORKS.items():
        side = 224 if full else 64
        make = models.vit_b_16 if full and name == "vit" else make
        images = driver.random_images(2 * BATCH, 3, side, side)
        check_network(driver, name, make, layers, images)
    finish()


if __name__ == "__main__":
    main()
